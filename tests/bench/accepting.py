"""Accepted a second: answered 202 over HTTP, which means that the submission is in the outbox."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import MongoClient

from deploy.local.ports import free_port
from tests.bench.load import Client
from tests.bench.measuring import Benchmark, Beside, Contender, Figures
from tests.bench.payload import many
from tests.bench.peers import bare, celery_app
from tests.bench.pipeline import start_desk
from tests.bench.scale import Scale
from tests.bench.stage import AT_ONCE, OUR_QUEUES, Stage
from tests.waiting import eventually

NAME = "acceptance"
Document = dict[str, object]


@asynccontextmanager
async def prepared(stage: Stage, scale: Scale) -> AsyncIterator[Benchmark]:
    """Ingest alone of our services, and the peer's front desk without its worker."""
    async with AsyncExitStack() as stack:
        city = await stack.enter_async_context(stage.services("ingest"))
        key = stage.key()
        stack.callback(stage.end_peers)
        port = free_port()
        start_desk(stage, port)
        await stage.serving(port)
        ours = Client(city.ports["ingest"], key=key, connections=AT_ONCE)
        theirs = Client(port, connections=AT_ONCE)
        count, few = scale.of(2_000), scale.of(600)
        emitted = await city.metric("ingest", "visnyk_emitted_total")

        async def us() -> Figures:
            nonlocal emitted
            figures = await _accepted(ours, count)
            emitted += count

            async def all_emitted() -> bool:
                return await city.metric("ingest", "visnyk_emitted_total") >= emitted

            # What is still being put on the bus must not run beside the next one's round.
            await eventually(all_emitted)
            await stage.empty(*OUR_QUEUES)
            return figures

        async def celery() -> Figures:
            figures = await _accepted(theirs, few)
            await stage.empty(celery_app.QUEUE)
            return figures

        motor: AsyncIOMotorClient[Document] = AsyncIOMotorClient(stage.mongo_url)
        stack.callback(motor.close)
        threaded: MongoClient[Document] = MongoClient(stage.mongo_url)
        stack.callback(threaded.close)

        async def with_motor() -> Figures:
            documents = iter(_documents(count))

            async def one() -> None:
                for document in documents:
                    await motor[bare.DATABASE]["motor"].insert_one(document)

            begun = perf_counter()
            await asyncio.gather(*(one() for _ in range(AT_ONCE)))
            return {"accepted": count / (perf_counter() - begun)}

        async def with_threads() -> Figures:
            return {"accepted": await asyncio.to_thread(_inserted_by_threads, threaded, count)}

        yield Benchmark(
            NAME,
            "/s",
            Contender("POST to ingest", us, count),
            [
                Beside(Contender("insert, Motor", with_motor, count), "floor", 0.5),
                Beside(Contender("insert, PyMongo in threads", with_threads, count), "floor"),
                Beside(Contender("POST to FastAPI and Celery", celery, few), "peer"),
            ],
        )


async def _accepted(client: Client, count: int) -> Figures:
    requests = client.requests(many(count))
    async with client:
        begun = perf_counter()
        await client.send_all(requests)
        return {"accepted": count / (perf_counter() - begun)}


def _documents(count: int) -> list[Document]:
    return [bare.document(body) for body in many(count)]


def _inserted_by_threads(client: MongoClient[Document], count: int) -> float:
    stored = client[bare.DATABASE]["threads"]
    documents = _documents(count)

    def one(shares: Iterator[Document]) -> None:
        for document in shares:
            stored.insert_one(document)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        begun = perf_counter()
        list(threads.map(one, (iter(documents[n::AT_ONCE]) for n in range(AT_ONCE))))
        return count / (perf_counter() - begun)
