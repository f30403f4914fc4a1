"""From the bus into the record, on real servers: once, whole, in any order."""

import asyncio
import random
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr

from deploy.local.servers import MongoNode
from services.archive.app import build
from services.archive.settings import ArchiveSettings
from shared.bus import ARCHIVE_RECORD
from shared.events import Outcome, new_id, now
from shared.publication import Fact
from shared.settings import SharedSettings
from tests.rabbit import depth
from tests.samples import corrected, delivery, fact, publication, withdrawn
from tests.services.archive.conftest import OPERATOR, Event, Running, run_archive, settings_from
from tests.waiting import eventually


async def test_a_released_publication_is_there_with_its_receipt(archive: Running) -> None:
    released = publication("event")
    events: list[Event] = [
        fact(released),
        delivery(released, "site", Outcome.PUBLISHED, url="https://rada.example/news/1"),
        delivery(released, "mail", Outcome.PUBLISHED, recipients=7, failed=0),
    ]
    await archive.emit(*events)
    await archive.recorded(events)
    found = await archive.publication(released.id)
    assert found is not None
    assert found["state"] == "released"
    assert found["title"] == released.content.title
    assert found["body"] == released.content.body
    assert found["section"] == "announcements"
    assert found["department"] == {"id": "transport", "name": "Управління транспорту та зв’язку"}
    assert found["event"]["place"] == "Театральний майдан"
    assert "act" not in found
    receipt = found["receipt"]
    assert receipt["complete"] is True
    assert receipt["waiting"] == []
    site, mail = receipt["entries"]
    assert (site["target"], site["outcome"], site["url"]) == (
        "site",
        "published",
        "https://rada.example/news/1",
    )
    assert (mail["target"], mail["recipients"], mail["failed"]) == ("mail", 7, 0)
    assert "url" not in mail
    assert "recipients" not in site
    assert len(receipt["timeline"]) == 3
    assert receipt["page"] == f"https://archive.example/receipts/{released.id}"


async def test_any_order_and_any_number_of_deliveries_end_the_same(archive: Running) -> None:
    """A life of a publication, every event three times, in twelve random orders."""
    for seed in range(12):
        first = publication()
        second = corrected(first, title="Тролейбус № 5 знову на маршруті")
        gone = withdrawn(second)
        events: list[Event] = [
            fact(first, Fact.ADVANCE),
            fact(first),
            fact(second),
            fact(gone, Fact.WITHDRAWN),
            delivery(first, "site", Outcome.PUBLISHED, url="https://rada.example/1"),
            delivery(second, "site", Outcome.UPDATED, url="https://rada.example/1"),
            delivery(second, "mail", Outcome.RETRYING, attempt=1),
            delivery(second, "mail", Outcome.PUBLISHED, recipients=3, failed=0),
            delivery(gone, "mail", Outcome.PUBLISHED, fact=Fact.WITHDRAWN, recipients=3, failed=0),
            delivery(gone, "site", Outcome.REMOVED, fact=Fact.WITHDRAWN),
        ]
        arrivals = events * 3
        random.Random(seed).shuffle(arrivals)
        for event in arrivals:
            await archive.emit(event)
        await archive.recorded(events)

        async def complete(id: object = first.id) -> bool:
            found = await archive.publication(id)
            return found is not None and found["receipt"]["complete"]

        await eventually(complete)
        found = await archive.publication(first.id)
        assert found is not None
        assert (found["state"], found["revision"]) == ("withdrawn", 2)
        assert [revision["revision"] for revision in found["revisions"]] == [1, 2]
        assert [entry["outcome"] for entry in found["receipt"]["entries"]] == ["removed", "published"]
        assert len(found["receipt"]["timeline"]) == len(events)
        assert await archive.store.events.count_documents({"subject": first.id}) == len(events)


async def test_five_hundred_events_at_once_share_writes(archive: Running) -> None:
    publications = [publication() for _ in range(500)]
    events: list[Event] = [fact(one) for one in publications]
    before = await _inserts(archive)
    await archive.emit(*events)
    await archive.recorded(events)
    assert await archive.store.publications.count_documents({"state": "released"}) == 500
    assert await _inserts(archive) - before < 250


async def _inserts(archive: Running) -> int:
    """Insert commands that the server has served so far."""
    status = await archive.archive.mongo.database.command("serverStatus")
    return int(status["metrics"]["commands"]["insert"]["total"])


async def test_an_unreadable_message_is_parked_and_the_rest_go_on(
    archive: Running, shared_settings: SharedSettings
) -> None:
    good = [fact(publication()) for _ in range(20)]
    for number, event in enumerate(good):
        if number % 5 == 0:
            await archive.bus.send(ARCHIVE_RECORD, b"{broken", message_id=f"broken-{number}")
        await archive.emit(event)
    await archive.recorded(good)

    async def parked() -> bool:
        return await depth(shared_settings, f"parked.{ARCHIVE_RECORD}") == 4

    await eventually(parked)
    assert await archive.store.events.count_documents({}) == 20


async def test_what_no_document_can_hold_is_parked_alone(
    archive: Running, shared_settings: SharedSettings
) -> None:
    """A number beyond 64 bits would fail the whole group of writes that it came in."""
    good = [fact(publication()) for _ in range(50)]
    released = publication()
    poison = fact(released).encode().replace(b'"revision":1', b'"revision":%d' % 2**70)
    await asyncio.gather(
        *(archive.emit(event) for event in good),
        archive.bus.send(ARCHIVE_RECORD, poison, message_id="poison"),
    )
    await archive.recorded(good)

    async def parked() -> bool:
        return await depth(shared_settings, f"parked.{ARCHIVE_RECORD}") == 1

    await eventually(parked)
    assert await archive.publication(released.id) is None


