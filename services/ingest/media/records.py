"""What ingest knows about files, in its own database.

`media`: {_id, department, digest, state: storing | ready | removing, sha256, file, seen_at, kept}, one a file
with its description; several may stand for the same bytes.
`renditions`: {_id: sha256, file, due_at, tries}, one a photograph whose renditions are not all made.
`removals`: {_id: sha256, until}, one for bytes that somebody is about to delete.
"""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from uuid import UUID

from pymongo import ASCENDING, IndexModel, ReturnDocument
from pymongo.errors import DuplicateKeyError

from services.ingest.media.description import Description
from shared.events import new_id, now
from shared.mongo import Database, Document, StoreUnavailable, store_failures
from shared.publication import MediaFile

REMOVAL = timedelta(minutes=10)
"""How long one process has for the deletion of one file's bytes."""
PATIENCE = 10.0
"""Seconds that an upload waits for a deletion of the same bytes."""
MAKING = timedelta(minutes=3)
"""How long a photograph's renditions are left to whoever makes them."""


class Verdict(Enum):
    """Whether the bytes of a removed file may go."""

    DELETE = auto()
    NEEDED = auto()
    BUSY = auto()
    """Somebody is deciding the same: ask again later."""


@dataclass(frozen=True)
class Waiting:
    """A photograph whose renditions are to be made, claimed by this process."""

    file: MediaFile
    tries: int
    until: datetime


