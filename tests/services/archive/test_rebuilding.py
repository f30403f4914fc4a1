"""Whatever became of what is derived: the record of events gives it back."""

import asyncio
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services.archive import rebuilding
from services.archive.rebuilding import rebuild
from services.archive.store import Received, Store
from shared.events import Outcome, now
from shared.mongo import Document, Mongo
from shared.publication import Fact
from tests.samples import corrected, delivery, fact, publication, withdrawn
from tests.services.archive.conftest import Event, Keep

ROOT = Path(__file__).parents[3]


def lives(count: int, seed: int = 1) -> list[Event]:
    """Events of several publications, shuffled."""
    events: list[Event] = []
    for number in range(count):
        first = publication()
        second = corrected(first, title=f"Уточнення {number}")
        events += [
            fact(first),
            delivery(first, "site", Outcome.PUBLISHED, url=f"https://rada.example/{number}"),
            delivery(first, "mail", Outcome.RETRYING, attempt=1),
            delivery(first, "mail", Outcome.PUBLISHED, recipients=number, failed=0),
        ]
        if number % 2:
            events += [fact(second), delivery(second, "site", Outcome.UPDATED)]
        if number % 3 == 0:
            events.append(fact(withdrawn(first), Fact.WITHDRAWN))
    random.Random(seed).shuffle(events)
    return events


async def derived(store: Store) -> dict[str, list[Document]]:
    """All that follows from the record."""
    return {
        "publications": await store.publications.find().sort("_id").to_list(None),
        "receipts": await store.receipts.find().sort("_id").to_list(None),
    }


async def test_what_was_lost_comes_back(store: Store, keep: Keep) -> None:
    await keep(*lives(12))
    before = await derived(store)
    await store.publications.drop()
    await store.receipts.drop()
    done = await rebuild(store)
    assert await derived(store) == before
    assert (done.publications, done.receipts) == (12, 24)
    assert done.unreadable == done.orphans == 0
    assert done.events == await store.events.count_documents({})


async def test_what_was_changed_by_hand_is_put_right(store: Store, keep: Keep) -> None:
    """Even where the forged document claims a place above all events."""
    await keep(*lives(6))
    before = await derived(store)
    await store.publications.update_many({}, {"$set": {"state": "scheduled", "place": "9" * 45}})
    await store.receipts.update_many({"target": "mail"}, {"$set": {"outcome": "failed", "place": "9" * 45}})
    await rebuild(store)
    assert await derived(store) == before


async def test_what_no_event_stands_behind_is_removed(store: Store, keep: Keep) -> None:
    await keep(*lives(4))
    before = await derived(store)
    stray = publication()
    template = await store.publications.find_one()
    assert template is not None
    await store.publications.insert_one(template | {"_id": stray.id})
    [receipt] = await store.receipts.find().limit(1).to_list(None)
    await store.receipts.insert_one(
        receipt | {"_id": f"{receipt['publication']}:telegram", "target": "telegram"}
    )
    await store.receipts.insert_one(receipt | {"_id": f"{stray.id}:site", "publication": stray.id})
    done = await rebuild(store)
    assert await derived(store) == before
    assert done.orphans == 2


async def test_rebuilding_goes_chunk_by_chunk(
    store: Store, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publication whose events lie across the border of two chunks is computed whole."""
    monkeypatch.setattr(rebuilding, "CHUNK", 3)
    await keep(*lives(10))
    before = await derived(store)
    await store.publications.delete_many({})
    await store.receipts.delete_many({})
    await rebuild(store)
    assert await derived(store) == before


async def test_events_that_come_meanwhile_stand(store: Store) -> None:
    """The service goes on recording while the rebuild runs, and nothing falls back."""
    events = lives(50)

    async def record() -> None:
        for event in events:
            await store.add(Received(event, event.encode()), now())

    recording = asyncio.create_task(record())
    rebuilds = 0
    while not recording.done():
        await rebuild(store)
        rebuilds += 1
    await recording
    found = await derived(store)
    await store.publications.drop()
    await store.receipts.drop()
    await rebuild(store)
    assert await derived(store) == found
    assert rebuilds > 1


async def test_an_event_that_this_version_cannot_read_is_left_out_and_counted(
    store: Store, keep: Keep
) -> None:
    await keep(*lives(2))
    before = await derived(store)
    event = fact(publication())
    await keep(event)
    await store.events.update_one({"_id": event.id}, {"$set": {"body": '{"type":"ua.visnyk.v9"}'}})
    done = await rebuild(store)
    assert done.unreadable == 1
    assert await derived(store) == before


def command(mongo_url: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command as an operator does."""
    environment: dict[str, Any] = {"PATH": "/usr/bin:/bin", "MONGO_URL": mongo_url, "LOG_LEVEL": "ERROR"}
    return subprocess.run(
        [sys.executable, "-m", "services.archive", "rebuild"],
        cwd=ROOT,
        env=environment | more,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_the_command_says_what_it_did(mongo_url: str, store: Store, keep: Keep) -> None:
    await keep(*lives(3))
    before = await derived(store)
    await store.publications.drop()
    done = await asyncio.to_thread(command, mongo_url, ARCHIVE_DATABASE="test")
    assert done.returncode == 0, done.stderr
    assert "publications: 3, receipts: 6" in done.stdout
    assert await derived(store) == before


async def test_the_command_says_that_the_database_is_away() -> None:
    away = "mongodb://127.0.0.1:9/?replicaSet=rs0"
    done = await asyncio.to_thread(command, away)
    assert done.returncode == 1
    assert "does not answer" in done.stderr
    assert "Traceback" not in done.stderr


async def test_the_order_of_arrival_leaves_the_same_documents(mongo: Mongo) -> None:
    """In any order, and repeated: what is derived is what a rebuild computes."""
    events = lives(8)
    results: list[dict[str, list[Document]]] = []
    for seed in range(6):
        for name in ("events", "publications", "receipts"):
            await mongo.database[name].drop()
        store = Store(mongo.database)
        arrivals = events + events[seed::2]
        random.Random(seed).shuffle(arrivals)
        await asyncio.gather(*(store.add(Received(event, event.encode()), now()) for event in arrivals))
        results.append(await derived(store))
    await rebuild(store)
    results.append(await derived(store))
    assert all(result == results[0] for result in results)
