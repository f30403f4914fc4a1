"""Ingest running in the test's own loop, on the session's servers."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from services.ingest.app import Ingest, build
from services.ingest.keys import Register
from services.ingest.media.settings import MediaSettings
from services.ingest.settings import IngestSettings
from shared.bus import ARCHIVE_RECORD
from shared.events import DeliveryReported, PublicationEvent, decode
from shared.mongo import Mongo
from shared.publication import Department
from shared.settings import SharedSettings
from tests.media import files_for
from tests.rabbit import take
from tests.samples import TRANSPORT, submission

EDUCATION = Department(id="education", name="Управління освіти")


@dataclass
class Running:
    """A running ingest, and a client of its HTTP with the transport department's key."""

    app: FastAPI
    settings: IngestSettings
    client: httpx.AsyncClient

    @property
    def ingest(self) -> Ingest:
        ingest: Ingest = self.app.state.ingest
        return ingest

    async def submit(self, kind: str = "news", /, **fields: Any) -> dict[str, Any]:
        """Hand in a publication that is taken; return the answer."""
        if "media" not in fields:
            fields["media"] = await files_for(kind, self.client)
        return accepted(await self.client.post("/v1/publications", json=submission(kind, **fields)))

    async def revise(self, id: str, seen: int, /, **fields: Any) -> httpx.Response:
        """Send the next revision of a publication, having seen this one."""
        return await self.client.put(
            f"/v1/publications/{id}", json=revision(**fields), headers={"If-Match": f'"{seen}"'}
        )

    async def withdraw(self, id: str, reason: str = "Дані не підтвердилися.") -> httpx.Response:
        """Ask to take it back."""
        return await self.client.post(f"/v1/publications/{id}/withdrawal", json={"reason": reason})


def revision(kind: str = "news", **fields: Any) -> dict[str, Any]:
    """The body of a revision that is taken as it is."""
    return submission(kind, **{"change": {"significance": "minor", "note": "Уточнено час."}, **fields})


def accepted(answer: httpx.Response) -> dict[str, Any]:
    """The body of a 202."""
    assert answer.status_code == 202, answer.text
    body: dict[str, Any] = answer.json()
    return body


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The body of a refusal with this status, which must be problem details."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert {"type", "title", "detail", "instance"} <= body.keys()
    return body


def rank(event: PublicationEvent) -> int:
    """What events of one publication are sorted by."""
    return event.rank


@dataclass
class Heard:
    """What the archive's queue was given: every fact of every publication comes there."""

    settings: SharedSettings
    events: list[PublicationEvent]

    async def more(self) -> list[PublicationEvent]:
        """Take what is in the queue now; return all that was ever heard."""
        while (message := await take(self.settings, ARCHIVE_RECORD)) is not None:
            event = decode(message.body)
            assert message.message_id == str(event.id)
            assert message.routing_key == event.routing_key
            assert not isinstance(event, DeliveryReported)
            self.events.append(event)
        return self.events

    async def of(self, id: str) -> list[tuple[str, int]]:
        """Fact and revision of what was heard of a publication, each event once, by rank.

        The bus promises no order: what was left over may come after what was accepted later.
        """
        events = {event.id: event for event in await self.more() if event.subject == UUID(id)}
        return [(str(event.fact), event.data.revision) for event in sorted(events.values(), key=rank)]

    async def latest(self, id: str) -> PublicationEvent:
        """The event of a publication that stands in the end."""
        return max((event for event in await self.more() if event.subject == UUID(id)), key=rank)

    def times(self) -> Counter[UUID]:
        """How often each event was heard."""
        return Counter(event.id for event in self.events)


@asynccontextmanager
async def run_ingest(
    settings: IngestSettings, key: str, media: MediaSettings | None = None
) -> AsyncIterator[Running]:
    """Start an ingest, and stop it at the end."""
    app = build(settings, media)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://ingest", headers=headers
        ) as client:
            yield Running(app, settings, client)


@pytest.fixture
def settings(shared_settings: SharedSettings, clean_databases: None) -> IngestSettings:
    """Settings of an ingest with nothing in it, and no limit that a test meets."""
    return settings_from(shared_settings)


@pytest.fixture
def desk_settings(amqp_url: str, mongo_url: str, clean_databases: None) -> IngestSettings:
    """The same, on queues that nobody looks into."""
    return settings_from(SharedSettings(amqp_url=SecretStr(amqp_url), mongo_url=SecretStr(mongo_url)))


def settings_from(shared: SharedSettings, **own: Any) -> IngestSettings:
    """Ingest's settings on these servers."""
    given = {
        "amqp_url": shared.amqp_url,
        "mongo_url": shared.mongo_url,
        "retry_ladder": shared.retry_ladder,
        "archive_url": "https://archive.example/",
        "rate_limit": "100000/minute",
    }
    return IngestSettings.model_validate(given | own)


@pytest.fixture
async def register(mongo_url: str, clean_databases: None) -> AsyncIterator[Register]:
    """The register of two departments, transport and education."""
    mongo = Mongo(mongo_url, "ingest")
    register = Register(mongo.database)
    await register.prepare()
    await register.add_department(TRANSPORT, "structural_unit")
    await register.add_department(EDUCATION, "structural_unit")
    yield register
    mongo.close()


@pytest.fixture
async def key(register: Register) -> str:
    """A key of the transport department."""
    return await register.make_key(TRANSPORT.id, "tests")


@pytest.fixture
async def ingest(settings: IngestSettings, key: str) -> AsyncIterator[Running]:
    """A running ingest that is connected to the bus."""
    async with run_ingest(settings, key) as running:
        await asyncio.wait_for(running.ingest.bus.ready(), 30)
        yield running


@pytest.fixture
async def desk(desk_settings: IngestSettings, key: str) -> AsyncIterator[Running]:
    """A running ingest to ask what can be seen in its answers alone."""
    async with run_ingest(desk_settings, key) as running:
        await asyncio.wait_for(running.ingest.bus.ready(), 30)
        yield running


@pytest.fixture
def heard(settings: IngestSettings) -> Heard:
    """What comes to the archive's queue."""
    return Heard(settings, [])


@pytest.fixture
async def three(settings: IngestSettings, key: str) -> AsyncIterator[list[Running]]:
    """Three ingests on the same servers."""
    async with AsyncExitStack() as stack:
        running = [await stack.enter_async_context(run_ingest(settings, key)) for _ in range(3)]
        await asyncio.gather(*(asyncio.wait_for(each.ingest.bus.ready(), 30) for each in running))
        yield running