def digest(source: str, description: Description) -> str:
    """What two uploads have in common that are the same: the bytes handed in, and what was said of them."""
    said = json.dumps([source, description.model_dump()], ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


class Records:
    """The register of files."""

    def __init__(self, database: Database) -> None:
        self._media = database["media"]
        self._renditions = database["renditions"]
        self._removals = database["removals"]
        self._publications = database["publications"]

    async def prepare(self) -> None:
        """Make the indexes; the unique one is what makes two racing uploads one file."""
        with store_failures():
            await self._media.create_indexes(
                [
                    IndexModel(
                        [("department", ASCENDING), ("digest", ASCENDING)],
                        unique=True,
                        partialFilterExpression={"digest": {"$exists": True}},
                    ),
                    IndexModel([("sha256", ASCENDING)]),
                    IndexModel(
                        [("seen_at", ASCENDING)], partialFilterExpression={"kept": False}, name="unkept"
                    ),
                ]
            )
            await self._renditions.create_index("due_at")
            await self._publications.create_index("publication.content.media", sparse=True)

    async def seen_again(self, department: str, digest: str) -> MediaFile | None:
        """The file that is there already for an upload like this, with its time running anew."""
        with store_failures():
            found = await self._media.find_one_and_update(
                {"department": department, "digest": digest, "state": "ready"}, {"$set": {"seen_at": now()}}
            )
        return None if found is None else MediaFile.model_validate(found["file"])

    async def begin(self, department: str, digest: str, sha256: str) -> UUID:
        """Announce a file whose bytes are about to be stored; return the id it has or gets.

        From here on nobody deletes these bytes. Raises `StoreUnavailable`.
        """
        id = new_id()
        mine = {"department": department, "digest": digest}
        with store_failures():
            try:
                found = await self._media.find_one_and_update(
                    mine,
                    {
                        "$set": {"seen_at": now()},
                        "$setOnInsert": {"_id": id, "state": "storing", "sha256": sha256, "kept": False},
                    },
                    upsert=True,
                    return_document=ReturnDocument.AFTER,
                )
            except DuplicateKeyError:
                found = await self._media.find_one_and_update(mine, {"$set": {"seen_at": now()}})
        if found is None:
            raise StoreUnavailable("the same upload is being removed; try again")
        await self._undisturbed(sha256)
        return UUID(str(found["_id"]))

    async def _undisturbed(self, sha256: str) -> None:
        """Wait until nobody is deleting these bytes; whoever begins after us sees our file, and doesn't."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    with store_failures():
                        removal = await self._removals.find_one({"_id": sha256})
                    if removal is None:
                        return
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise StoreUnavailable("the same bytes are being deleted; try again") from error

    async def finish(self, department: str, digest: str, file: MediaFile) -> MediaFile:
        """The bytes are stored: from now on the file can be used."""
        described = file.model_dump(mode="json", exclude_none=True)
        if file.width is not None and file.form == "photo":
            with store_failures():
                await self._renditions.update_one(
                    {"_id": file.sha256},
                    {"$setOnInsert": {"file": described, "due_at": now(), "tries": 0}},
                    upsert=True,
                )
        with store_failures():
            found = await self._media.find_one_and_update(
                {"_id": file.id, "department": department, "digest": digest, "state": "storing"},
                {"$set": {"state": "ready", "file": described, "seen_at": now()}},
            )
        if found is not None:
            return file
        # The same upload, twice at once: the other one was faster.
        stands = await self.seen_again(department, digest)
        if stands is None:
            raise StoreUnavailable("the upload was removed meanwhile; try again")
        return stands

    async def find(self, id: UUID, department: str) -> MediaFile | None:
        """A file that can be used, of this department."""
        with store_failures():
            found = await self._media.find_one({"_id": id, "department": department, "state": "ready"})
        return None if found is None else MediaFile.model_validate(found["file"])

    async def resolve(self, ids: Sequence[UUID], department: str, *, claim: bool) -> dict[UUID, MediaFile]:
        """Those of these files that can be used, by their ids.

        With `claim` their time runs anew: from before it, no removal of them will be carried out for days.
        """
        if not ids:
            return {}
        these: Document = {"_id": {"$in": list(ids)}, "department": department, "state": "ready"}
        with store_failures():
            if claim:
                await self._media.update_many(these, {"$set": {"seen_at": now()}})
            found = await self._media.find(these).to_list(None)
        return {UUID(str(each["_id"])): MediaFile.model_validate(each["file"]) for each in found}

    async def keep(self, ids: Sequence[UUID]) -> None:
        """They stand in an accepted submission: keep them for good."""
        if ids:
            with store_failures():
                await self._media.update_many({"_id": {"$in": list(ids)}}, {"$set": {"kept": True}})

    async def claim_waiting(self) -> Waiting | None:
        """Take over one photograph whose renditions wait, the longest waiting first."""
        at = now()
        until = at + MAKING
        with store_failures():
            found = await self._renditions.find_one_and_update(
                {"due_at": {"$lte": at}},
                {"$set": {"due_at": until}, "$inc": {"tries": 1}},
                sort=[("due_at", ASCENDING)],
                return_document=ReturnDocument.AFTER,
            )
        if found is None:
            return None
        return Waiting(MediaFile.model_validate(found["file"]), int(str(found["tries"])), until)

    async def made(self, waiting: Waiting) -> None:
        """All renditions are there, unless somebody took it over, who will say so."""
        with store_failures():
            await self._renditions.delete_one({"_id": waiting.file.sha256, "due_at": waiting.until})

    async def wait_again(self, waiting: Waiting, due_at: datetime) -> None:
        """Making them failed: try again then."""
        with store_failures():
            await self._renditions.update_one(
                {"_id": waiting.file.sha256, "due_at": waiting.until}, {"$set": {"due_at": due_at}}
            )

    async def waiting(self) -> int:
        """Photographs whose renditions are not all made."""
        with store_failures():
            return await self._renditions.count_documents({})

    async def unused_since(self, before: datetime, *, most: int = 100) -> list[tuple[UUID, str]]:
        """Take files out of use that nobody named since: their ids and SHA-256, to delete the bytes of.

        One that a submission names after all is kept for good instead.
        """
        taken: list[tuple[UUID, str]] = []
        old: Document = {"kept": False, "seen_at": {"$lt": before}}
        with store_failures():
            for found in await self._media.find(old).limit(most).to_list(None):
                id = UUID(str(found["_id"]))
                if found["state"] != "removing" and not await self._take_out(id, found):
                    continue
                taken.append((id, str(found["sha256"])))
        return taken

    async def _take_out(self, id: UUID, found: Document) -> bool:
        if await self._publications.find_one({"publication.content.media": str(id)}, {"_id": True}):
            await self._media.update_one({"_id": id}, {"$set": {"kept": True}})
            return False
        # Claimed since we looked, its hour is another one and this matches nothing.
        result = await self._media.update_one(
            {"_id": id, "kept": False, "seen_at": found["seen_at"]},
            {"$set": {"state": "removing"}, "$unset": {"digest": True}},
        )
        return result.matched_count == 1

    async def forget(self, id: UUID) -> None:
        """Its bytes are gone, or others' too."""
        with store_failures():
            await self._media.delete_one({"_id": id, "state": "removing"})

    async def may_delete(self, sha256: str) -> Verdict:
        """Announce that bytes will be deleted, where nothing needs them; the deletion ends with `deleted`."""
        until = now() + REMOVAL
        with store_failures():
            try:
                await self._removals.insert_one({"_id": sha256, "until": until})
            except DuplicateKeyError:
                dead = {"_id": sha256, "until": {"$lt": now()}}
                if (await self._removals.update_one(dead, {"$set": {"until": until}})).matched_count == 0:
                    return Verdict.BUSY
            if await self._media.find_one({"sha256": sha256, "state": {"$ne": "removing"}}) is None:
                await self._renditions.delete_one({"_id": sha256})
                return Verdict.DELETE
        await self.deleted(sha256)
        return Verdict.NEEDED

    async def deleted(self, sha256: str) -> None:
        """The bytes are gone: whoever waits to store them anew may."""
        with store_failures():
            await self._removals.delete_one({"_id": sha256})

    async def dead_removals(self) -> list[str]:
        """SHA-256 of bytes whose deletion was begun and not ended."""
        with store_failures():
            found = await self._removals.find({"until": {"$lt": now()}}).to_list(None)
        return [str(each["_id"]) for each in found]
