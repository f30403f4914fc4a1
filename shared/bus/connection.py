"""The bus as a service holds it: two connections, one that publishes and one that consumes.

Two, because RabbitMQ under a memory or disk alarm stops reading from a connection that publishes,
and with it the acknowledgements of a consumer on the same one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from aio_pika.exceptions import AMQPError, ChannelInvalidStateError
from faststream import AckPolicy
from faststream.exceptions import FastStreamException
from faststream.message import StreamMessage
from faststream.rabbit import Channel, RabbitBroker, RabbitMessage

from shared.bus.consuming import Consumer, Consumption, T
from shared.bus.publishing import DEADLINE, BusUnavailable, publish
from shared.bus.topology import (
    ANSWER_WITHIN,
    DELIVERIES,
    EXCHANGES,
    Queue,
    declare,
    question_declaration,
    queues,
)
from shared.events import CONTENT_TYPE, DeliveryReported, PublicationEvent, exchange_of
from shared.settings import SharedSettings
from shared.telemetry import BUS_CONNECTED, DELIVERED, EMITTED, logger

HEARTBEAT = 10
RECONNECT_EVERY = 1.0
GRACE = 20.0
"""Seconds that running handlers get to finish when the service stops."""

_log = logger(__name__)


async def _undecoded(message: StreamMessage[object]) -> object:
    """Hand the message itself to the handler: reading its body is the consumer's, not the framework's."""
    return message


class Tap:
    """One queue's consumer, opened and shut while the service runs; shut at first.

    On a connection of its own: FastStream's subscriber leaves what arrives while it is being stopped
    unacknowledged, and only closing the connection gives that back to the queue.
    """

    def __init__(
        self, bus: "Bus", queue: Queue, heeds: Sequence[str], make: Callable[[], RabbitBroker]
    ) -> None:
        self._bus = bus
        self._queue = queue
        self._heeds = heeds
        self._make = make
        self._broker: RabbitBroker | None = None

    async def open(self) -> None:
        """Begin to consume, once the bus is ready. Raises `BusUnavailable`."""
        if self._broker is not None:
            return
        await self._bus.ready()
        broker = self._make()
        starting = asyncio.ensure_future(self._start(broker))
        try:
            # A connection attempt that is cancelled is made again by aio-pika, with nobody to end it.
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            await asyncio.gather(starting, return_exceptions=True)
            await _stopped(broker)
            raise
        except (TimeoutError, AMQPError, ChannelInvalidStateError, FastStreamException, OSError) as error:
            await _stopped(broker)
            raise BusUnavailable(f"{type(error).__name__}: {error}") from error
        self._broker = broker

    async def _start(self, broker: RabbitBroker) -> None:
        async with asyncio.timeout(DEADLINE):
            await self._bus.bind(self._queue, [f"delivery.*.{target}" for target in self._heeds])
            await broker.start()

    async def shut(self) -> None:
        """Take no more messages; running handlers get as long as at a stop of the service."""
        broker, self._broker = self._broker, None
        if broker is not None:
            await _stopped(broker)

    async def connected(self) -> bool:
        """Whether its connection stands, or none is wanted."""
        return self._broker is None or await self._broker.ping(timeout=1.0)


async def _stopped(broker: RabbitBroker) -> None:
    """Stop a broker, whatever state its connection is in."""
    with suppress(Exception):
        await broker.stop()


class Bus:
    """Publishes events, and runs consumers from `start` to `stop`.

    `start` returns at once; the connection is made, and made again, in the background, so that a
    service starts while the broker is away.
    """

    def __init__(self, settings: SharedSettings) -> None:
        self._settings = settings
        url = _with_heartbeat(settings.amqp_url.get_secret_value())
        self._publisher = RabbitBroker(
            url,
            default_channel=Channel(on_return_raises=True),
            reconnect_interval=RECONNECT_EVERY,
            logger=None,
            apply_types=False,
        )
        self._url = url
        self._consumer = self._consuming_broker()
        self._taps: list[Tap] = []
        self._connecting: asyncio.Task[None] | None = None
        self._consuming = False
        self._ready = asyncio.Event()

    def consume(self, consumption: Consumption[T]) -> None:
        """Register a consumer; before `start`."""
        self._subscribe(self._consumer, self._queue(consumption.queue), consumption)
        self._consuming = True

    def tap(self, consumption: Consumption[T]) -> Tap:
        """Register a consumer that its `Tap` alone opens and shuts."""
        queue = self._queue(consumption.queue)

        def make() -> RabbitBroker:
            broker = self._consuming_broker()
            self._subscribe(broker, queue, consumption)
            return broker

        tap = Tap(self, queue, consumption.heeds, make)
        self._taps.append(tap)
        return tap

    def answer(self, queue: str, reply: Callable[[bytes], Awaitable[bytes]]) -> None:
        """Answer the questions of a queue; before `start`. What `reply` raises leaves one unanswered."""

        async def handler(message: RabbitMessage) -> bytes:
            return await reply(message.body)

        self._consumer.subscriber(question_declaration(queue), channel=Channel(prefetch_count=10))(handler)
        self._consuming = True

    async def ask(self, queue: str, question: bytes) -> bytes:
        """The answer of whoever answers the queue. Raises `BusUnavailable` where nobody does in time."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await self.ready()
                answer = await self._publisher.request(question, queue, content_type="application/json")
        except (TimeoutError, AMQPError, ChannelInvalidStateError, FastStreamException, OSError) as error:
            raise BusUnavailable(f"no answer: {type(error).__name__}") from error
        return answer.body

    def _consuming_broker(self) -> RabbitBroker:
        return RabbitBroker(
            self._url,
            reconnect_interval=RECONNECT_EVERY,
            graceful_timeout=GRACE,
            ack_policy=AckPolicy.REJECT_ON_ERROR,
            decoder=_undecoded,
            logger=None,
            apply_types=False,
        )

    def _queue(self, name: str) -> Queue:
        return next(queue for queue in queues(self._settings.channels) if queue.name == name)

    def _subscribe(self, broker: RabbitBroker, queue: Queue, consumption: Consumption[T]) -> None:
        consumer = Consumer(consumption, self._publisher, self._settings.retry_ladder)

        async def handler(message: RabbitMessage) -> None:
            await consumer(message)

        broker.subscriber(
            queue.declaration(),
            channel=Channel(prefetch_count=consumption.prefetch),
            no_reply=True,
        )(handler)

    async def bind(self, queue: Queue, patterns: Sequence[str]) -> None:
        """Bring deliveries with these routing keys to a queue, beside what the topology brings there."""
        if not patterns:
            return
        declared = await self._publisher.declare_queue(queue.declaration())
        exchange = await self._publisher.declare_exchange(DELIVERIES)
        for pattern in patterns:
            await declared.bind(exchange, routing_key=pattern)

    async def start(self) -> None:
        """Begin to connect."""
        self._connecting = asyncio.create_task(self._connect())

    async def stop(self) -> None:
        """Let running handlers finish, return all else to its queue, close both connections."""
        if self._connecting is not None:
            self._connecting.cancel()
            with suppress(asyncio.CancelledError):
                await self._connecting
        self._ready.clear()
        await asyncio.gather(self._consumer.stop(), *(tap.shut() for tap in self._taps))
        await self._publisher.stop()
        BUS_CONNECTED.labels("publish").set(0)
        BUS_CONNECTED.labels("consume").set(0)

    async def ready(self) -> None:
        """Wait until the topology is declared and the consumers run."""
        await self._ready.wait()

    async def connected(self) -> bool:
        """Whether both connections stand now."""
        brokers = [self._publisher, self._consumer] if self._consuming else [self._publisher]
        states = [self._ready.is_set() and await broker.ping(timeout=1.0) for broker in brokers]
        taps = await asyncio.gather(*(tap.connected() for tap in self._taps))
        if taps:
            states = [states[0], all([*states[1:], *taps])]
        for name, state in zip(("publish", "consume"), states, strict=False):
            BUS_CONNECTED.labels(name).set(state)
        return all(states)

    async def health(self) -> str | None:
        """None where the connections stand, else what ails them."""
        return None if await self.connected() else "not connected"

    async def emit(self, event: PublicationEvent | DeliveryReported) -> None:
        """Put an event on the bus; return when the broker has it safe.

        Raises `BusUnavailable`: emit it again, with the same id.
        """
        await self.emit_encoded(event.encode(), event)

    async def emit_encoded(self, body: bytes, event: PublicationEvent | DeliveryReported) -> None:
        """The same, for an event whose encoding is at hand."""
        await publish(
            self._publisher,
            body,
            exchange=EXCHANGES[exchange_of(event)],
            routing_key=event.routing_key,
            content_type=CONTENT_TYPE,
            message_id=str(event.id),
        )
        EMITTED.labels(event.type).inc()
        if isinstance(event, DeliveryReported):
            DELIVERED.labels(event.data.target, event.data.outcome).inc()

    async def send(self, queue: str, body: bytes, *, message_id: str) -> None:
        """Put a service's own work into one of its own queues. Raises `BusUnavailable`."""
        await publish(
            self._publisher,
            body,
            routing_key=queue,
            content_type="application/json",
            message_id=message_id,
        )

    async def _connect(self) -> None:
        """Connect, declare, consume: until it has worked once. From then on aio-pika recovers by itself."""
        failures = 0
        while True:
            try:
                async with asyncio.timeout(30):
                    await self._publisher.connect()
                    await declare(self._publisher, self._settings.channels, self._settings.retry_ladder)
                    if self._consuming:
                        await self._consumer.start()
            except Exception as error:  # noqa: BLE001  # whatever it was: say it, and try again
                failures += 1
                log = _log.warning if failures > 1 else _log.info
                log("the bus is not reachable yet", reason=f"{type(error).__name__}: {error}")
                await self._reset()
                await asyncio.sleep(min(RECONNECT_EVERY * failures, 5))
            else:
                _log.info("connected to the bus")
                self._ready.set()
                return

    async def _reset(self) -> None:
        for broker in (self._consumer, self._publisher):
            await _stopped(broker)


def _with_heartbeat(url: str) -> str:
    """A dead connection is noticed within three heartbeats."""
    if "heartbeat=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}heartbeat={HEARTBEAT}"
