"""Which processes are alive: what a dead one was doing is taken over by the others.

Times are the database's own, so that the clocks of several machines need not agree.
"""

import asyncio
from collections.abc import Iterable

from shared.events import new_id
from shared.mongo import Mongo, StoreUnavailable, store_failures
from shared.telemetry import logger

LEASE = 9.0
"""Seconds without a sign of life after which a process counts as dead."""
RENEW_EVERY = 2.0
_FORGET_AFTER_DAYS = 1

_log = logger(__name__)


class Presence:
    """This process's sign of life, given every two seconds while `run` runs."""

    def __init__(self, mongo: Mongo) -> None:
        self.id = str(new_id())
        self._processes = mongo.database["processes"]
        self._until = float("-inf")

    @property
    def valid(self) -> bool:
        """Whether the others still count on this process, with a second to spare."""
        return asyncio.get_running_loop().time() < self._until - 1

    def require(self) -> None:
        """Raise `StoreUnavailable` where the others may have taken over what this process does."""
        if not self.valid:
            raise StoreUnavailable("the sign of life could not be renewed")

    async def renew(self) -> None:
        began = asyncio.get_running_loop().time()
        until = {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": int(LEASE * 1000)}}
        with store_failures():
            await self._processes.update_one({"_id": self.id}, [{"$set": {"until": until}}], upsert=True)
        self._until = began + LEASE

    async def dead(self, owners: Iterable[str | None]) -> list[str]:
        """Those of these processes that gave no sign of life for too long."""
        asked = {owner for owner in owners if owner is not None}
        if not asked:
            return []
        query = {"_id": {"$in": sorted(asked)}, "$expr": {"$gt": ["$until", "$$NOW"]}}
        with store_failures():
            alive = await self._processes.find(query, {"_id": 1}).to_list(None)
        return sorted(asked - {str(one["_id"]) for one in alive})

    async def run(self) -> None:
        """Renew for ever."""
        rounds = 0
        while True:
            try:
                await self.renew()
                if rounds % 1000 == 0:
                    await self._forget()
                rounds += 1
            except StoreUnavailable as error:
                _log.warning("the sign of life could not be renewed", reason=str(error))
            await asyncio.sleep(RENEW_EVERY)

    async def leave(self) -> None:
        """Let the others take over at once."""
        self._until = float("-inf")
        with store_failures():
            await self._processes.delete_one({"_id": self.id})

    async def _forget(self) -> None:
        past = {"$dateSubtract": {"startDate": "$$NOW", "unit": "day", "amount": _FORGET_AFTER_DAYS}}
        with store_failures():
            await self._processes.delete_many({"$expr": {"$lt": ["$until", past]}})
