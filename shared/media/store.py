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

from bson import Binary, ObjectId
from gridfs.errors import CorruptGridFile, NoFile
from motor.motor_asyncio import AsyncIOMotorGridFSBucket
from pymongo.errors import DuplicateKeyError, PyMongoError

from shared.bus import Later
from shared.mongo import Mongo, StoreUnavailable, store_failures

CHUNK = 1024 * 1024
"""Bytes that are read, and held in memory, at a time."""
_CHUNKS_ASKED_FOR = 2
STILL_WRITING = timedelta(minutes=30)
"""After which a write that said nothing of itself is taken for dead."""
_AT_ONCE = 4
"""Chunks that are sent together."""


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
            try:
                length = await self._write_chunks(id, blocks)
                await self._still_writing(id)
                # GridFS's own order: the file's document last, so that nobody reads half of it.
                await self._files.insert_one(
                    {
                        "_id": id,
                        "filename": key,
                        "length": length,
                        "chunkSize": CHUNK,
                        "uploadDate": datetime.now(UTC),
                    }
                )
            except DuplicateKeyError:
                # Another writer of the same content was faster; the unique index on the name tells.
                await self._chunks.delete_many({"files_id": id})
            except BaseException:
                # Where even this fails, the sweep finds it.
                with suppress(PyMongoError):
                    await self._chunks.delete_many({"files_id": id})
                raise
            await self._writing.delete_one({"_id": id})

    async def _write_chunks(self, id: ObjectId, blocks: AsyncIterator[bytes]) -> int:
        """Write the chunks; return how many bytes they are.

        Not by the driver's GridFS writer: that holds 48 MB before it sends anything, several times over.
        """
        number = length = 0
        async for group in _grouped(blocks):
            await self._still_writing(id)
            await self._chunks.insert_many(
                [{"files_id": id, "n": number + n, "data": Binary(chunk)} for n, chunk in enumerate(group)]
            )
            number += len(group)
            length += sum(len(chunk) for chunk in group)
        return length

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
        """Make the indexes: the one that keeps a key from being stored twice, and GridFS's own."""
        with store_failures():
            await self._files.create_index("filename", unique=True)
            await self._chunks.create_index([("files_id", 1), ("n", 1)], unique=True)

    def close(self) -> None:
        """Close the connections."""
        self.mongo.close()


async def _grouped(blocks: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """The same bytes in chunks, all but the last of `CHUNK`, a few at a time."""
    group: list[bytes] = []
    left = bytearray()
    async for block in blocks:
        left += block
        while len(left) >= CHUNK:
            group.append(bytes(left[:CHUNK]))
            del left[:CHUNK]
            if len(group) == _AT_ONCE:
                yield group
                group = []
    if left:
        group.append(bytes(left))
    if group:
        yield group
