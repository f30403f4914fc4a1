"""The ledger: one document per publication and channel, so that every effect is made once.

Collection `ledger`, `_id` is `<channel>:<publication id>`. Only the holder of an entry's lease writes to it.
"""

from datetime import timedelta
from uuid import UUID

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from services.publisher.channels.interface import Posted
from services.publisher.decisions import CallState, Entry
from shared.bus import Later
from shared.mongo import Database, Document, store_failures

LEASE = timedelta(seconds=8)
"""How long an entry waits for a process that died; a living one renews well before."""


class LeaseLost(Later):
    """Someone else may act on the entry now: what was done under the lease can't be recorded."""


class Ledger:
    """The entries of all channels."""

    def __init__(self, database: Database, *, lease: timedelta = LEASE) -> None:
        self._entries = database["ledger"]
        self.lease = lease
        self._until = {"$add": ["$$NOW", lease // timedelta(milliseconds=1)]}

    async def get(self, channel: str, publication_id: UUID) -> Entry | None:
        """The entry as it is, for looking only."""
        with store_failures():
            document = await self._entries.find_one({"_id": _key(channel, publication_id)})
        return None if document is None else Entry.model_validate(document)

    async def claim(self, channel: str, publication_id: UUID, owner: str) -> Entry:
        """Take the lease if it is free or ended; the entry says in `lease` who holds it now.

        The server's clock alone decides, so that clocks that differ between machines can't lend it twice.
        """
        free = {"$lt": [{"$ifNull": ["$lease.until", "$$NOW"]}, {"$add": ["$$NOW", 1]}]}
        take: list[Document] = [
            {"$set": {"lease": {"$cond": [free, {"owner": owner, "until": self._until}, "$lease"]}}}
        ]
        with store_failures():
            try:
                document = await self._take(channel, publication_id, take)
            except DuplicateKeyError:
                # Two claims raced to make the entry; now it is there.
                document = await self._take(channel, publication_id, take)
        return Entry.model_validate(document)

    async def _take(self, channel: str, publication_id: UUID, take: list[Document]) -> Document:
        document: Document = await self._entries.find_one_and_update(
            {"_id": _key(channel, publication_id)},
            take,
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return document

    async def renew(self, channel: str, publication_id: UUID, owner: str) -> None:
        """Hold the lease for longer. Raises `LeaseLost`."""
        await self._write(channel, publication_id, owner, [{"$set": {"lease.until": self._until}}])

    async def keep(self, channel: str, publication_id: UUID, owner: str, entry: Entry) -> None:
        """Write the entry, majority and journaled, and keep the lease. Raises `LeaseLost`."""
        await self._write(channel, publication_id, owner, {"$set": _document(entry)})

    async def release(
        self, channel: str, publication_id: UUID, owner: str, entry: Entry | None = None
    ) -> None:
        """End the lease, writing the entry first if one is given. Raises `LeaseLost`."""
        change: Document = {"$unset": {"lease": True}}
        if entry is not None:
            change["$set"] = _document(entry)
        await self._write(channel, publication_id, owner, change)

    async def _write(
        self, channel: str, publication_id: UUID, owner: str, change: Document | list[Document]
    ) -> None:
        own = {"_id": _key(channel, publication_id), "lease.owner": owner}
        with store_failures():
            result = await self._entries.update_one(own, change)
        if result.matched_count == 0:
            raise LeaseLost("Запис публікації перейняв інший процес; спробуємо ще раз.")

    async def posted(self, channel: str, publication_id: UUID) -> Posted | None:
        """What stands on a channel, as far as its outcome is recorded."""
        entry = await self.get(channel, publication_id)
        return entry.posted if entry is not None and entry.shown else None

    async def in_doubt(self) -> list[tuple[str, UUID, Entry]]:
        """Entries whose call waits for a person: channel, publication, entry."""
        with store_failures():
            documents = await self._entries.find({"call.state": CallState.UNCONFIRMED}).to_list(None)
        found = []
        for document in documents:
            channel, _, publication_id = str(document["_id"]).partition(":")
            entry = Entry.model_validate(document)
            if entry.in_doubt or entry.perhaps_gone:
                found.append((channel, UUID(publication_id), entry))
        return found

    async def prepare(self) -> None:
        """Make the index that `in_doubt` reads."""
        with store_failures():
            await self._entries.create_index("call.state", sparse=True)


def _key(channel: str, publication_id: UUID) -> str:
    return f"{channel}:{publication_id}"


def _document(entry: Entry) -> Document:
    document: Document = entry.model_dump(exclude={"lease"})
    return document
