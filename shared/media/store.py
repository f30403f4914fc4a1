"""The bytes of media files, in the database `media`: read by whoever shows them, written by ingest.

GridFS bucket `files`; a key is a file's name there. That of an original is its SHA-256 in hex, that of a
rendition begins with it. A file appears under its name when it is whole, and never changes from then on.
"""

from collections.abc import AsyncIterator
from contextlib import suppress

from gridfs.errors import FileExists, NoFile
from motor.motor_asyncio import AsyncIOMotorGridFSBucket

from shared.bus import Later
from shared.mongo import Mongo, store_failures

CHUNK = 1024 * 1024
"""Bytes that are read, and held in memory, at a time."""


class MediaMissing(Later):
    """The store hasn't got it: not made yet, or lost."""


class MediaStore:
    """One process's access to the media files."""

    def __init__(self, url: str, *, database: str = "media") -> None:
        self.mongo = Mongo(url, database)
        self._bucket = AsyncIOMotorGridFSBucket(
            self.mongo.database, bucket_name="files", chunk_size_bytes=CHUNK
        )

    async def chunks(self, key: str, *, start: int = 0) -> AsyncIterator[bytes]:
        """The bytes from `start` on, at most `CHUNK` at a time.

        Raises `MediaMissing` and `StoreUnavailable`.
        """
        with store_failures():
            try:
                file = await self._bucket.open_download_stream_by_name(key)
            except NoFile as error:
                raise MediaMissing("Файл ще готується.", after=5) from error
            if start:
                file.seek(start)
            while True:
                block: bytes = await file.read(CHUNK)
                if not block:
                    return
                yield block

    async def read(self, key: str) -> bytes:
        """All of it: for photographs and documents, not for videos. Raises as `chunks` does."""
        return b"".join([block async for block in self.chunks(key)])

    async def has(self, key: str) -> bool:
        """Whether it is there, whole."""
        with store_failures():
            found = await self.mongo.database["files.files"].find_one({"filename": key}, {"_id": True})
        return found is not None

    async def write(self, key: str, blocks: AsyncIterator[bytes]) -> None:
        """Keep it under `key`; does nothing where it is there already."""
        if await self.has(key):
            return
        with store_failures():
            file = self._bucket.open_upload_stream(key)
            try:
                async for block in blocks:
                    await file.write(block)
                await file.close()
            except FileExists:
                # Another writer of the same content was faster; the unique index on the name tells.
                await file.abort()
            except BaseException:
                await file.abort()
                raise

    async def delete(self, key: str) -> None:
        """Remove it; does nothing where it isn't there."""
        with store_failures():
            found = await self.mongo.database["files.files"].find_one({"filename": key}, {"_id": True})
            if found is not None:
                with suppress(NoFile):
                    await self._bucket.delete(found["_id"])

    async def prepare(self) -> None:
        """Make the index that keeps a key from being stored twice."""
        with store_failures():
            await self.mongo.database["files.files"].create_index("filename", unique=True)

    def close(self) -> None:
        """Close the connections."""
        self.mongo.close()
