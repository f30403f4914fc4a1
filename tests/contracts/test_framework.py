"""What we rely on in FastStream, aio-pika and RabbitMQ. An upgrade that changes one of these must be noticed.

Each test names the trap it pins; `docs/architecture.md` says what the code does about it.
"""

import asyncio
from collections.abc import AsyncIterator

import aio_pika
import pytest
from aio_pika.exceptions import PublishError
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitMessage, RabbitQueue

from shared.bus.connection import _undecoded
from shared.bus.publishing import BusUnavailable, publish
from shared.settings import SharedSettings
from tests.rabbit import channel, depth, take
from tests.waiting import eventually

QUEUE = RabbitQueue("framework.trap", queue_type=QueueType.QUORUM, durable=True)


@pytest.fixture
async def broker(shared_settings: SharedSettings) -> AsyncIterator[RabbitBroker]:
    """A strict broker and an empty queue."""
    opened = RabbitBroker(
        shared_settings.amqp_url.get_secret_value(),
        default_channel=Channel(on_return_raises=True),
        logger=None,
        apply_types=False,
    )
    await opened.connect()
    await (await opened.declare_queue(QUEUE)).purge()
    yield opened
    await opened.stop()


async def test_a_publish_is_not_persistent_unless_told(
    broker: RabbitBroker, shared_settings: SharedSettings
) -> None:
    """Hence `persist=True` in `shared.bus.publishing`."""
    await broker.publish(b"x", QUEUE.name, content_type="text/plain")
    message = await take(shared_settings, QUEUE.name)
    assert message is not None
    assert message.delivery_mode == aio_pika.DeliveryMode.NOT_PERSISTENT


async def test_an_unroutable_message_is_silent_by_default(
    shared_settings: SharedSettings,
) -> None:
    """Hence `on_return_raises=True`, with which it raises."""
    lax = RabbitBroker(shared_settings.amqp_url.get_secret_value(), logger=None)
    await lax.connect()
    await lax.publish(b"x", "framework.nowhere")
    await lax.stop()


async def test_an_unroutable_message_raises_on_a_strict_channel(broker: RabbitBroker) -> None:
    with pytest.raises(PublishError):
        await broker.publish(b"x", "framework.nowhere")


async def test_a_blocked_publish_obeys_our_deadline(
    broker: RabbitBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FastStream ignores its own `timeout`; a broker that never confirms must not hold a caller for ever."""
    monkeypatch.setattr("shared.bus.publishing.DEADLINE", 0.2)

    async def never(*args: object, **kwargs: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(broker, "publish", never)
    with pytest.raises(BusUnavailable, match="no confirm"):
        await publish(broker, b"x", routing_key=QUEUE.name, content_type="text/plain", message_id="1")


async def test_a_cancellation_that_nobody_asked_for_is_a_lost_connection(
    broker: RabbitBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stuck connection ends its publishes with CancelledError, which would end the caller's task."""

    async def cut(*args: object, **kwargs: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(broker, "publish", cut)
    with pytest.raises(BusUnavailable, match="connection was lost"):
        await publish(broker, b"x", routing_key=QUEUE.name, content_type="text/plain", message_id="1")


async def test_a_cancellation_of_the_caller_stays_one(broker: RabbitBroker) -> None:
    async def call() -> None:
        await publish(broker, b"x", routing_key=QUEUE.name, content_type="text/plain", message_id="1")

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_handler_that_is_cancelled_acknowledges_nothing(
    broker: RabbitBroker, shared_settings: SharedSettings
) -> None:
    """Before FastStream 0.7.5 a cancelled handler's message was rejected, and so lost."""
    consumer = RabbitBroker(
        shared_settings.amqp_url.get_secret_value(),
        decoder=_undecoded,
        graceful_timeout=0.1,
        logger=None,
        apply_types=False,
    )
    begun = asyncio.Event()

    async def hang(message: RabbitMessage) -> None:
        begun.set()
        await asyncio.Event().wait()

    consumer.subscriber(QUEUE, channel=Channel(prefetch_count=1), no_reply=True)(hang)
    await consumer.start()
    await broker.publish(b"x", QUEUE.name, content_type="text/plain")
    await asyncio.wait_for(begun.wait(), 20)
    await consumer.stop()

    async def back() -> bool:
        return await depth(shared_settings, QUEUE.name) == 1

    await eventually(back)


async def test_the_undecoded_message_reaches_the_handler(
    broker: RabbitBroker, shared_settings: SharedSettings
) -> None:
    """Our decoder hands on the raw message: a body that isn't JSON can't fail before our own code sees it."""
    seen: list[tuple[bytes, str | None]] = []
    consumer = RabbitBroker(
        shared_settings.amqp_url.get_secret_value(), decoder=_undecoded, logger=None, apply_types=False
    )

    async def look(message: RabbitMessage) -> None:
        seen.append((message.body, message.content_type))

    consumer.subscriber(QUEUE, channel=Channel(prefetch_count=5), no_reply=True)(look)
    await consumer.start()
    await broker.publish(b"0", QUEUE.name, content_type="application/json")
    await broker.publish(b"{", QUEUE.name, content_type="application/json")

    async def both() -> bool:
        return len(seen) == 2

    await eventually(both)
    await consumer.stop()
    assert seen == [(b"0", "application/json"), (b"{", "application/json")]


async def test_a_wait_queue_returns_a_message_to_the_queue_its_key_names(
    shared_settings: SharedSettings,
) -> None:
    """One wait queue serves all queues: dead-lettered to the default exchange with the message's own key."""
    async with channel(shared_settings) as opened:
        exchange = await opened.get_exchange("wait.100ms")
        await exchange.publish(
            aio_pika.Message(b"back", delivery_mode=aio_pika.DeliveryMode.PERSISTENT), "notifier.mails"
        )

    async def back() -> bool:
        return await depth(shared_settings, "notifier.mails") == 1

    await eventually(back)
