"""Grouped writes, on a real MongoDB: what each caller is told of its own writes."""

import asyncio

import pytest
from pymongo import InsertOne, UpdateOne

from shared.mongo import GroupedWrites, Mongo, StoreUnavailable, WriteRefused


async def test_a_hundred_callers_share_few_round_trips(mongo: Mongo) -> None:
    writes = GroupedWrites(mongo.database["things"])
    before = await _inserts(mongo)
    await asyncio.gather(*(writes.put(InsertOne({"_id": i})) for i in range(100)))
    assert await mongo.database["things"].count_documents({}) == 100
    assert await _inserts(mongo) - before < 10


async def _inserts(mongo: Mongo) -> int:
    """Insert commands that the server has served so far."""
    status = await mongo.database.command("serverStatus")
    return int(status["metrics"]["commands"]["insert"]["total"])


async def test_a_duplicate_is_a_success(mongo: Mongo) -> None:
    writes = GroupedWrites(mongo.database["things"])
    assert await writes.put(InsertOne({"_id": 1, "first": True}))
    assert not await writes.put(InsertOne({"_id": 1, "first": False}))
    assert await mongo.database["things"].find_one({"_id": 1}) == {"_id": 1, "first": True}


async def test_each_caller_is_told_whether_its_own_writes_were_new(mongo: Mongo) -> None:
    writes = GroupedWrites(mongo.database["things"])
    await writes.put(InsertOne({"_id": 2}))
    new = await asyncio.gather(*(writes.put(InsertOne({"_id": i})) for i in range(4)))
    assert new == [True, True, False, True]


async def test_a_write_that_cannot_even_be_encoded_leaves_nobody_waiting(mongo: Mongo) -> None:
    """The driver refuses it before the server sees it, and with it the group that it came in."""
    writes = GroupedWrites(mongo.database["things"])
    with pytest.raises(OverflowError):
        await asyncio.wait_for(writes.put(InsertOne({"_id": 1, "n": 2**64})), 10)
    assert await writes.put(InsertOne({"_id": 2}))


async def test_a_refused_write_fails_its_own_caller_only(mongo: Mongo) -> None:
    await mongo.database.create_collection("strict", validator={"n": {"$type": "int"}})
    writes = GroupedWrites(mongo.database["strict"])
    results = await asyncio.gather(
        writes.put(InsertOne({"_id": 1, "n": 1})),
        writes.put(InsertOne({"_id": 2, "n": "two"}), InsertOne({"_id": 3, "n": 3})),
        writes.put(InsertOne({"_id": 4, "n": 4})),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [bool, WriteRefused, bool]
    stored = await mongo.database["strict"].distinct("_id")
    assert stored == [1, 3, 4]


@pytest.mark.parametrize("seed", range(20))
async def test_guarded_upserts_that_race_leave_the_newest(mongo: Mongo, seed: int) -> None:
    """The loser of a race to insert is told "duplicate" even when it is the newer one."""
    writers = [GroupedWrites(mongo.database["ranks"], in_flight=1) for _ in range(8)]

    async def put(rank: int) -> None:
        await writers[(rank + seed) % 8].put(
            UpdateOne({"_id": seed, "rank": {"$lt": rank}}, {"$set": {"rank": rank}}, upsert=True)
        )

    await asyncio.gather(*(put(rank) for rank in range(1, 33)))
    newest = await mongo.database["ranks"].find_one({"_id": seed})
    assert newest == {"_id": seed, "rank": 32}


async def test_a_database_that_is_away_is_said_so() -> None:
    away = Mongo("mongodb://127.0.0.1:9/?replicaSet=rs0", "test", patience=0.2)
    try:
        with pytest.raises(StoreUnavailable):
            await GroupedWrites(away.database["things"]).put(InsertOne({"_id": 1}))
        with pytest.raises(StoreUnavailable):
            await away.ping()
    finally:
        away.close()
