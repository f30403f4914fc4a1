"""The broadcasts of a channel: collection `<channel>_airings`, one document a publication."""

from collections.abc import Callable, Collection
from datetime import datetime
from uuid import UUID

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from services.publisher.channels.rundown.airing import Airing
from shared.mongo import Database, Document, store_failures


class Airings:
    """Reads and changes them; a change made from what is outdated is made again from what is new."""

    def __init__(self, database: Database, channel: str) -> None:
        self._airings = database[f"{channel}_airings"]

    async def prepare(self) -> None:
        """Indexes."""
        with store_failures():
            await self._airings.create_index([("station_key", ASCENDING), ("now.airs_at", ASCENDING)])
            await self._airings.create_index([("programme_key", ASCENDING), ("now.airs_at", ASCENDING)])
            await self._airings.create_index("settled", partialFilterExpression={"settled": False})

    async def get(self, id: UUID) -> Airing | None:
        with store_failures():
            found = await self._airings.find_one({"_id": id})
        return _read(found) if found else None

    async def change(
        self, id: UUID, how: Callable[[Airing | None], Airing | None]
    ) -> tuple[Airing | None, Airing | None]:
        """Make it what `how` says of what stands there; return what stood there and what does now.

        `how` returns None, or what it was given, to leave it. An older rank never overwrites a newer one.
        """
        while True:
            before = await self.get(id)
            after = how(before)
            if after is None or after == before:
                return before, before
            if before is not None and after.rank < before.rank:
                return before, before
            if await self._write(before, after):
                return before, after

    async def _write(self, before: Airing | None, after: Airing) -> bool:
        after = after.model_copy(update={"version": (before.version if before else 0) + 1})
        document: Document = after.model_dump() | {
            "_id": after.id,
            "station_key": after.station_key,
            "programme_key": after.programme_key,
        }
        with store_failures():
            if before is None:
                try:
                    await self._airings.insert_one(document)
                except DuplicateKeyError:
                    return False
                return True
            written = await self._airings.replace_one({"_id": after.id, "version": before.version}, document)
        return written.matched_count == 1

    async def of_programme(self, key: str) -> list[Airing]:
        """All that were ever listed, by their hours."""
        return await self._found({"programme_key": key, "known": True})

    async def of_station(self, key: str, since: datetime | None = None) -> list[Airing]:
        """All that were ever listed, by their hours, from an hour on."""
        hours = {} if since is None else {"now.airs_at": {"$gte": since}}
        return await self._found({"station_key": key, "known": True} | hours)

    async def by_ids(self, ids: Collection[UUID]) -> list[Airing]:
        return await self._found({"_id": {"$in": list(ids)}})

    async def every(self) -> list[Airing]:
        """All that are listed, by their hours."""
        return await self._found({"listed": True})

    async def unsettled(self) -> list[Airing]:
        """Those whose answer the receipt hasn't heard of."""
        return await self._found({"settled": False})

    async def stations(self) -> list[str]:
        """The names of all stations."""
        with store_failures():
            return [str(name) for name in await self._airings.distinct("station", {"known": True})]

    async def _found(self, query: Document) -> list[Airing]:
        with store_failures():
            found = await self._airings.find(query).sort("now.airs_at", ASCENDING).to_list(None)
        return [_read(document) for document in found]


def _read(document: Document) -> Airing:
    return Airing.model_validate(document)
