"""The channel on a real database, with the stand-in for Viber behind it, called as the worker calls it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from uuid import UUID

from pydantic import JsonValue
from pydantic_settings import BaseSettings

from services.publisher.channels.interface import Posted, SectionT, Settlement
from services.publisher.channels.viber import ViberChannel, ViberSection, open_channel
from shared.media import MediaStore
from shared.mongo import Database
from shared.publication import Publication
from shared.settings import SharedSettings
from tests.platforms.platform import run
from tests.platforms.viber import ViberPlatform
from tests.services.publisher.stands.viber import section_for

PAGE = "https://rada.example/publications/mist/"


class Memory:
    """A call: the channel keeps its own record."""

    remembered: Mapping[str, JsonValue] = {}

    async def remember(self, **facts: JsonValue) -> None:
        raise AssertionError(facts)


@dataclass
class Around:
    """What the publisher offers."""

    settings: SharedSettings
    database: Database
    media: MediaStore
    given: ViberSection
    page: str | None = PAGE
    alerts: list[tuple[str, str]] = field(default_factory=list)

    def section(self, model: type[SectionT]) -> SectionT:
        given: BaseSettings = self.given
        assert isinstance(given, model)
        return given

    def page_url(self, channel: str, path: str) -> str:
        raise AssertionError((channel, path))

    async def posted(self, publication_id: UUID, channel: str) -> Posted | None:
        del publication_id
        return Posted(url=self.page) if channel == "site" and self.page else None

    async def settle(self, channel: str, publication_id: UUID, settlement: Settlement) -> None:
        raise AssertionError((channel, publication_id, settlement))

    async def mail(self, message: EmailMessage) -> None:
        raise AssertionError(message)

    async def alert(self, subject: str, text: str) -> None:
        self.alerts.append((subject, text))


@dataclass
class Viber:
    """One channel of the city, and the channel in front of it."""

    channel: ViberChannel
    platform: ViberPlatform
    around: Around

    async def publish(self, of: Publication) -> Posted:
        return await self.channel.publish(of, Memory())

    async def update(self, of: Publication, posted: Posted) -> Posted:
        return await self.channel.update(of, posted, Memory())

    async def withdraw(self, of: Publication, posted: Posted | None) -> Posted | None:
        return await self.channel.withdraw(of, posted, Memory())

    def texts(self) -> list[str]:
        return [shown.text for shown in self.platform.shown()]


@asynccontextmanager
async def opened(settings: SharedSettings, database: Database, **fields: object) -> AsyncIterator[Viber]:
    """A process with the channel, not made ready."""
    platform = ViberPlatform()
    running = await run(platform)
    media = MediaStore(settings.mongo_url.get_secret_value())
    around = Around(settings, database, media, section_for(running.url, **fields))
    channel = open_channel(around)
    try:
        yield Viber(channel, platform, around)
    finally:
        await channel.close()
        media.close()
        await running.stop()
