"""Files on their way to Telegram: streamed from the media store, never whole in memory."""

import io
from collections.abc import AsyncGenerator
from functools import lru_cache

from aiogram import Bot
from aiogram.types import BufferedInputFile, InputFile
from PIL import Image

from shared.bus import Later
from shared.media import MediaStore
from shared.mongo import StoreUnavailable


class Upload(InputFile):
    """One file of the media store."""

    def __init__(self, store: MediaStore, key: str, name: str) -> None:
        super().__init__(filename=name)
        self._store = store
        self._key = key
        self.failure: Later | StoreUnavailable | None = None
        """Why the file couldn't be read to its end."""

    async def read(self, bot: Bot) -> AsyncGenerator[bytes, None]:  # noqa: ARG002  # aiogram's signature
        self.failure = None
        try:
            async for block in self._store.chunks(self._key):
                yield block
        except (Later, StoreUnavailable) as failure:
            self.failure = failure
            raise


@lru_cache(maxsize=1)
def _grey() -> bytes:
    picture = io.BytesIO()
    Image.new("RGB", (640, 360), (221, 221, 221)).save(picture, "JPEG")
    return picture.getvalue()


def grey_picture() -> InputFile:
    """Stands where a photograph was that can't be taken out of its message."""
    return BufferedInputFile(_grey(), "vyluceno.jpg")


def note_file(text: str) -> InputFile:
    """Stands where a document was that can't be taken out of its message."""
    return BufferedInputFile(text.encode(), "vidklykano.txt")
