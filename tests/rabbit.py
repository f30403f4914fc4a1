"""A test's own look at the broker: plain aio-pika, none of our code between."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from faststream.rabbit import Channel, RabbitBroker

from shared.bus.topology import declare, parked_name, queues, wait_name
from shared.settings import SharedSettings


@asynccontextmanager
async def channel(settings: SharedSettings) -> AsyncIterator[AbstractChannel]:
    """A channel on a connection of its own."""
    connection = await aio_pika.connect(settings.amqp_url.get_secret_value())
    async with connection, connection.channel() as opened:
        yield opened


async def empty_queues(settings: SharedSettings) -> None:
    """Declare the topology, and purge every queue in it."""
    broker = RabbitBroker(
        settings.amqp_url.get_secret_value(), default_channel=Channel(on_return_raises=True), logger=None
    )
    await broker.connect()
    await declare(broker, settings.channels, settings.retry_ladder)
    await broker.stop()
    async with channel(settings) as opened:
        for name in (
            *(wait_name(delay) for delay in settings.retry_ladder),
            *(queue.name for queue in queues(settings.channels)),
            *(parked_name(queue.name) for queue in queues(settings.channels)),
        ):
            await (await opened.get_queue(name)).purge()


async def depth(settings: SharedSettings, queue: str) -> int:
    """Messages ready in a queue, by a passive declaration (counters of the management API lag by seconds)."""
    async with channel(settings) as opened:
        declared = await opened.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0


async def take(settings: SharedSettings, queue: str) -> AbstractIncomingMessage | None:
    """Take one message off a queue, if there is one."""
    async with channel(settings) as opened:
        message = await (await opened.get_queue(queue)).get(fail=False)
        if message is not None:
            await message.ack()
        return message
