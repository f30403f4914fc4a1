"""Stored a second, from the HTTP request to the record."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter

from deploy.local.ports import free_port
from tests.bench.load import Client
from tests.bench.measuring import Benchmark, Beside, Contender, Figures
from tests.bench.payload import many
from tests.bench.peers import bare, celery_app
from tests.bench.scale import Scale
from tests.bench.stage import AT_ONCE, OUR_QUEUES, Documents, Stage, holds

NAME = "pipeline"


@asynccontextmanager
async def prepared(stage: Stage, scale: Scale) -> AsyncIterator[Benchmark]:
    """Ingest and archive, a Celery pipeline, and bare consumers, all up."""
    async with AsyncExitStack() as stack:
        city = await stack.enter_async_context(stage.services("ingest", "archive"))
        stack.callback(stage.end_peers)
        port = free_port()
        for queue in (bare.GROUPED, bare.SINGLY):
            stage.peer(queue, "tests.bench.peers.bare", queue)
        start_celery(stage)
        start_desk(stage, port)
        await stage.serving(port)
        for queue in (bare.GROUPED, bare.SINGLY, celery_app.QUEUE):
            await stage.consuming(queue)
        ours = Client(city.ports["ingest"], key=stage.key(), connections=AT_ONCE)
        theirs = Client(port, connections=AT_ONCE)
        count, twice, few = scale.of(1_000), scale.of(2_000), scale.of(300)
        channel = await stack.enter_async_context(stage.channel())

        def through(client: Client, documents: Documents, count: int) -> Callable[[], Awaitable[Figures]]:
            async def run() -> Figures:
                requests = client.requests(many(count))
                before = await documents.estimated_document_count()
                async with client:
                    begun = perf_counter()
                    await client.send_all(requests)
                    await holds(documents, before + count)
                    return {"stored": count / (perf_counter() - begun)}

            return run

        async def us() -> Figures:
            figures = await through(ours, stage.mongo["archive"]["events"], count)()
            await stage.empty(*OUR_QUEUES)
            return figures

        def barely(queue: str) -> Callable[[], Awaitable[Figures]]:
            documents = stage.mongo[bare.DATABASE][queue]

            async def run() -> Figures:
                bodies = many(twice)
                before = await documents.estimated_document_count()
                begun = perf_counter()
                await bare.publish(channel, bodies, exchange=queue, key="any", in_flight=AT_ONCE)
                await holds(documents, before + twice)
                return {"stored": twice / (perf_counter() - begun)}

            return run

        celery = through(theirs, stage.mongo["bench_peer"]["publications"], few)
        yield Benchmark(
            NAME,
            "/s",
            Contender("HTTP to the archive", us, count),
            [
                Beside(Contender("publish, consume, insert each", barely(bare.SINGLY), twice), "floor", 0.6),
                Beside(Contender("publish, consume, insert in groups", barely(bare.GROUPED), twice), "floor"),
                Beside(Contender("FastAPI, Celery, PyMongo", celery, few), "peer", 4),
            ],
        )


def start_celery(stage: Stage) -> None:
    """The peer's worker, with as many processes as there are cores."""
    options = ("--concurrency=2", "--loglevel=WARNING", "--without-gossip", "--without-mingle")
    stage.peer("celery", "celery", "-A", "tests.bench.peers.celery_app", "worker", *options)


def start_desk(stage: Stage, port: int) -> None:
    """The peer's HTTP, in one process like ours."""
    options = ("--host=127.0.0.1", f"--port={port}", "--no-access-log", "--log-level=warning")
    stage.peer("desk", "uvicorn", "tests.bench.peers.desk:app", *options)