async def test_members_that_this_version_does_not_know_are_kept(archive: Running) -> None:
    event = fact(publication())
    body = event.encode().replace(b'"specversion"', '"пізніше":{"додане":[1]},"specversion"'.encode())
    await archive.bus.send(ARCHIVE_RECORD, body, message_id=str(event.id))
    await archive.recorded([event])
    raw = await archive.client.get(f"/v1/publications/{event.subject}/events", headers=OPERATOR)
    [kept] = raw.json()["items"]
    assert kept["event"]["пізніше"] == {"додане": [1]}
    assert await archive.publication(event.subject) is not None


async def test_reports_that_come_before_their_publication_wait_for_it(archive: Running) -> None:
    released = publication(targets=("site",))
    report = delivery(released, "site", Outcome.PUBLISHED, url="https://rada.example/1")
    await archive.emit(report)
    await archive.recorded([report])
    assert await archive.publication(released.id) is None
    event = fact(released)
    await archive.emit(event)
    await archive.recorded([event])
    found = await archive.publication(released.id)
    assert found is not None
    assert found["receipt"]["complete"] is True


async def test_while_the_database_is_away_messages_wait_and_then_all_arrive(
    shared_settings: SharedSettings, tmp_path: Path
) -> None:
    """Its own server, killed under load and started again: nothing parked, nothing lost."""
    node = MongoNode(tmp_path / "mongo")
    await asyncio.to_thread(node.start)
    try:
        settings = settings_from(shared_settings, mongo_url=SecretStr(node.url))
        async with run_archive(settings) as archive:
            before = [fact(publication()) for _ in range(50)]
            await archive.emit(*before)
            await archive.recorded(before)
            await asyncio.to_thread(node.kill)
            during = [fact(publication()) for _ in range(400)]
            await archive.emit(*during)
            answer = await archive.client.get(f"/v1/publications/{before[0].subject}")
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) > 0
            assert answer.headers["Content-Type"] == "application/problem+json"
            ready = await archive.client.get("/health/ready")
            assert ready.status_code == 503
            assert "mongo" in ready.json()["ailing"]
            await asyncio.to_thread(node.start)
            await archive.recorded(during, within=60)
            assert await depth(shared_settings, f"parked.{ARCHIVE_RECORD}") == 0

            async def is_ready() -> bool:
                return (await archive.client.get("/health/ready")).status_code == httpx.codes.OK

            await eventually(is_ready)
            assert await archive.store.publications.count_documents({}) == 450
    finally:
        await asyncio.to_thread(node.stop)


async def test_it_starts_without_its_servers_and_says_what_ails(
    archive_settings: ArchiveSettings,
) -> None:
    """Live at once, ready when both are there; nothing has to be started in an order."""
    app_settings = archive_settings.model_copy(
        update={
            "amqp_url": SecretStr("amqp://guest:guest@127.0.0.1:9/"),
            "mongo_url": SecretStr("mongodb://127.0.0.1:9/?replicaSet=rs0&serverSelectionTimeoutMS=300"),
        }
    )
    app = build(app_settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://archive") as client:
            assert (await client.get("/health/live")).status_code == 200
            ready = await client.get("/health/ready", timeout=30)
            assert ready.status_code == 503
            assert set(ready.json()["ailing"]) == {"bus", "mongo", "indexes"}


def _observed() -> float:
    return REGISTRY.get_sample_value("visnyk_end_to_end_seconds_count", {"target": "archive"}) or 0


async def test_end_to_end_seconds_are_counted_once_for_each_fact(archive: Running) -> None:
    """However often an event comes; a report of an outcome is no fact."""
    released = publication(accepted_at=now() - timedelta(seconds=2))
    events: list[Event] = [fact(released), delivery(released, "site", Outcome.PUBLISHED)]
    recorded = _observed()
    for _ in range(3):
        await archive.emit(*events)
        await archive.recorded(events)
    marker = fact(publication())
    await archive.emit(marker)
    await archive.recorded([marker])
    assert _observed() - recorded == 2


async def test_an_event_is_never_changed_by_a_later_one_with_its_id(archive: Running) -> None:
    """The record is append-only: what came first under an id stays."""
    first = fact(publication())
    await archive.emit(first)
    await archive.recorded([first])
    other = first.model_copy(update={"source": "/forged"})
    marker = fact(publication(id=new_id()))
    await archive.emit(other)
    await archive.emit(marker)
    await archive.recorded([marker])
    raw = await archive.client.get(f"/v1/publications/{first.subject}/events", headers=OPERATOR)
    [kept] = raw.json()["items"]
    assert kept["event"]["source"] == "/ingest"


@pytest.mark.parametrize("what", list(Fact))
async def test_every_fact_leaves_its_state(archive: Running, what: Fact) -> None:
    states = {
        Fact.SCHEDULED: "scheduled",
        Fact.ADVANCE: "embargoed",
        Fact.RELEASED: "released",
        Fact.WITHDRAWN: "withdrawn",
    }
    event = fact(publication(), what)
    await archive.emit(event)
    await archive.recorded([event])
    found = await archive.publication(event.subject)
    assert found is not None
    assert found["state"] == states[what]
