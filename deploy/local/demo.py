"""Loading the sample city into a running local run, as its people would: by the commands and over HTTP."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import httpx
from rich.console import Console

from deploy.local.errors import LocalRunError
from deploy.local.programs import ROOT, LocalRun
from deploy.local.receipts import follow
from deploy.local.sample_city import (
    OUTLETS,
    SampleDepartments,
    SamplePublication,
    departments,
    publications,
)
from deploy.local.sample_media import SampleMedia, patiently
from deploy.local.startup import last_line, steps
from deploy.local.state import SampleState, StateFile


def load_sample(kept: StateFile, run: LocalRun, console: Console) -> None:
    """Make the departments, import the outlets, hand in the day, and follow its receipts to their end.

    What an earlier run did already is not done again. Raises LocalRunError.
    """
    sample = kept.state.sample
    with httpx.Client(base_url=run.url("ingest"), timeout=30) as desk:
        if sample.keys and not _key_works(desk, next(iter(sample.keys.values()))):
            sample = kept.state.sample = SampleState()
        if sample.complete:
            console.print("The sample city was loaded already.")
            return
        day = publications(sample.begin(datetime.now(UTC)))
        kept.save()
        sample_desk = SampleDesk(kept, desk, day)
        with steps(console) as shown:
            shown.run("sample", lambda: _found_city(kept, run))
            shown.run("hand in", sample_desk.hand_in)
        public = {each.slug: sample.publications[each.slug] for each in day if not each.waits}
        waiting = {each.slug: sample.publications[each.slug] for each in day if each.waits}
        follow(run.url("archive"), public, waiting, console)
        with steps(console) as shown:
            shown.run("change", sample_desk.change)
        follow(run.url("archive"), {slug: public[slug] for slug in sample.changed}, {}, console, changed=True)
    sample.complete = True
    kept.save()


def example_request(ingest_url: str, key: str) -> str:
    """A command line that hands in a publication, ready to be pasted into a shell."""
    body = {
        "kind": "news",
        "title": "Бібліотека на Кравчука працює довше",
        "lead": "Від понеділка читальна зала відчинена до 21:00.",
        "body": "Записатися можна **безоплатно**.\n\n- будні: 9:00–21:00\n- субота: 10:00–18:00",
        "topics": ["other"],
    }
    return (
        f"curl -sS -X POST {ingest_url}/v1/publications \\\n"
        f"  -H 'Authorization: Bearer {key}' \\\n"
        f"  -H 'Content-Type: application/json' \\\n"
        f"  -d '{json.dumps(body, ensure_ascii=False)}'"
    )


def _key_works(desk: httpx.Client, key: str) -> bool:
    """Whether the key is known: an empty submission is refused for its body then, not for its key."""
    answer = desk.post("/v1/publications", json={}, headers={"Authorization": f"Bearer {key}"})
    return answer.status_code not in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


Command = tuple[str, ...]


def _commands(run: LocalRun, *commands: Command) -> list[str]:
    """Run ``python -m ...`` commands as an operator would; return what each printed."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [sys.executable, "-m", "deploy.local.commands"],
        check=False,
        cwd=ROOT,
        env={**run.environment, **run.settings()},
        input=json.dumps(commands),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        log = run.log("commands")
        log.write_text(done.stdout + done.stderr, encoding="utf-8")
        raise LocalRunError(f"the sample city could not be made ({last_line(log)}): see {log}")
    printed: list[str] = json.loads(done.stdout)
    return printed


def _found_city(kept: StateFile, run: LocalRun) -> str:
    sample, city = kept.state.sample, departments()
    new = [department for department in city.names if department not in sample.keys]
    adding = [_adding(city, department) for department in new]
    making: list[Command] = [("services.ingest", "keys", "add", each, "--label", "demo") for each in new]
    with ThreadPoolExecutor() as threads:
        made = threads.submit(_commands, run, *adding, *making)
        if not sample.outlets:
            _commands(run, ("services.notifier", "outlets", "import", str(OUTLETS)))
            sample.outlets = True
        keys = [printed.split()[-1] for printed in made.result()[len(adding) :]]
    sample.keys |= dict(zip(new, keys, strict=True))
    kept.save()
    return f"{len(city.names)} departments, outlets and their journalists"


def _adding(city: SampleDepartments, department: str) -> Command:
    unit = ("--communal-enterprise",) if department in city.communal_enterprises else ()
    return ("services.ingest", "departments", "add", department, city.names[department], *unit)


class SampleDesk:
    """Hands in the sample's publications and their changes, each once, whatever was done before."""

    def __init__(self, kept: StateFile, ingest: httpx.Client, day: Sequence[SamplePublication]) -> None:
        self._kept = kept
        self._sample = kept.state.sample
        self._ingest = ingest
        self._day = day
        self._media = SampleMedia(kept, ingest)

    def hand_in(self) -> str:
        """Submit what wasn't yet."""
        for each in self._day:
            if each.slug not in self._sample.publications:
                media = self._media.hand_in(each)
                content = each.content | ({"media": media} if media else {})
                accepted = self._send(each, "POST", "", content)
                self._sample.publications[each.slug] = accepted["id"]
                self._kept.save()
        return f"{len(self._day)} publications"

    def change(self) -> str:
        """Correct and withdraw what the sample says."""
        for each in self._day:
            if each.slug in self._sample.changed or not (each.correction or each.withdrawal):
                continue
            path = f"/{self._sample.publications[each.slug]}"
            if each.correction:
                self._send(each, "PUT", path, each.corrected())
            else:
                self._send(each, "POST", f"{path}/withdrawal", {"reason": each.withdrawal})
            self._sample.changed.append(each.slug)
            self._kept.save()
        return "a correction and a withdrawal"

    def _send(
        self, each: SamplePublication, method: str, path: str, body: Mapping[str, Any]
    ) -> dict[str, Any]:
        headers = {
            "Authorization": f"Bearer {self._sample.keys[each.department]}",
            "Idempotency-Key": f"sample-{self._sample.started_at:%Y%m%dT%H%M%S}-{each.slug}-{method}{path}",
        }
        if method == "PUT":
            headers["If-Match"] = '"1"'
        address = f"/v1/publications{path}"
        answer = patiently(lambda: self._ingest.request(method, address, json=body, headers=headers))
        if answer.status_code != HTTPStatus.ACCEPTED:
            raise LocalRunError(f"{each.slug} was refused with {answer.status_code}: {answer.text[:300]}")
        accepted: dict[str, Any] = answer.json()
        return accepted
