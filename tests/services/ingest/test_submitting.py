"""Handing in, revising and taking back: what is answered, and what comes to the bus."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from services.ingest.keys import Register
from services.ingest.reading import CONTENT
from shared.events import now
from shared.publication import Fact
from shared.vocabulary import Kind
from tests.media import files_for
from tests.samples import TRANSPORT, submission
from tests.services.ingest.conftest import EDUCATION, Heard, Running, accepted, problem, revision
from tests.waiting import eventually


async def heard_of(heard: Heard, id: str, *facts: tuple[str, int]) -> None:
    """Wait until exactly these were heard, in any order."""

    async def all_heard() -> bool:
        return sorted(await heard.of(id)) == sorted(facts)

    await eventually(all_heard)


async def test_the_answer_names_the_publication_its_receipt_and_its_record(ingest: Running) -> None:
    answer = await ingest.client.post("/v1/publications", json=submission())
    body = accepted(answer)
    assert UUID(body["id"]).version == 7
    assert body == {
        "id": body["id"],
        "revision": 1,
        "receipt": f"https://archive.example/receipts/{body['id']}",
    }
    assert answer.headers["Location"] == f"https://archive.example/v1/publications/{body['id']}"
    assert answer.headers["ETag"] == '"1"'


async def test_what_is_accepted_is_counted_once(ingest: Running) -> None:
    """By kind and operation; the same request again is no further acceptance."""

    def counted(operation: str) -> float:
        return (
            REGISTRY.get_sample_value("visnyk_accepted_total", {"kind": "interview", "operation": operation})
            or 0
        )

    before = [counted(operation) for operation in ("submit", "revise", "withdraw")]
    key = {"Idempotency-Key": "one"}
    for _ in range(2):
        body = accepted(
            await ingest.client.post("/v1/publications", json=submission("interview"), headers=key)
        )
    accepted(await ingest.revise(body["id"], 1, kind="interview"))
    problem(await ingest.revise(body["id"], 1, kind="interview"), 412)
    accepted(await ingest.withdraw(body["id"]))
    after = [counted(operation) for operation in ("submit", "revise", "withdraw")]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, 1]


@pytest.mark.parametrize("kind", list(Kind))
async def test_every_kind_comes_to_the_bus_whole(ingest: Running, heard: Heard, kind: Kind) -> None:
    handed_in = submission(kind, media=await files_for(kind, ingest.client))
    body = accepted(await ingest.client.post("/v1/publications", json=handed_in))
    await heard_of(heard, body["id"], ("released", 1))
    event = await heard.latest(body["id"])
    assert event.routing_key == f"publication.released.{kind}"
    assert event.data.department == TRANSPORT
    assert event.data.content == CONTENT.validate_python(handed_in)
    assert event.data.targets == ("site", "mail")
    assert event.data.was_released
    assert event.data.corrections == ()


async def test_an_hour_in_the_past_means_at_once(ingest: Running, heard: Heard) -> None:
    past = (now() - timedelta(hours=1)).isoformat()
    scheduled, embargoed = await ingest.submit(release_at=past), await ingest.submit(embargo_until=past)
    await heard_of(heard, scheduled["id"], ("released", 1))
    await heard_of(heard, embargoed["id"], ("released", 1))


async def test_a_revision_of_what_is_public_is_a_correction(ingest: Running, heard: Heard) -> None:
    body = await ingest.submit()
    first = accepted(await ingest.revise(body["id"], 1, title="Інша назва"))
    change = {"significance": "major", "note": "Змінено день."}
    second = accepted(await ingest.revise(body["id"], 2, title="Ще інша", change=change))
    assert [first["revision"], second["revision"]] == [2, 3]
    await heard_of(heard, body["id"], ("released", 1), ("released", 2), ("released", 3))
    latest = max(heard.events, key=lambda event: event.rank).data
    assert latest.content.title == "Ще інша"
    assert [(it.revision, it.significance, it.note) for it in latest.corrections] == [
        (2, "minor", "Уточнено час."),
        (3, "major", "Змінено день."),
    ]
    assert latest.released_at == latest.submitted_at


async def test_a_withdrawal_carries_all_and_nothing_follows_it(ingest: Running, heard: Heard) -> None:
    body = await ingest.submit()
    answer = await ingest.withdraw(body["id"], "Подію скасовано.")
    assert accepted(answer) == body
    problem(await ingest.withdraw(body["id"]), 409)
    problem(await ingest.revise(body["id"], 1), 409)
    await heard_of(heard, body["id"], ("released", 1), ("withdrawn", 1))
    withdrawn = next(event.data for event in heard.events if event.fact is Fact.WITHDRAWN)
    assert withdrawn.withdrawal is not None
    assert withdrawn.withdrawal.reason == "Подію скасовано."
    assert withdrawn.content.title == submission()["title"]
    assert withdrawn.was_released


async def test_the_kind_stays(ingest: Running) -> None:
    body = await ingest.submit("news")
    refused = problem(await ingest.revise(body["id"], 1, kind="announcement"), 422)
    assert [error["field"] for error in refused["errors"]] == ["kind"]


async def test_the_hour_of_what_is_public_stays(ingest: Running) -> None:
    past = (now() - timedelta(hours=1)).isoformat()
    body = await ingest.submit(release_at=past)
    later = (now() + timedelta(hours=1)).isoformat()
    for field in ("release_at", "embargo_until"):
        refused = problem(await ingest.revise(body["id"], 1, **{field: later}), 422)
        assert [error["field"] for error in refused["errors"]] == [field]
    accepted(await ingest.revise(body["id"], 1, release_at=past))
    accepted(await ingest.revise(body["id"], 2, release_at=None))


async def test_a_department_touches_only_its_own(ingest: Running, register: Register) -> None:
    """The others' look exactly as what doesn't exist."""
    body = await ingest.submit()
    missing = "01926b6e-8f5f-7000-8000-000000000000"
    ingest.client.headers["Authorization"] = f"Bearer {await register.make_key(EDUCATION.id, '')}"
    details = set()
    for id in (body["id"], missing):
        details.add(problem(await ingest.revise(id, 1), 404)["detail"])
        details.add(problem(await ingest.withdraw(id), 404)["detail"])
    assert len(details) == 1


async def test_a_revision_has_to_be_of_the_latest(ingest: Running) -> None:
    body = await ingest.submit()
    accepted(await ingest.revise(body["id"], 1))
    answer = await ingest.revise(body["id"], 1)
    assert problem(answer, 412)["revision"] == 2
    assert answer.headers["ETag"] == '"2"'
    accepted(await ingest.revise(body["id"], 2))


@pytest.mark.parametrize(
    ("seen", "status"),
    [
        (None, 428),
        ('"1"', 202),
        (' "1"\t', 202),
        ('"7", "1"', 202),
        ('W/"1"', 412),
        ('"2"', 412),
        ('"01"', 412),
        ('"one"', 412),
        ("1", 400),
        ("*", 400),
        ("", 400),
        ('"1', 400),
        ('"1" "2"', 400),
    ],
)
async def test_if_match_names_the_revision_seen(ingest: Running, seen: str | None, status: int) -> None:
    body = await ingest.submit()
    headers = {} if seen is None else {"If-Match": seen}
    answer = await ingest.client.put(f"/v1/publications/{body['id']}", json=revision(), headers=headers)
    if status == 202:
        accepted(answer)
    else:
        problem(answer, status)


async def test_of_two_revisions_at_once_one_is_outdated(ingest: Running, heard: Heard) -> None:
    body = await ingest.submit()
    answers = await asyncio.gather(*(ingest.revise(body["id"], 1, title=f"Назва {n}") for n in range(10)))
    assert sorted(answer.status_code for answer in answers) == [202] + [412] * 9
    await heard_of(heard, body["id"], ("released", 1), ("released", 2))
