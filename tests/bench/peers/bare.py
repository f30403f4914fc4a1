"""The floor: AMQP frames and documents, with nothing between them."""

import asyncio
import os
import sys
from collections.abc import Sequence
from uuid import uuid4

import aiormq
import uvloop
from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.commands import Basic
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection

GROUPED = "bench.floor.grouped"
SINGLY = "bench.floor.singly"
"""Queues, each with an exchange and a collection of its name."""
DATABASE = "bench_floor"
MOST = 100
"""Messages in one write of the grouped floor."""
AT_ONCE = 32
"""Inserts under way at the same time where each message has one."""

_PERSISTENT = Basic.Properties(delivery_mode=2, content_type="application/json")
Stored = AsyncCollection[dict[str, object]]


def document(body: bytes) -> dict[str, object]:
    """A document about as large as the message."""
    return {"_id": str(uuid4()), "body": body.decode()}


async def declare(channel: AbstractChannel, queue: str) -> None:
    """A durable topic exchange of the queue's name, and a quorum queue bound to it."""
    await channel.exchange_declare(exchange=queue, exchange_type="topic", durable=True)
    await channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
    await channel.queue_bind(queue, queue, routing_key="#")


async def publish(
    channel: AbstractChannel, bodies: Sequence[bytes], *, exchange: str, key: str, in_flight: int
) -> None:
    """Return when all are confirmed."""
    waiting = iter(bodies)

    async def one() -> None:
        for body in waiting:
            await channel.basic_publish(
                body, exchange=exchange, routing_key=key, properties=_PERSISTENT, mandatory=True
            )

    await asyncio.gather(*(one() for _ in range(in_flight)))


async def store_grouped(channel: AbstractChannel, stored: Stored) -> None:
    """One write for all messages that came while the last one was on its way, acknowledged together."""
    arrived: asyncio.Queue[DeliveredMessage] = asyncio.Queue()
    await channel.basic_qos(prefetch_count=2 * MOST)
    await channel.basic_consume(GROUPED, arrived.put)
    while True:
        group = [await arrived.get()]
        while len(group) < MOST and not arrived.empty():
            group.append(arrived.get_nowait())
        await stored.insert_many([document(message.body) for message in group], ordered=False)
        await channel.basic_ack(group[-1].delivery_tag or 0, multiple=True)


async def store_singly(channel: AbstractChannel, stored: Stored) -> None:
    """One write a message."""

    async def store(message: DeliveredMessage) -> None:
        await stored.insert_one(document(message.body))
        await channel.basic_ack(message.delivery_tag or 0)

    await channel.basic_qos(prefetch_count=AT_ONCE)
    await channel.basic_consume(SINGLY, store)
    await asyncio.Event().wait()


async def main(queue: str) -> None:
    """Consume until ended."""
    connection = await aiormq.connect(os.environ["PEER_AMQP_URL"])
    channel = await connection.channel()
    await declare(channel, queue)
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(os.environ["PEER_MONGO_URL"])
    store = store_grouped if queue == GROUPED else store_singly
    await store(channel, client[DATABASE][queue])


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1]))
