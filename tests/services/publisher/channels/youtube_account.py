"""The channel on a real database, with the stand-in for YouTube behind it, called as the worker calls it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from uuid import UUID

from pydantic import JsonValue
from pydantic_settings import BaseSettings

from services.publisher.channels.interface import Posted, SectionT, Settlement
from services.publisher.channels.youtube import YoutubeChannel, YoutubeSection, open_channel
from services.publisher.channels.youtube.records import Record, Records
from shared.media import MediaStore
from shared.mongo import Database
from shared.publication import MediaFile, Publication
from shared.settings import SharedSettings
from tests.platforms.platform import Running
from tests.platforms.youtube import YoutubePlatform
from tests.samples import publication
from tests.services.publisher.stands.youtube import kept_video, section_for

PAGE = "https://rada.example/publications/sesiia"


class Memory:
    """A call that remembers in the test's process."""

    def __init__(self) -> None:
        self.remembered: Mapping[str, JsonValue] = {}

    async def remember(self, **facts: JsonValue) -> None:
        self.remembered = {**self.remembered, **facts}


@dataclass
class Around:
    """What the publisher offers: real stores, and what the channel told it."""

    settings: SharedSettings
    database: Database
    media: MediaStore
    given: YoutubeSection
    settled: list[tuple[UUID, Settlement]] = field(default_factory=list)

    def section(self, model: type[SectionT]) -> SectionT:
        given: BaseSettings = self.given
        assert isinstance(given, model)
        return given

    def page_url(self, channel: str, path: str) -> str:
        return f"http://127.0.0.1:8005/channels/{channel}{path}"

    async def posted(self, publication_id: UUID, channel: str) -> Posted | None:
        del publication_id
        return Posted(url=PAGE) if channel == "site" else None

    async def settle(self, channel: str, publication_id: UUID, settlement: Settlement) -> None:
        assert channel == "youtube"
        self.settled.append((publication_id, settlement))

    async def mail(self, message: EmailMessage) -> None:
        raise AssertionError(message)

    async def alert(self, subject: str, text: str) -> None:
        raise AssertionError((subject, text))


class Account:
    """One account and the channel in front of it."""

    def __init__(self, channel: YoutubeChannel, platform: YoutubePlatform, around: Around) -> None:
        self.channel = channel
        self.platform = platform
        self.around = around

    async def video(self, size: int = 1000, *, of: bytes = b"a", **fields: object) -> Publication:
        """A publication with a video of so many bytes, not on the channel yet."""
        file = await kept_video(self.around.media, of * size)
        return publication("video", targets=("youtube",), media=(file, *self.extra(fields)), **fields)

    def extra(self, fields: dict[str, object]) -> tuple[MediaFile, ...]:
        given = fields.pop("beside", ())
        assert isinstance(given, tuple)
        return given

    async def publish(self, of: Publication) -> Posted:
        return await self.channel.publish(of, Memory())

    async def update(self, of: Publication, posted: Posted) -> Posted:
        return await self.channel.update(of, posted, Memory())

    async def withdraw(self, of: Publication, posted: Posted | None) -> None:
        assert await self.channel.withdraw(of, posted, Memory()) is None

    async def record(self, of: Publication) -> Record:
        return await Records(self.around.database).get(of.id)

    def texts(self) -> list[str]:
        return [shown.text for shown in self.platform.shown()]


@asynccontextmanager
async def opened(
    settings: SharedSettings, database: Database, world: Running, **fields: object
) -> AsyncIterator[Account]:
    """A process with the channel, not made ready."""
    platform = world.platform
    assert isinstance(platform, YoutubePlatform)
    media = MediaStore(settings.mongo_url.get_secret_value())
    around = Around(settings, database, media, section_for(world.url, **fields))
    channel = open_channel(around)
    try:
        yield Account(channel, platform, around)
    finally:
        await channel.close()
        media.close()
