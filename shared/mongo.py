"""The only place that knows the MongoDB driver: the client, its failures, grouped writes.

Motor is past its end of life; PyMongo's asyncio API replaces it. What differs between the two
(construction, closing, awaiting) stands here and in the services' stores.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import DeleteOne, InsertOne, ReadPreference, UpdateMany, UpdateOne, WriteConcern
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
)
from pymongo.read_concern import ReadConcern

Document = dict[str, object]
Collection = AsyncIOMotorCollection[Document]
Database = AsyncIOMotorDatabase[Document]
Write = InsertOne[Document] | UpdateOne | UpdateMany | DeleteOne

DUPLICATE_KEY = 11000
_AWAY = (
    AutoReconnect,
    ExecutionTimeout,
    NetworkTimeout,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
)
# Codes of a server that answers but is stepping down, shutting down or has no quorum.
_AWAY_CODES = frozenset({6, 7, 64, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436})


class StoreUnavailable(Exception):
    """The database is away, or did not confirm in time: the write may or may not stand."""


class WriteRefused(Exception):
    """The database will never take this write."""


@contextmanager
def store_failures() -> Iterator[None]:
    """Turn the driver's passing failures into `StoreUnavailable`; let all others through."""
    try:
        yield
    except _AWAY as error:
        raise StoreUnavailable(_one_line(error)) from error
    except OperationFailure as error:
        if error.code in _AWAY_CODES:
            raise StoreUnavailable(_one_line(error)) from error
        raise


def _one_line(error: PyMongoError) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0][:300]}"


class Mongo:
    """One service's database, with the write concern that the system's word rests on."""

    def __init__(self, url: str, database: str, *, patience: float = 3.0) -> None:
        """`patience`: seconds to look for a primary before an operation fails."""
        self._client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
            url,
            tz_aware=True,
            uuidRepresentation="standard",
            serverSelectionTimeoutMS=int(patience * 1000),
            connectTimeoutMS=3_000,
            socketTimeoutMS=20_000,
            appname=f"visnyk-{database}",
        )
        self.database: Database = self._client.get_database(
            database,
            write_concern=WriteConcern("majority", wtimeout=10_000, j=True),
            read_concern=ReadConcern("majority"),
            read_preference=ReadPreference.PRIMARY,
        )

    async def ping(self) -> None:
        """Raise `StoreUnavailable` unless a primary answers."""
        with store_failures():
            await self.database.command("ping")

    async def health(self) -> str | None:
        """None where a primary answers, else what ails it."""
        try:
            await self.ping()
        except StoreUnavailable as error:
            return str(error)
        return None

    def close(self) -> None:
        self._client.close()


class _Waiting(NamedTuple):
    writes: Sequence[Write]
    done: asyncio.Future[bool]


class GroupedWrites:
    """Writes of many concurrent callers, sent together.

    While one group is on its way the next one gathers: a single caller waits for nobody, a hundred
    share one round trip and one journal flush. A duplicate key counts as success, which makes a
    guarded upsert (`{"_id": x, "rank": {"$lt": n}}`) a no-op where something newer stands.
    """

    def __init__(self, collection: Collection, *, most: int = 500, in_flight: int = 2) -> None:
        self._collection = collection
        self._most = most
        self._slots = in_flight
        self._waiting: list[_Waiting] = []
        self._flushing: set[asyncio.Task[None]] = set()

    async def put(self, *writes: Write) -> bool:
        """Return when these writes are committed by a majority.

        False where one of them met a duplicate key: it, or something newer, stood there already.
        Raises `StoreUnavailable` if they may not be, and `WriteRefused` if one of them is refused.
        """
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(writes, done))
        self._start()
        return await done

    def _start(self) -> None:
        if self._waiting and len(self._flushing) < self._slots:
            task = asyncio.create_task(self._flush())
            self._flushing.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._flushing.discard(task)
        self._start()

    async def _flush(self) -> None:
        # One turn of the loop lets every caller that is ready now join this group.
        await asyncio.sleep(0)
        group = self._waiting[: self._most]
        del self._waiting[: self._most]
        writes = [write for waiting in group for write in waiting.writes]
        try:
            refused, stood = await self._write(writes)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  # each caller is told
            for waiting in group:
                _fail(waiting.done, error)
            return
        index = 0
        for waiting in group:
            own = range(index, index + len(waiting.writes))
            index = own.stop
            first = next((refused[i] for i in own if i in refused), None)
            if first is None:
                _succeed(waiting.done, new=stood.isdisjoint(own))
            else:
                _fail(waiting.done, WriteRefused(first))

    async def _write(self, writes: Sequence[Write]) -> tuple[dict[int, str], set[int]]:
        """Send the writes; return why some were refused, by their place, and the places of duplicates."""
        failures = await self._attempt(writes)
        # Two guarded upserts that race to insert: the loser is told "duplicate" whichever is newer.
        # Tried again it finds the document there, and its guard decides.
        raced = [
            i
            for i, (code, _) in failures.items()
            if code == DUPLICATE_KEY and isinstance(writes[i], UpdateOne)
        ]
        again = await self._attempt([writes[i] for i in raced]) if raced else {}
        for place, i in enumerate(raced):
            del failures[i]
            if place in again:
                failures[i] = again[place]
        stood = {i for i, (code, _) in failures.items() if code == DUPLICATE_KEY}
        return {i: text for i, (_, text) in failures.items() if i not in stood}, stood

    async def _attempt(self, writes: Sequence[Write]) -> dict[int, tuple[int, str]]:
        if not writes:
            return {}
        try:
            with store_failures():
                await self._collection.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            if error.details.get("writeConcernErrors"):
                raise StoreUnavailable("the majority did not confirm in time") from error
            return {
                failure["index"]: (failure["code"], failure["errmsg"])
                for failure in error.details["writeErrors"]
            }
        return {}


def _fail(done: asyncio.Future[bool], error: BaseException) -> None:
    if not done.done():
        done.set_exception(
            StoreUnavailable("shutting down") if isinstance(error, asyncio.CancelledError) else error
        )


def _succeed(done: asyncio.Future[bool], *, new: bool) -> None:
    if not done.done():
        done.set_result(new)
