"""The channel on a real database, with the stand-in for Telegram behind it, called as the worker calls it."""

import hashlib
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any
from uuid import UUID

from PIL import Image
from pydantic import JsonValue
from pydantic_settings import BaseSettings

from services.publisher.channels.interface import Posted, SectionT, Settlement
from services.publisher.channels.telegram import TelegramChannel, TelegramSection, open_channel
from shared.events import new_id
from shared.media import ImageFormat, MediaStore, poster_key, rendition_key
from shared.mongo import Database
from shared.publication import MediaFile, Publication
from shared.settings import SharedSettings
from shared.vocabulary import MediaForm
from tests.platforms.platform import run
from tests.platforms.telegram import TelegramPlatform
from tests.samples import publication
from tests.services.publisher.stands.telegram import section_for

PAGE = "https://rada.example/publications/mist"
LONG = "Речення про ремонт мосту та об’їзд. " * 200


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
    given: TelegramSection

    def section(self, model: type[SectionT]) -> SectionT:
        given: BaseSettings = self.given
        assert isinstance(given, model)
        return given

    def page_url(self, channel: str, path: str) -> str:
        raise AssertionError((channel, path))

    async def posted(self, publication_id: UUID, channel: str) -> Posted | None:
        del publication_id
        return Posted(url=PAGE) if channel == "site" else None

    async def settle(self, channel: str, publication_id: UUID, settlement: Settlement) -> None:
        raise AssertionError((channel, publication_id, settlement))

    async def mail(self, message: EmailMessage) -> None:
        raise AssertionError(message)

    async def alert(self, subject: str, text: str) -> None:
        raise AssertionError((subject, text))


class TelegramChat:
    """One chat and the channel in front of it."""

    def __init__(self, channel: TelegramChannel, platform: TelegramPlatform, around: Around) -> None:
        self.channel = channel
        self.platform = platform
        self.around = around

    async def keep(self, key: str, content: bytes) -> None:
        async def blocks() -> AsyncIterator[bytes]:
            for start in range(0, len(content), 1 << 20):
                yield content[start : start + (1 << 20)]

        await self.around.media.prepare()
        await self.around.media.write(key, blocks())

    async def photos(self, *names: str) -> tuple[MediaFile, ...]:
        """Photographs in the media store, told apart by their descriptions."""
        found = []
        for name in names:
            digest = hashlib.sha256(name.encode()).hexdigest()
            photo = MediaFile(
                id=new_id(),
                form=MediaForm.PHOTO,
                media_type="image/jpeg",
                sha256=digest,
                size=1000,
                width=800,
                height=600,
                alt=name,
            )
            await self.keep(
                rendition_key(photo, width=1600, format=ImageFormat.JPEG), picture(int(digest[:6], 16))
            )
            found.append(photo)
        return tuple(found)

    async def file(self, form: MediaForm, content: bytes, **fields: object) -> MediaFile:
        digest = hashlib.sha256(content).hexdigest()
        await self.keep(digest, content)
        types = {MediaForm.VIDEO: "video/mp4", MediaForm.DOCUMENT: "application/pdf"}
        given = {"media_type": types[form], "sha256": digest, "size": len(content), "name": "файл"}
        file = MediaFile.model_validate({"id": new_id(), "form": form, **given, **fields})
        if file.poster:
            await self.keep(poster_key(file), picture(1))
        return file

    def of(self, *media: MediaFile, **content: Any) -> Publication:
        """A publication with these files."""
        content["media"] = [file.id for file in media]
        return publication(targets=("telegram",), media=media, content=content)

    async def publish(self, of: Publication) -> Posted:
        return await self.channel.publish(of, Memory())

    async def update(self, of: Publication, posted: Posted) -> Posted:
        return await self.channel.update(of, posted, Memory())

    async def withdraw(self, of: Publication, posted: Posted | None) -> Posted | None:
        return await self.channel.withdraw(of, posted, Memory())

    def texts(self) -> list[str]:
        return [shown.text for shown in self.platform.shown()]


def picture(colour: int) -> bytes:
    made = io.BytesIO()
    rgb = (colour >> 16 & 255, colour >> 8 & 255, colour & 255)
    Image.new("RGB", (80, 60), rgb).save(made, "JPEG")
    return made.getvalue()


@asynccontextmanager
async def opened(
    settings: SharedSettings, database: Database, **fields: object
) -> AsyncIterator[TelegramChat]:
    """A process with the channel, not made ready."""
    platform = TelegramPlatform()
    running = await run(platform)
    media = MediaStore(settings.mongo_url.get_secret_value())
    around = Around(settings, database, media, section_for(running.url, **fields))
    channel = open_channel(around)
    try:
        yield TelegramChat(channel, platform, around)
    finally:
        await channel.close()
        media.close()
        await running.stop()
