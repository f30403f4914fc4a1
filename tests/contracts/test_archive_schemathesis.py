"""The archive's HTTP against its own OpenAPI document: whatever is asked, no 5xx, nothing undocumented."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, settings
from pydantic import SecretStr
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from deploy.local.ports import free_port
from services.archive.app import build
from services.archive.reading import Reading
from services.archive.settings import ArchiveSettings
from services.archive.store import Received, Store
from shared.events import Outcome, now
from shared.mongo import Mongo
from shared.publication import Fact
from tests.samples import corrected, delivery, fact, publication, withdrawn

KEY = "operator"
DATABASE = "archive_contract"
KNOWN = publication()


async def _fill(mongo_url: str) -> None:
    """Something to be found: every kind of state and outcome."""
    mongo = Mongo(mongo_url, DATABASE)
    await mongo.database.client.drop_database(DATABASE)
    store = Store(mongo.database)
    first = KNOWN
    second = corrected(first)
    for event in (
        fact(first),
        fact(second),
        delivery(first, "site", Outcome.PUBLISHED, url="https://rada.example/1"),
        delivery(second, "mail", Outcome.FAILED, reason="Скриньки немає.", recipients=2, failed=2),
        fact(withdrawn(second), Fact.WITHDRAWN),
        fact(publication("event")),
        fact(publication("regulatory_act"), Fact.SCHEDULED),
        fact(publication("broadcast", released_at=None), Fact.ADVANCE),
    ):
        await store.add(Received(event, event.encode()), now())
    mongo.close()


@pytest.fixture(scope="module")
def archive_url(mongo_url: str) -> Iterator[str]:
    """The archive's HTTP in a thread of its own; it answers without the bus."""
    asyncio.run(_fill(mongo_url))
    port = free_port()
    app = build(ArchiveSettings(operator_key=SecretStr(KEY)))
    mongo = Mongo(mongo_url, DATABASE)
    app.state.reading = Reading(Store(mongo.database), "https://archive.example")
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    until = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < until
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(30)
    mongo.close()


schema = schemathesis.openapi.from_dict(build(ArchiveSettings()).openapi())
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
BOUNDED = settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@schema.parametrize()
@BOUNDED
def test_everyone_is_answered_as_documented(case: "schemathesis.Case[Any]", archive_url: str) -> None:
    case.call_and_validate(base_url=archive_url, checks=CHECKS)


@schema.parametrize()
@BOUNDED
def test_the_operator_is_answered_as_documented(case: "schemathesis.Case[Any]", archive_url: str) -> None:
    """With the key, and about a publication that is there."""
    if "id" in case.path_parameters:
        case.path_parameters["id"] = str(KNOWN.id)
    case.call_and_validate(base_url=archive_url, checks=CHECKS, headers={"Authorization": f"Bearer {KEY}"})
