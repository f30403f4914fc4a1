"""The archive running in the test's own loop, on the session's servers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from services.archive.app import Archive, build
from services.archive.reading import Reading
from services.archive.settings import ArchiveSettings
from services.archive.store import Received, Store, publication_document, receipt_document
from shared.bus import Bus
from shared.events import DeliveryReported, PublicationEvent, now
from shared.mongo import Document, Mongo
from shared.settings import SharedSettings
from tests.waiting import eventually

Event = PublicationEvent | DeliveryReported
OPERATOR_KEY = "a key for operators"
OPERATOR = {"Authorization": f"Bearer {OPERATOR_KEY}"}


def settings_from(shared: SharedSettings, **own: Any) -> ArchiveSettings:
    """The archive's settings on these servers."""
    given = {
        "amqp_url": shared.amqp_url,
        "mongo_url": shared.mongo_url,
        "retry_ladder": shared.retry_ladder,
        "operator_key": SecretStr(OPERATOR_KEY),
        "archive_url": "https://archive.example",
        "site_name": "Луцька міська рада",
    }
    return ArchiveSettings.model_validate(given | own)


@dataclass
class Reader:
    """The archive's HTTP over a store, without a bus."""

    app: FastAPI
    client: httpx.AsyncClient
    store: Store

    async def put(self, *events: Event) -> None:
        """Store events, all at once, as the recorder does."""
        await asyncio.gather(*(self.store.add(Received(event, event.encode()), now()) for event in events))

    async def publication(self, id: object) -> dict[str, Any] | None:
        """What the archive answers, or None for 404."""
        answer = await self.client.get(f"/v1/publications/{id}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        assert answer.status_code == httpx.codes.OK, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def listed(self, **query: Any) -> dict[str, Any]:
        """A page of the list, as everyone sees it."""
        answer = await self.client.get("/v1/publications", params=query)
        assert answer.status_code == httpx.codes.OK, answer.text
        page: dict[str, Any] = answer.json()
        return page


@dataclass
class Running(Reader):
    """A running archive, and a bus to emit on."""

    bus: Bus

    @property
    def archive(self) -> Archive:
        archive: Archive = self.app.state.archive
        return archive

    async def emit(self, *events: Event) -> None:
        """Put events on the bus, as other services do."""
        await asyncio.gather(*(self.bus.emit(event) for event in events))

    async def recorded(self, events: Iterable[Event], *, within: float = 30) -> None:
        """Wait until these are in the record, and what follows from them is, too."""
        wanted = list(events)
        ids = {event.id for event in wanted}
        derived = [_derived(event) for event in wanted]

        async def all_there() -> bool:
            if await self.store.events.count_documents({"_id": {"$in": list(ids)}}) != len(ids):
                return False
            places: dict[object, object] = {}
            for collection in (self.store.publications, self.store.receipts):
                async for document in collection.find(
                    {"_id": {"$in": [it["_id"] for it in derived]}}, {"place": 1}
                ):
                    places[document["_id"]] = document["place"]
            return all(str(places.get(it["_id"], "")) >= str(it["place"]) for it in derived)

        await eventually(all_there, within=within)


def _derived(event: Event) -> Document:
    """What an event leaves where it stands."""
    return receipt_document(event) if isinstance(event, DeliveryReported) else publication_document(event)


def http(app: FastAPI) -> httpx.AsyncClient:
    """A client of an app in this process; an exception in it is a 500, as it is in production."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://archive", timeout=30)


@asynccontextmanager
async def run_archive(settings: ArchiveSettings) -> AsyncIterator[Running]:
    """Start an archive, and stop it at the end."""
    app = build(settings)
    bus = Bus(settings)
    async with app.router.lifespan_context(app), http(app) as client:
        archive: Archive = app.state.archive
        await bus.start()
        await asyncio.wait_for(bus.ready(), 30)
        await asyncio.wait_for(archive.bus.ready(), 30)
        try:
            yield Running(app, client, archive.store, bus)
        finally:
            await bus.stop()


@pytest.fixture
def archive_settings(shared_settings: SharedSettings, clean_databases: None) -> ArchiveSettings:
    """Settings of an archive with nothing in it."""
    return settings_from(shared_settings)


@pytest.fixture
async def archive(archive_settings: ArchiveSettings) -> AsyncIterator[Running]:
    """A running archive with nothing in it."""
    async with run_archive(archive_settings) as running:
        yield running


@pytest.fixture
async def store(mongo: Mongo) -> Store:
    """The archive's store alone, with nothing in it."""
    store = Store(mongo.database)
    await store.prepare()
    return store


@pytest.fixture
async def reader(store: Store) -> AsyncIterator[Reader]:
    """The archive's HTTP over that store."""
    app = build(ArchiveSettings(operator_key=SecretStr(OPERATOR_KEY)))
    app.state.reading = Reading(store, "https://archive.example")
    async with http(app) as client:
        yield Reader(app, client, store)


Keep = Callable[..., Awaitable[None]]


@pytest.fixture
def keep(store: Store) -> Keep:
    """Put events into the store, all at once, as the recorder does."""

    async def put(*events: Event) -> None:
        await asyncio.gather(*(store.add(Received(event, event.encode()), now()) for event in events))

    return put
