"""YouTube, before the stand-in for the Data API."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from typing import ClassVar

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from services.publisher.channels.youtube.settings import YoutubeSection
from shared.events import new_id
from shared.media import MediaStore
from shared.publication import MediaFile
from shared.vocabulary import MediaForm
from tests.platforms.platform import Fault, Running, run
from tests.platforms.youtube import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, YoutubePlatform
from tests.services.publisher.stands.interface import ChannelStand


def section_for(url: str, **fields: object) -> YoutubeSection:
    """Settings aimed at a stand-in, with hardly any patience."""
    given: dict[str, object] = {
        "client_id": CLIENT_ID,
        "client_secret": SecretStr(CLIENT_SECRET),
        "refresh_token": SecretStr(REFRESH_TOKEN),
        "api_url": url,
        "token_url": f"{url}/token",
        "timeout": 1.0,
        "look_every": 0.1,
        "listing_delay": 0,
        "chunk_mib": 1,
    }
    return YoutubeSection.model_validate(given | fields)


async def kept_video(store: MediaStore, content: bytes) -> MediaFile:
    """A video in the media store."""
    digest = hashlib.sha256(content).hexdigest()

    async def blocks() -> AsyncIterator[bytes]:
        yield content

    await store.prepare()
    await store.write(digest, blocks())
    return MediaFile(
        id=new_id(),
        form=MediaForm.VIDEO,
        media_type="video/mp4",
        sha256=digest,
        size=len(content),
        duration=61.0,
        name="sesiya.mp4",
    )


class Stand(ChannelStand):
    """One account."""

    kind = "video"
    faults: ClassVar[frozenset[Fault]] = frozenset(Fault)

    async def open(self) -> Sequence[BaseSettings]:
        self.platform = YoutubePlatform()
        self._running: Running = await run(self.platform)
        return [section_for(self._running.url)]

    async def close(self) -> None:
        await self._running.stop()

    async def media(self, store: MediaStore) -> tuple[MediaFile, ...]:
        return (await kept_video(store, b"\x00\x00\x00\x18ftypmp42" + bytes(1000)),)

    async def shown(self) -> Sequence[str]:
        return [shown.text for shown in self.platform.shown()]

    def script(self, *faults: Fault) -> None:
        self.platform.faults.extend(faults)
