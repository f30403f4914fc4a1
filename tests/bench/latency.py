"""At an easy pace: how long until a submission is answered, and until a consumer has it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import cast
from uuid import UUID

from aiormq.abc import AbstractChannel, DeliveredMessage

from deploy.local.ports import free_port
from tests.bench.load import Answered, Client
from tests.bench.measuring import Benchmark, Beside, Contender, Figures
from tests.bench.payload import many
from tests.bench.peers import bare, celery_app
from tests.bench.pipeline import start_celery, start_desk
from tests.bench.scale import Scale
from tests.bench.stage import OUR_QUEUES, Documents, Stage, holds

NAME = "latency"
PER_SECOND = 20
CONNECTIONS = 4
QUEUE = "bench.floor.latency"


@asynccontextmanager
async def prepared(stage: Stage, scale: Scale) -> AsyncIterator[Benchmark]:
    """Ingest and archive, a Celery pipeline, and a bare queue."""
    async with AsyncExitStack() as stack:
        city = await stack.enter_async_context(stage.services("ingest", "archive"))
        key = stage.key()
        stack.callback(stage.end_peers)
        port = free_port()
        start_celery(stage)
        start_desk(stage, port)
        await stage.serving(port)
        await stage.consuming(celery_app.QUEUE)
        ours = Client(city.ports["ingest"], key=key, connections=CONNECTIONS)
        theirs = Client(port, connections=CONNECTIONS)
        channel = await stack.enter_async_context(stage.channel())
        consuming = await stack.enter_async_context(stage.channel())
        floor = await _Bare.between(channel, consuming)
        count = round(PER_SECOND * scale.seconds)

        async def us() -> Figures:
            figures = await _measured(ours, count, stage.mongo["archive"]["events"], _recorded)
            await stage.empty(*OUR_QUEUES)
            return figures

        async def celery() -> Figures:
            return await _measured(theirs, count, stage.mongo["bench_peer"]["publications"], _entered)

        async def barely() -> Figures:
            return percentiles("handler", await floor.send_evenly(many(count)))

        yield Benchmark(
            NAME,
            "ms",
            Contender("POST to the archive's handler", us),
            [
                Beside(Contender("AMQP publish to consumer", barely), "floor"),
                Beside(Contender("FastAPI, Celery task entered", celery), "peer"),
            ],
        )


Handled = Callable[[Documents, Sequence[str]], Awaitable[Mapping[str, float]]]
"""When the handler was entered (`time.time`), by id."""


async def _measured(client: Client, count: int, documents: Documents, handled: Handled) -> Figures:
    before = await documents.estimated_document_count()
    async with client:
        answers = await client.send_evenly(client.requests(many(count)), per_second=PER_SECOND)
    await holds(documents, before + count)
    clock = time.time() - time.perf_counter()
    begun = {_id(answer): answer.begun for answer in answers}
    entered = await handled(documents, list(begun))
    return {
        **percentiles("answered", [answer.ended - answer.begun for answer in answers]),
        **percentiles("handler", [entered[id] - clock - at for id, at in begun.items()]),
    }


def _id(answer: Answered) -> str:
    return str(json.loads(answer.body)["id"])


async def _recorded(documents: Documents, ids: Sequence[str]) -> Mapping[str, float]:
    """The archive notes the hour as its handler begins, cut to milliseconds: half of one is added."""
    found = documents.find({"subject": {"$in": [UUID(id) for id in ids]}}, {"subject": 1, "received_at": 1})
    return {
        str(document["subject"]): cast("datetime", document["received_at"]).timestamp() + 0.0005
        async for document in found
    }


async def _entered(documents: Documents, ids: Sequence[str]) -> Mapping[str, float]:
    found = documents.find({"_id": {"$in": list(ids)}}, {"entered": 1})
    return {str(document["_id"]): cast("float", document["entered"]) async for document in found}


class _Bare:
    """A quorum queue with a consumer of its own, nothing else."""

    def __init__(self, channel: AbstractChannel) -> None:
        self._channel = channel
        self._arrived: asyncio.Queue[float] = asyncio.Queue()

    @classmethod
    async def between(cls, publishing: AbstractChannel, consuming: AbstractChannel) -> "_Bare":
        floor = cls(publishing)
        await bare.declare(publishing, QUEUE)

        async def arrive(message: DeliveredMessage) -> None:
            floor._arrived.put_nowait(time.perf_counter())
            await consuming.basic_ack(message.delivery_tag or 0)

        await consuming.basic_qos(prefetch_count=PER_SECOND)
        await consuming.basic_consume(QUEUE, arrive)
        return floor

    async def send_evenly(self, bodies: Sequence[bytes]) -> list[float]:
        """Seconds from each publish to its arrival."""
        start = time.perf_counter()
        taken = []
        for number, body in enumerate(bodies):
            await asyncio.sleep(start + number / PER_SECOND - time.perf_counter())
            begun = time.perf_counter()
            await bare.publish(self._channel, [body], exchange=QUEUE, key="any", in_flight=1)
            taken.append(await self._arrived.get() - begun)
        return taken


def percentiles(of: str, seconds: Sequence[float]) -> Figures:
    """The median and the 95th percentile, in milliseconds."""
    ordered = sorted(seconds)
    return {
        f"{of} {name}": 1000 * ordered[min(int(len(ordered) * part), len(ordered) - 1)]
        for name, part in (("p50", 0.5), ("p95", 0.95))
    }
