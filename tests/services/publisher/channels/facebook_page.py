"""The channel on a real database, with the stand-in for Facebook behind it, called as the worker calls it."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from io import BytesIO
from uuid import UUID

from PIL import Image
from pydantic import JsonValue
from pydantic_settings import BaseSettings

from services.publisher.channels.facebook import FacebookChannel, FacebookSection, open_channel
from services.publisher.channels.interface import Posted, SectionT, Settlement
from shared.events import new_id
from shared.media import ImageFormat, MediaStore, rendition_key
from shared.mongo import Database
from shared.publication import MediaFile, Publication
from shared.settings import SharedSettings
from shared.vocabulary import MediaForm
from tests.platforms.facebook import FacebookPlatform
from tests.platforms.platform import run
from tests.services.publisher.stands.facebook import section_for

SITE = "https://rada.example/publications"


class Memory:
    """A call that remembers in the test's process."""

    def __init__(self) -> None:
        self.remembered: Mapping[str, JsonValue] = {}

    async def remember(self, **facts: JsonValue) -> None:
        self.remembered = {**self.remembered, **facts}


@dataclass
class Around:
    """What the publisher offers: real stores, and a site that may be late."""

    settings: SharedSettings
    database: Database
    media: MediaStore
    given: FacebookSection
    on_site: bool = True
    settled: list[tuple[UUID, Settlement]] = field(default_factory=list)

    def section(self, model: type[SectionT]) -> SectionT:
        given: BaseSettings = self.given
        assert isinstance(given, model)
        return given

    def page_url(self, channel: str, path: str) -> str:
        return f"http://127.0.0.1:8005/channels/{channel}{path}"

    async def posted(self, publication_id: UUID, channel: str) -> Posted | None:
        return Posted(url=f"{SITE}/{publication_id}/") if channel == "site" and self.on_site else None

    async def settle(self, channel: str, publication_id: UUID, settlement: Settlement) -> None:
        assert channel == "facebook"
        self.settled.append((publication_id, settlement))

    async def mail(self, message: EmailMessage) -> None:
        raise AssertionError(message)

    async def alert(self, subject: str, text: str) -> None:
        raise AssertionError((subject, text))


@dataclass
class Page:
    """One page and the channel in front of it."""

    channel: FacebookChannel
    platform: FacebookPlatform
    around: Around

    def texts(self) -> list[str]:
        return [shown.text for shown in self.platform.shown()]

    async def photo(self, colour: str = "red", **fields: object) -> MediaFile:
        """A photograph, its rendition in the store."""
        buffer = BytesIO()
        Image.new("RGB", (640, 480), colour).save(buffer, "JPEG")
        given: dict[str, object] = {
            "id": new_id(),
            "form": MediaForm.PHOTO,
            "media_type": "image/jpeg",
            "sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
            "size": len(buffer.getvalue()),
            "width": 640,
            "height": 480,
            "alt": f"Колір {colour}",
        }
        file = MediaFile.model_validate(given | fields)
        await kept(
            self.around.media, rendition_key(file, width=2560, format=ImageFormat.JPEG), buffer.getvalue()
        )
        return file

    async def video(self, size: int, **fields: object) -> MediaFile:
        """A video in the store."""
        content = hashlib.shake_256(b"video").digest(size)
        digest = hashlib.sha256(content).hexdigest()
        given: dict[str, object] = {
            "id": new_id(),
            "form": MediaForm.VIDEO,
            "media_type": "video/mp4",
            "sha256": digest,
            "size": size,
            "name": "sesiia.mp4",
        }
        await kept(self.around.media, digest, content)
        return MediaFile.model_validate(given | fields)

    async def publish(self, of: Publication, call: Memory | None = None) -> Posted:
        return await self.channel.publish(of, call or Memory())

    async def update(self, of: Publication, posted: Posted) -> Posted:
        return await self.channel.update(of, posted, Memory())

    async def withdraw(self, of: Publication, posted: Posted | None) -> None:
        assert await self.channel.withdraw(of, posted, Memory()) is None


async def kept(store: MediaStore, key: str, content: bytes) -> None:
    """Keep it in the media store."""

    async def blocks() -> AsyncIterator[bytes]:
        yield content

    await store.prepare()
    await store.write(key, blocks())


@asynccontextmanager
async def opened(
    settings: SharedSettings, database: Database, platform: FacebookPlatform, **fields: object
) -> AsyncIterator[Page]:
    """A process with the channel, made ready."""
    running = await run(platform)
    media = MediaStore(settings.mongo_url.get_secret_value())
    around = Around(settings, database, media, section_for(running.url, **fields))
    channel = open_channel(around)
    try:
        await channel.prepare()
        platform.calls.clear()
        yield Page(channel, platform, around)
    finally:
        await channel.close()
        media.close()
        await running.stop()
