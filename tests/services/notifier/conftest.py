"""The notifier in the test's own loop, on real servers, with a mail server that does as it is told."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from services.notifier.app import Notifier, build
from services.notifier.outlets import Outlet
from services.notifier.settings import Settings
from shared.bus import ARCHIVE_RECORD, Bus
from shared.events import Delivery, DeliveryReported, PublicationEvent, decode
from shared.settings import SharedSettings
from tests.rabbit import channel
from tests.smtp import MailServer, mail_server
from tests.waiting import eventually


def journalist(address: str, **fields: Any) -> dict[str, Any]:
    """One who gets everything at once; `mode` and filters among `fields` are the subscription's."""
    subscription = {
        key: fields.pop(key)
        for key in ("kinds", "topics", "departments", "urgencies", "mode")
        if key in fields
    }
    given: dict[str, Any] = {
        "name": "Ірина Коваль",
        "address": address,
        "subscriptions": [subscription],
    }
    return given | fields


def outlet(id: str, *journalists: dict[str, Any], **fields: Any) -> Outlet:
    return Outlet.model_validate({"id": id, "name": f"ТРК «{id}»", "journalists": journalists} | fields)


@dataclass
class Receipts:
    """What the archive would have heard: every delivery event, by target."""

    settings: Settings
    heard: list[DeliveryReported] = field(default_factory=list)

    async def collect(self) -> None:
        """Take what the archive's queue holds."""
        async with channel(self.settings) as opened:
            queue = await opened.get_queue(ARCHIVE_RECORD)
            while (message := await queue.get(fail=False)) is not None:
                event = decode(message.body)
                if isinstance(event, DeliveryReported):
                    self.heard.append(event)
                await message.ack()

    async def final(self, of: PublicationEvent, target: str = "mail") -> Delivery:
        """The final report about this fact, once it is there."""

        async def look() -> Delivery | None:
            await self.collect()
            found = [
                event.data
                for event in self.heard
                if event.data.publication_id == of.data.id
                and event.data.target == target
                and event.data.rank == of.rank
                and event.data.outcome.final
            ]
            return found[-1] if found else None

        return await eventually(look)

    def outcomes(self, target: str = "mail") -> list[str]:
        return [event.data.outcome for event in self.heard if event.data.target == target]


@pytest.fixture
async def smtp() -> AsyncIterator[MailServer]:
    async with mail_server() as server:
        yield server


@pytest.fixture
def settings(shared_settings: SharedSettings, clean_databases: None, smtp: MailServer) -> Settings:
    return Settings(**shared_settings.model_dump(), smtp_port=smtp.port, smtp_timeout=5)


@pytest.fixture
def receipts(settings: Settings) -> Receipts:
    return Receipts(settings)


@pytest.fixture
async def notifier(settings: Settings) -> AsyncIterator[Notifier]:
    """A notifier that consumes; its digest loop runs too, on the real clock."""
    async with running(settings) as started:
        yield started


class running:  # noqa: N801  # reads as a context manager
    """A notifier for as long as the block lasts."""

    def __init__(self, settings: Settings) -> None:
        self._app = build(settings)

    async def __aenter__(self) -> Notifier:
        notifier: Notifier = self._app.state.notifier
        self._lifespan = self._app.router.lifespan_context(self._app)
        await self._lifespan.__aenter__()
        await asyncio.wait_for(notifier.bus.ready(), 30)
        return notifier

    async def __aexit__(self, *error: object) -> None:
        await self._lifespan.__aexit__(None, None, None)


@pytest.fixture
async def bus(shared_settings: SharedSettings) -> AsyncIterator[Bus]:
    """A bus to emit facts with."""
    publisher = Bus(shared_settings)
    await publisher.start()
    await asyncio.wait_for(publisher.ready(), 30)
    yield publisher
    await publisher.stop()
