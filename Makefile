# Everything a person does with this repository; `make` alone lists it.
.DEFAULT_GOAL := help
PY := .venv/bin/python
PYTEST := $(PY) -m pytest

.PHONY: help venv demo up down status test lint types unit pages soak bench parked lock asyncapi

help: ## list what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

venv:
	@deploy/local/bootstrap.sh

demo: venv ## everything on this machine, with a sample city and a day of its publications
	@$(PY) -m deploy.local.run demo

up: venv ## the same without the sample; starts again whatever is no longer running
	@$(PY) -m deploy.local.run up

down: venv ## stop it all; the data stays
	@$(PY) -m deploy.local.run down

status: venv ## what is up, and where
	@$(PY) -m deploy.local.run status

parked: venv ## messages that wait for a person: make parked ARGS="list"
	@$(PY) -m deploy.local.run parked $(ARGS)

# Shared out among processes, each with servers of its own: the tests wait more than they work.
test: lint types ## lint, types and all the tests, on real servers of their own
	$(PYTEST) -n auto --maxprocesses 4 --dist worksteal

lint: venv
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	.venv/bin/lint-imports --no-logo

types: venv
	$(PY) -m mypy

unit: venv ## the tests that need no server
	$(PYTEST) tests/unit

pages: venv ## every kind of page in Chromium (axe-core) and the Nu HTML checker; needs node, java
	$(PY) -m tests.pages

soak: venv ## the same tests longer: more kills, more sequences
	SOAK=1 $(PYTEST) tests/faults tests/services/publisher/test_crashes.py tests/unit \
		tests/contracts/test_ingest_schemathesis.py --timeout 3600

bench: venv ## benchmarks, each beside its floor and a peer, as ratios
	$(PY) -m tests.bench

lock: venv ## renew the lock files after a change of pyproject.toml
	uv pip compile -q --universal --generate-hashes --no-annotate --no-header pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-annotate --no-header pyproject.toml --group dev --group bench -o requirements-dev.lock

asyncapi: venv ## renew docs/asyncapi.json after an intended change of the events
	$(PY) -m shared.asyncapi > docs/asyncapi.json
