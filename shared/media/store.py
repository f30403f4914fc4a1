"""The bytes of media files, in the database `media`: read by whoever shows them, written by ingest.

GridFS bucket `files`; a key is a file's name there. That of an original is its SHA-256 in hex, that of a
rendition begins with it. A file appears under its name when it is whole, and never changes from then on.
What is being written stands in the collection `writing`, so that what a crash left over can be found.
"""

import re
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property

from bson import ObjectId
from gridfs.errors import CorruptGridFile, FileExists, NoFile
from motor.motor_asyncio import AsyncIOMotorGridFSBucket
from pymongo.errors import PyMongoError

from shared.bus import Later
from shared.mongo import Mongo, StoreUnavailable, store_failures

CHUNK = 1024 * 1024
"""Bytes that are read, and held in memory, at a time."""
_CHUNKS_ASKED_FOR = 2
STILL_WRITING = timedelta(minutes=30)
"""After which a write that said nothing of itself is taken for dead."""
_SAYS_EVERY = 64
"""Chunks between two words of a writer; the driver sends up to 48 of them at once."""


class MediaMissing(Later):
    """The store hasn't got it: not made yet, or lost."""


class MediaStore:
    """One process's access to the media files."""

    def __init__(self, url: str, *, database: str = "media") -> None:
        self.mongo = Mongo(url, database)
        self._files = self.mongo.database["files.files"]
        self._chunks = self.mongo.database["files.chunks"]
        self._writing = self.mongo.database["writing"]

    @cached_property
    def _bucket(self) -> AsyncIOMotorGridFSBucket:
        # Made on first use: Motor ties a bucket, and its client, to the loop that runs then.
        return AsyncIOMotorGridFSBucket(self.mongo.database, bucket_name="files", chunk_size_bytes=CHUNK)

    async def chunks(self, key: str, *, start: int = 0) -> AsyncIterator[bytes]:
        """The bytes from `start` on, at most `CHUNK` at a time.

        Raises `MediaMissing` and `StoreUnavailable`.
        """
        with store_failures():
            file = await self._files.find_one({"filename": key})
            if file is None:
                raise MediaMissing("Файл ще готується.", after=5)
            # The driver's own reading asks for 16 MB at a time, and has several of them alive at once.
            number, skip = divmod(start, int(str(file["chunkSize"])))
            wanted = {"files_id": file["_id"], "n": {"$gte": number}}
            cursor = self._chunks.find(wanted).sort("n", 1).batch_size(_CHUNKS_ASKED_FOR)
            left = int(str(file["length"])) - start
            try:
                async for document in cursor:
                    block = document["data"]
                    if document["n"] != number or not isinstance(block, bytes):
                        break
                    number, left = number + 1, left - len(block[skip:])
                    yield block[skip:]
                    skip = 0
            finally:
                await cursor.close()
            if left > 0:
                raise CorruptGridFile(f"{key}: chunk {number} is missing")

    async def read(self, key: str) -> bytes:
        """All of it: for photographs and documents, not for videos. Raises as `chunks` does."""
        return b"".join([block async for block in self.chunks(key)])

    async def has(self, key: str) -> bool:
        """Whether it is there, whole."""
        with store_failures():
            found = await self._files.find_one({"filename": key}, {"_id": True})
        return found is not None

    async def write(self, key: str, blocks: AsyncIterator[bytes]) -> None:
        """Keep it under `key`; does nothing where it is there already. Raises `StoreUnavailable`."""
        if await self.has(key):
            return
        id = ObjectId()
        with store_failures():
            await self._writing.insert_one({"_id": id, "key": key, "at": datetime.now(UTC)})
            file = self._bucket.open_upload_stream_with_id(id, key)
            try:
                number = 0
                async for block in blocks:
                    await file.write(block)
                    number += 1
                    if number % _SAYS_EVERY == 0:
                        await self._still_writing(id)
                await self._still_writing(id)
                await file.close()
            except FileExists:
                # Another writer of the same content was faster; the unique index on the name tells.
                await file.abort()
            except BaseException:
                # Where even this fails, the sweep finds it.
                with suppress(PyMongoError):
                    await file.abort()
                raise
            await self._writing.delete_one({"_id": id})

    async def _still_writing(self, id: ObjectId) -> None:
        alive = {"_id": id, "dead": {"$exists": False}}
        result = await self._writing.update_one(alive, {"$set": {"at": datetime.now(UTC)}})
        if result.matched_count == 0:
            raise StoreUnavailable("the write was taken for dead; try again")

    async def delete(self, key: str) -> None:
        """Remove it; does nothing where it isn't there."""
        with store_failures():
            found = await self._files.find_one({"filename": key}, {"_id": True})
            if found is not None:
                with suppress(NoFile):
                    await self._bucket.delete(found["_id"])

    async def delete_all(self, sha256: str) -> None:
        """Remove an original with all that was made of it. Nobody may be writing it meanwhile."""
        with store_failures():
            names = {"filename": {"$regex": f"^{re.escape(sha256)}(/|$)"}}
            for found in await self._files.find(names, {"_id": True}).to_list(None):
                with suppress(NoFile):
                    await self._bucket.delete(found["_id"])

    async def sweep(self, *, dead_for: timedelta = STILL_WRITING) -> int:
        """Remove the chunks that dead writers left behind; return how many of them there were."""
        swept = 0
        with store_failures():
            long_ago = datetime.now(UTC) - dead_for
            for writing in await self._writing.find({"at": {"$lt": long_ago}}).to_list(None):
                id = writing["_id"]
                # Marked first: from then on its writer, should it live, can't make it whole.
                quiet = {"_id": id, "at": {"$lt": long_ago}}
                marked = await self._writing.update_one(quiet, {"$set": {"dead": True}})
                if marked.matched_count == 0:
                    continue
                if await self._files.find_one({"_id": id}) is None:
                    await self._chunks.delete_many({"files_id": id})
                    swept += 1
                await self._writing.delete_one({"_id": id})
        return swept

    async def prepare(self) -> None:
        """Make the index that keeps a key from being stored twice."""
        with store_failures():
            await self._files.create_index("filename", unique=True)

    def close(self) -> None:
        """Close the connections."""
        self.mongo.close()
