"""Events that lie in the archive's queue until all of them are in the record."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter

from pymongo import InsertOne

from tests.bench.measuring import Benchmark, Beside, Contender, Figures
from tests.bench.payload import text
from tests.bench.peers import bare
from tests.bench.scale import Scale
from tests.bench.stage import AT_ONCE, OUR_QUEUES, Documents, Stage, holds
from tests.samples import fact, publication

NAME = "recording"
GROUP = 100
IN_FLIGHT = 2
ARCHIVE = "archive.record"


@asynccontextmanager
async def prepared(stage: Stage, scale: Scale) -> AsyncIterator[Benchmark]:
    """The archive, started anew for every round with its queue full."""
    count = scale.of(3_000)
    async with stage.services("archive"):
        pass  # so that queue and indexes are there
    archive = stage.mongo["archive"]
    made: list[object] = []

    async def us() -> Figures:
        publications = [publication(content=text(number)) for number in range(count)]
        made[:] = [one.id for one in publications]
        bodies = [fact(one).encode() for one in publications]
        async with stage.channel() as channel:
            await bare.publish(channel, bodies, exchange="", key=ARCHIVE, in_flight=AT_ONCE)
        before = await archive["events"].estimated_document_count()
        stage.city.start("archive")
        try:
            await holds(archive["events"], before + 1)
            begun = perf_counter()
            waiting = before + count - await archive["events"].estimated_document_count()
            await holds(archive["events"], before + count)
            await holds(archive["publications"], before + count)
            rate = waiting / (perf_counter() - begun)
        finally:
            stage.city.stop()
        return {"stored": rate}

    async def floor() -> Figures:
        taken = 0.0
        for name, field in (("events", "subject"), ("publications", "_id")):
            documents = await archive[name].find({field: {"$in": made}}).to_list()
            copy = stage.mongo[bare.DATABASE][name]
            taken += await _written(documents, copy)
            await copy.drop()
        return {"stored": count / taken}

    ours = Contender("archive.record to the record", us)
    yield Benchmark(
        NAME, "/s", ours, [Beside(Contender("bulk writes of the same documents", floor), "floor")]
    )
    await stage.empty(*OUR_QUEUES)


async def _written(documents: list[dict[str, object]], into: Documents) -> float:
    """Seconds for writing them in groups."""
    groups = iter([documents[n : n + GROUP] for n in range(0, len(documents), GROUP)])

    async def one() -> None:
        for group in groups:
            await into.bulk_write([InsertOne(document) for document in group], ordered=False)

    begun = perf_counter()
    await asyncio.gather(*(one() for _ in range(IN_FLIGHT)))
    return perf_counter() - begun
