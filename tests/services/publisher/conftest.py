"""A publisher on real servers, and what it reports."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import JsonValue

from services.publisher.app import Publisher
from services.publisher.channels.site.settings import SiteSection
from services.publisher.settings import PublisherSettings
from shared.bus import ARCHIVE_RECORD, Bus, channel_queue
from shared.events import DeliveryReported, PublicationEvent, decode
from shared.mongo import Mongo
from shared.publication import Publication
from shared.settings import SharedSettings
from tests.rabbit import channel, depth, empty_queues
from tests.services.publisher.board import Board, module_of
from tests.waiting import eventually

SITE_URL = "https://rada.example"


@pytest.fixture
def site_section(site_root: Path) -> SiteSection:
    return SiteSection(root=site_root, name="Луцька міська рада")


@pytest.fixture
def publisher_settings(shared_settings: SharedSettings, clean_databases: None) -> PublisherSettings:
    return PublisherSettings(**(shared_settings.model_dump() | {"site_url": SITE_URL}))


Start = Callable[[], Awaitable[Publisher]]


@pytest.fixture
async def start(publisher_settings: PublisherSettings, site_section: SiteSection) -> AsyncIterator[Start]:
    """Start a publisher; it stops with the test."""
    async with AsyncExitStack() as stack:

        async def run() -> Publisher:
            publisher = Publisher(publisher_settings, [site_section])
            await publisher.start()
            stack.push_async_callback(publisher.stop)
            await asyncio.wait_for(publisher.bus.ready(), 20)
            return publisher

        yield run


class Desk:
    """Sends events as ingest would, and hears the reports as the archive would."""

    def __init__(self, settings: SharedSettings) -> None:
        self._settings = settings
        self._bus = Bus(settings)
        self.reports: list[DeliveryReported] = []

    async def emit(self, *events: PublicationEvent) -> None:
        await asyncio.gather(*(self._bus.emit(event) for event in events))

    async def reported(self, count: int, *, within: float = 60) -> list[DeliveryReported]:
        """Wait for so many reports in all, redeliveries counted."""

        async def enough() -> bool:
            await self._hear()
            return len(self.reports) >= count

        await eventually(enough, within=within)
        assert len(self.reports) == count, [report.data for report in self.reports]
        return self.reports

    async def report_of(self, event: PublicationEvent, *, within: float = 60) -> DeliveryReported:
        """Wait for the last report about one fact."""

        async def found() -> DeliveryReported | None:
            await self._hear()
            about = [
                report
                for report in self.reports
                if report.subject == event.subject and report.rank == event.rank and report.data.outcome.final
            ]
            return about[-1] if about else None

        return await eventually(found, within=within)

    async def heard(self) -> list[DeliveryReported]:
        """All reports so far."""
        await self._hear()
        return self.reports

    async def standing(self, publication: Publication) -> str:
        """What the site's database says of a publication."""
        mongo = Mongo(self._settings.mongo_url.get_secret_value(), "publisher")
        document = await mongo.database["pages"].find_one({"_id": publication.id})
        mongo.close()
        assert document is not None
        stored = Publication.model_validate_json(str(document["publication"]))
        return f"{document['standing']} at revision {stored.revision}"

    async def idle(self, name: str = "site") -> None:
        """Wait until a channel has nothing left to do."""

        async def nothing_left() -> bool:
            mongo = Mongo(self._settings.mongo_url.get_secret_value(), "publisher")
            held = await mongo.database["ledger"].count_documents({"lease": {"$exists": True}})
            mongo.close()
            return held == 0 and await depth(self._settings, channel_queue(name)) == 0

        await eventually(nothing_left)

    async def _hear(self) -> None:
        async with channel(self._settings) as opened:
            queue = await opened.get_queue(ARCHIVE_RECORD)
            while (message := await queue.get(fail=False)) is not None:
                event = decode(message.body)
                if isinstance(event, DeliveryReported):
                    self.reports.append(event)
                await message.ack()


class Memory:
    """A call that is made for the first time."""

    remembered: ClassVar[dict[str, JsonValue]] = {}

    async def remember(self, **facts: JsonValue) -> None:
        raise AssertionError("the site remembers nothing")


@asynccontextmanager
async def opened_desk(settings: SharedSettings) -> AsyncIterator[Desk]:
    desk = Desk(settings)
    await desk._bus.start()
    await asyncio.wait_for(desk._bus.ready(), 20)
    try:
        yield desk
    finally:
        await desk._bus.stop()


@pytest.fixture
async def desk(publisher_settings: PublisherSettings) -> AsyncIterator[Desk]:
    async with opened_desk(publisher_settings) as opened:
        yield opened


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Board:
    """The board, found by its name like any channel."""
    board = Board()
    monkeypatch.setitem(sys.modules, "services.publisher.channels.board", module_of(board))
    return board


@pytest.fixture
async def settings(publisher_settings: PublisherSettings, board: Board) -> PublisherSettings:
    settings = publisher_settings.model_copy(update={"channels": ("site", "board")})
    await empty_queues(settings)
    return settings


@pytest.fixture
async def publisher(settings: PublisherSettings, site_section: SiteSection) -> AsyncIterator[Publisher]:
    publisher = Publisher(settings, [site_section], lease=timedelta(seconds=1))
    await publisher.start()
    await asyncio.wait_for(publisher.ready(), 20)
    yield publisher
    await publisher.stop()


@pytest.fixture
async def reports(settings: PublisherSettings, publisher: Publisher) -> AsyncIterator[Desk]:
    async with opened_desk(settings) as opened:
        yield opened
