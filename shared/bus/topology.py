"""Exchanges and queues: who hears what, where a message waits, where it is parked.

Declared whole by every service that connects, so that no event can be published before the queue
of a service that hasn't started yet exists. Types and arguments are the same on RabbitMQ 3.10 and 4.x.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from faststream.rabbit import ExchangeType, QueueType, RabbitBroker, RabbitExchange, RabbitQueue

from shared.events import DELIVERIES_EXCHANGE, PUBLICATIONS_EXCHANGE

if TYPE_CHECKING:
    from faststream.rabbit.schemas.queue import QuorumQueueArgs

ARCHIVE_RECORD = "archive.record"
NOTIFIER_RELEASES = "notifier.releases"
NOTIFIER_MAILS = "notifier.mails"
PUBLISHER_SETTLEMENTS = "publisher.settlements"
PUBLISHER_PREVIEWS = "publisher.previews"

# Redeliveries that RabbitMQ itself counts: handlers cut off by a lost connection or a killed
# process, never failures (those take the ladder). Reaching it means that a message kills its reader.
DELIVERY_LIMIT = 100
# Looking at a parked message counts as a delivery, and RabbitMQ 4 has a default limit of 20.
PARKED_DELIVERY_LIMIT = 1_000_000

PUBLICATIONS = RabbitExchange(PUBLICATIONS_EXCHANGE, type=ExchangeType.TOPIC, durable=True)
DELIVERIES = RabbitExchange(DELIVERIES_EXCHANGE, type=ExchangeType.TOPIC, durable=True)
EXCHANGES = {exchange.name: exchange for exchange in (PUBLICATIONS, DELIVERIES)}


@dataclass(frozen=True)
class Queue:
    """A consumer's queue: durable, quorum, with a parking place of its own."""

    name: str
    bindings: tuple[tuple[RabbitExchange, str], ...] = ()
    in_order: bool = False
    """One consumer at a time (single active consumer), in whatever number of processes."""

    def declaration(self) -> RabbitQueue:
        arguments: dict[str, object] = {
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": parked_name(self.name),
            # At-least-once dead-lettering silently falls back to at-most-once without reject-publish.
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
            "x-delivery-limit": DELIVERY_LIMIT,
        }
        if self.in_order:
            arguments["x-single-active-consumer"] = True
        return _quorum(self.name, arguments)


def _quorum(name: str, arguments: dict[str, object]) -> RabbitQueue:
    # FastStream's TypedDict of a quorum queue's arguments lacks x-dead-letter-strategy.
    known = cast("QuorumQueueArgs", arguments)
    return RabbitQueue(name, queue_type=QueueType.QUORUM, durable=True, arguments=known)


def parked_name(queue: str) -> str:
    """Where messages of a queue wait for a person."""
    return f"parked.{queue}"


def parked_declaration(queue: str) -> RabbitQueue:
    return _quorum(parked_name(queue), {"x-delivery-limit": PARKED_DELIVERY_LIMIT})


def channel_queue(channel: str) -> str:
    """The queue of one channel: a slow or broken one holds up only itself."""
    return f"publisher.{channel}"


def queues(channels: Sequence[str]) -> tuple[Queue, ...]:
    """All consumers' queues where these channels are on."""
    return (
        Queue(ARCHIVE_RECORD, ((PUBLICATIONS, "publication.#"), (DELIVERIES, "delivery.#"))),
        Queue(
            NOTIFIER_RELEASES,
            tuple((PUBLICATIONS, f"publication.{fact}.*") for fact in ("advance", "released", "withdrawn")),
        ),
        Queue(NOTIFIER_MAILS),
        Queue(PUBLISHER_SETTLEMENTS),
        *(
            Queue(
                channel_queue(channel),
                tuple((PUBLICATIONS, f"publication.{fact}.*") for fact in ("released", "withdrawn")),
                in_order=True,
            )
            for channel in channels
        ),
    )


ANSWER_WITHIN = 10.0
"""Seconds after which nobody waits for an answer any more."""


def question_declaration(name: str) -> RabbitQueue:
    """A queue of questions: one that nobody answers in time is dropped, since nobody listens any more."""
    return _quorum(name, {"x-message-ttl": round(ANSWER_WITHIN * 1000), "x-overflow": "reject-publish"})


def wait_name(delay: float) -> str:
    """The name of the wait queue for a delay in seconds: `wait.5s`, `wait.2m`, `wait.1h`."""
    milliseconds = round(delay * 1000)
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1_000)):
        if milliseconds % size == 0:
            return f"wait.{milliseconds // size}{unit}"
    return f"wait.{milliseconds}ms"


def wait_exchange(delay: float) -> RabbitExchange:
    """The fanout before a wait queue: it leaves the routing key free to name the queue a message left."""
    return RabbitExchange(wait_name(delay), type=ExchangeType.FANOUT, durable=True)


def wait_declaration(delay: float) -> RabbitQueue:
    """A wait queue: one fixed delay, since a message's own TTL only counts at the head of a queue.

    It dead-letters to the default exchange with the message's own routing key: back to the queue it left.
    """
    return _quorum(
        wait_name(delay),
        {
            "x-message-ttl": round(delay * 1000),
            "x-dead-letter-exchange": "",
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        },
    )


async def declare(broker: RabbitBroker, channels: Sequence[str], ladder: Sequence[float]) -> None:
    """Declare the whole topology; the same declaration again changes nothing."""
    for exchange in EXCHANGES.values():
        await broker.declare_exchange(exchange)
    for delay in ladder:
        waiting = await broker.declare_queue(wait_declaration(delay))
        await waiting.bind(await broker.declare_exchange(wait_exchange(delay)))
    await broker.declare_queue(question_declaration(PUBLISHER_PREVIEWS))
    for queue in queues(channels):
        await broker.declare_queue(parked_declaration(queue.name))
        declared = await broker.declare_queue(queue.declaration())
        for exchange, pattern in queue.bindings:
            await declared.bind(await broker.declare_exchange(exchange), routing_key=pattern)
