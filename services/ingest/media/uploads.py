"""Resumable uploads as they are kept, in ingest's own database: any process can go on with one.

`uploads`: {_id, department, length, offset, parts, metadata, description, created_at, expires_at, whole,
lease_until, media, refusal}; `uploads.parts`: {_id, upload, at, data}. A part counts once its id stands in
`parts`, which moves together with `offset`: a killed process leaves what it had confirmed.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from bson import Binary, ObjectId
from pydantic import BaseModel, Field
from pymongo import ASCENDING, IndexModel

from services.ingest.media.description import Description
from shared.events import new_id, now
from shared.mongo import Database, Document, store_failures
from shared.publication import Department, MediaFile

PART = 4 * 1024 * 1024
"""Bytes: what is held in memory, and what a killed process may lose."""
LIFE = timedelta(days=14)
"""After which an upload ends, finished or not; stray parts go a day later."""
LEASE = timedelta(minutes=2)
"""How long a whole upload is left to whoever looks at it; it says every quarter of it that it still does."""


class Refusal(BaseModel):
    """Why a whole upload was not taken: the problem, to be told again."""

    status: int
    name: str
    detail: str
    more: dict[str, Any]


class Upload(BaseModel):
    """A resumable upload."""

    id: UUID = Field(validation_alias="_id")
    department: Department
    length: int
    offset: int
    metadata: str
    description: Description
    expires_at: datetime
    whole: bool
    media: MediaFile | None = None
    refusal: Refusal | None = None

    @property
    def open(self) -> bool:
        """Whether it waits for bytes."""
        return not self.whole and self.refusal is None


class Uploads:
    """The uploads, and their parts."""

    def __init__(self, database: Database, *, kept_for: timedelta) -> None:
        """`kept_for`: how long after its last byte an unfinished one is kept."""
        self._uploads = database["uploads"]
        self._parts = database["uploads.parts"]
        self._kept_for = kept_for

    async def prepare(self) -> None:
        """Make the indexes; the last one lets MongoDB drop parts that a crash left to nobody."""
        with store_failures():
            await self._uploads.create_index("expires_at")
            await self._uploads.create_index("lease_until", sparse=True)
            await self._parts.create_indexes(
                [
                    IndexModel([("upload", ASCENDING)]),
                    IndexModel(
                        [("at", ASCENDING)],
                        expireAfterSeconds=int((LIFE + timedelta(days=1)).total_seconds()),
                    ),
                ]
            )

    async def create(
        self, department: Department, length: int, metadata: str, description: Description
    ) -> Upload:
        """Begin one."""
        document: Document = {
            "_id": new_id(),
            "department": department.model_dump(),
            "length": length,
            "offset": 0,
            "parts": [],
            "metadata": metadata,
            "description": description.model_dump(),
            "created_at": now(),
            "expires_at": now() + self._kept_for,
            "whole": False,
        }
        with store_failures():
            await self._uploads.insert_one(document)
        return Upload.model_validate(document)

    async def find(self, id: UUID, department: str | None = None) -> Upload | None:
        """One that has not expired; with `department`, only if it is that department's."""
        query: Document = {"_id": id, "expires_at": {"$gt": now()}}
        if department is not None:
            query["department.id"] = department
        with store_failures():
            found = await self._uploads.find_one(query)
        return None if found is None else Upload.model_validate(found)

    async def append(self, upload: Upload, data: bytes) -> Upload | None:
        """Add bytes at the upload's offset; None where somebody else was there first, or it is gone."""
        part = ObjectId()
        offset = upload.offset + len(data)
        expires_at = now() + self._kept_for
        fields: dict[str, object] = {"offset": offset, "expires_at": expires_at}
        if offset == upload.length:
            fields |= {"whole": True, "lease_until": now()}
        with store_failures():
            await self._parts.insert_one(
                {"_id": part, "upload": upload.id, "at": now(), "data": Binary(data)}
            )
            result = await self._uploads.update_one(
                {"_id": upload.id, "offset": upload.offset, "whole": False, "refusal": {"$exists": False}},
                {"$set": fields, "$push": {"parts": part}},
            )
            if result.matched_count == 0:
                await self._parts.delete_one({"_id": part})
                return None
        changed = {"offset": offset, "expires_at": expires_at, "whole": offset == upload.length}
        return upload.model_copy(update=changed)

    async def content(self, id: UUID) -> AsyncIterator[bytes]:
        """The bytes that have come, a part at a time."""
        with store_failures():
            found = await self._uploads.find_one({"_id": id}, {"parts": True})
            for part in _ids(found):
                stored = await self._parts.find_one({"_id": part})
                if stored is None:
                    return
                yield bytes(stored["data"])  # type: ignore[call-overload]  # binary data come as bytes

    async def claim(self, id: UUID | None = None) -> Upload | None:
        """Take over a whole upload, this one or any, that nobody is looking at."""
        query: Document = {"whole": True, "lease_until": {"$lte": now()}}
        if id is not None:
            query["_id"] = id
        with store_failures():
            found = await self._uploads.find_one_and_update(
                query, {"$set": {"lease_until": now() + LEASE}}, sort=[("lease_until", ASCENDING)]
            )
        return None if found is None else Upload.model_validate(found)

    async def still_looking(self, id: UUID) -> None:
        """Keep what was claimed."""
        with store_failures():
            await self._uploads.update_one(
                {"_id": id, "lease_until": {"$exists": True}}, {"$set": {"lease_until": now() + LEASE}}
            )

    async def give_back(self, id: UUID, wait: timedelta) -> None:
        """Let anybody look at it again after a while."""
        with store_failures():
            await self._uploads.update_one(
                {"_id": id, "lease_until": {"$exists": True}}, {"$set": {"lease_until": now() + wait}}
            )

    async def taken(self, id: UUID, media: MediaFile) -> None:
        """It has become this file."""
        await self._end(id, {"media": media.model_dump(mode="json", exclude_none=True)})

    async def refuse(self, id: UUID, refusal: Refusal) -> None:
        """It will never be a file."""
        await self._end(id, {"refusal": refusal.model_dump()})

    async def _end(self, id: UUID, fields: Document) -> None:
        with store_failures():
            await self._uploads.update_one(
                {"_id": id}, {"$set": {**fields, "parts": []}, "$unset": {"lease_until": True}}
            )
            await self._parts.delete_many({"upload": id})

    async def remove(self, id: UUID) -> None:
        """Forget it, with its bytes."""
        with store_failures():
            await self._uploads.delete_one({"_id": id})
            await self._parts.delete_many({"upload": id})

    async def remove_expired(self, at: datetime) -> int:
        """Forget those that nobody went on with; return how many of them."""
        old: Document = {
            "$or": [
                {"expires_at": {"$lt": at}, "lease_until": {"$exists": False}},
                {"created_at": {"$lt": at - LIFE}},
            ]
        }
        with store_failures():
            found = await self._uploads.find(old, {"_id": True}).to_list(None)
        for each in found:
            await self.remove(UUID(str(each["_id"])))
        return len(found)


def _ids(found: Document | None) -> list[ObjectId]:
    parts = [] if found is None else found["parts"]
    return [part for part in parts if isinstance(part, ObjectId)] if isinstance(parts, list) else []
