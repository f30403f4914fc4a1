"""What the bus promises every service, on a real RabbitMQ."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import aio_pika
import pytest

from shared.bus import (
    ARCHIVE_RECORD,
    NOTIFIER_RELEASES,
    Bus,
    BusUnavailable,
    Consumption,
    Later,
    Permanent,
    Unroutable,
    channel_queue,
)
from shared.bus.consuming import ATTEMPT
from shared.bus.parked import ParkedMessages
from shared.events import DeliveryReported, PublicationEvent, decode
from shared.mongo import StoreUnavailable
from shared.settings import SharedSettings
from tests.rabbit import channel, depth, take
from tests.samples import fact, publication
from tests.waiting import eventually

Event = PublicationEvent | DeliveryReported
SITE = channel_queue("site")


@dataclass
class Told:
    """Records what a consumer reports of its failures."""

    reports: list[tuple[str, int, float | None]] = field(default_factory=list)

    async def __call__(self, message: Event, *, reason: str, attempt: int, wait: float | None) -> None:
        self.reports.append((reason, attempt, wait))


Handle = Callable[[Event], Awaitable[None]]
Start = Callable[..., Awaitable[Bus]]


@pytest.fixture
async def start(shared_settings: SharedSettings) -> AsyncIterator[Start]:
    """Start a bus with a consumer of the site's queue."""
    started: list[Bus] = []

    async def run(handle: Handle | None = None, told: Told | None = None) -> Bus:
        bus = Bus(shared_settings)
        if handle is not None:
            bus.consume(Consumption(SITE, read=decode, handle=handle, report=told))
        await bus.start()
        started.append(bus)
        await asyncio.wait_for(bus.ready(), 20)
        return bus

    yield run
    for bus in started:
        await bus.stop()


async def test_an_event_reaches_every_queue_bound_to_it(
    start: Start, shared_settings: SharedSettings
) -> None:
    bus = await start()
    await bus.emit(fact(publication()))
    for queue in (ARCHIVE_RECORD, SITE, NOTIFIER_RELEASES):
        assert await depth(shared_settings, queue) == 1


async def test_a_published_event_is_persistent_and_carries_its_id(
    start: Start, shared_settings: SharedSettings
) -> None:
    bus = await start()
    event = fact(publication())
    await bus.emit(event)
    message = await take(shared_settings, NOTIFIER_RELEASES)
    assert message is not None
    assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
    assert message.message_id == str(event.id)
    assert decode(message.body) == event


async def test_a_message_that_no_queue_takes_is_an_error(start: Start) -> None:
    bus = await start()
    with pytest.raises(Unroutable):
        await bus.send("nobody.listens", b"{}", message_id="1")


async def test_an_unreadable_message_is_parked_with_its_reason(
    start: Start, shared_settings: SharedSettings
) -> None:
    """Wrong JSON and an unknown schema version: neither looped nor dropped, and those behind them go on."""
    handled: list[Event] = []

    async def handle(event: Event) -> None:
        handled.append(event)

    bus = await start(handle)
    good = fact(publication())
    await bus.send(SITE, b"{not json", message_id="broken")
    await bus.send(SITE, good.encode().replace(b"released.v1", b"released.v9"), message_id="newer")
    await bus.send(SITE, b"0", message_id="number")
    await bus.send(SITE, good.encode(), message_id="good")

    async def all_settled() -> bool:
        return await depth(shared_settings, f"parked.{SITE}") == 3 and handled == [good]

    await eventually(all_settled)
    parked = ParkedMessages(shared_settings.amqp_url.get_secret_value(), [SITE])
    reasons = {message.id: message.reason for message in await parked.list()}
    assert "not JSON" in reasons["broken"]
    assert "released.v9" in reasons["newer"]
    assert "no type" in reasons["number"]


async def test_a_passing_failure_climbs_the_ladder_and_succeeds(start: Start) -> None:
    attempts: list[Event] = []
    told = Told()

    async def handle(event: Event) -> None:
        attempts.append(event)
        if len(attempts) < 3:
            raise Later("not yet")

    bus = await start(handle, told)
    event = fact(publication())
    await bus.emit(event)

    async def third() -> bool:
        return len(attempts) == 3

    await eventually(third)
    assert attempts == [event] * 3
    assert told.reports == [("not yet", 1, 0.1), ("not yet", 2, 0.3)]


async def test_the_end_of_the_ladder_parks_the_message_and_retry_sends_it_again(
    start: Start, shared_settings: SharedSettings
) -> None:
    heal = asyncio.Event()
    done: list[Event] = []
    told = Told()

    async def handle(event: Event) -> None:
        if not heal.is_set():
            raise Later("still down")
        done.append(event)

    bus = await start(handle, told)
    event = fact(publication())
    await bus.emit(event)

    async def parked() -> bool:
        return await depth(shared_settings, f"parked.{SITE}") == 1

    await eventually(parked)
    assert told.reports[-1] == ("tried 3 times: still down", 3, None)
    command = ParkedMessages(shared_settings.amqp_url.get_secret_value(), [SITE])
    [message] = await command.list()
    assert (message.id, message.subject, message.attempts) == (str(event.id), str(event.subject), 3)
    heal.set()
    assert await command.retry([message.id]) == 1

    async def handled() -> bool:
        return done == [event]

    await eventually(handled)
    assert await command.list() == []


async def test_a_permanent_failure_is_parked_at_once(start: Start, shared_settings: SharedSettings) -> None:
    attempts: list[Event] = []

    async def handle(event: Event) -> None:
        attempts.append(event)
        raise Permanent("the channel refuses it")

    told = Told()
    bus = await start(handle, told)
    await bus.emit(fact(publication()))

    async def parked() -> bool:
        return await depth(shared_settings, f"parked.{SITE}") == 1

    await eventually(parked)
    assert len(attempts) == 1
    assert told.reports == [("the channel refuses it", 1, None)]


async def test_drop_deletes_only_what_it_is_told(start: Start, shared_settings: SharedSettings) -> None:
    async def handle(event: Event) -> None:
        raise Permanent("no")

    bus = await start(handle)
    events = [fact(publication()) for _ in range(3)]
    for event in events:
        await bus.emit(event)

    async def all_parked() -> bool:
        return await depth(shared_settings, f"parked.{SITE}") == 3

    await eventually(all_parked)
    command = ParkedMessages(shared_settings.amqp_url.get_secret_value(), [SITE])
    assert await command.drop([str(events[1].id)]) == 1
    assert {m.id for m in await command.list()} == {str(events[0].id), str(events[2].id)}
    assert await command.drop(queue=SITE) == 2


async def test_listing_does_not_use_up_a_parked_message(
    start: Start, shared_settings: SharedSettings
) -> None:
    """Each look is a delivery to RabbitMQ; the parked queue's limit is far above any number of looks."""
    bus = await start()
    await bus.send(f"parked.{SITE}", b"{}", message_id="looked-at")
    command = ParkedMessages(shared_settings.amqp_url.get_secret_value(), [SITE])
    for _ in range(30):
        assert [message.id for message in await command.list()] == ["looked-at"]


async def test_a_message_waits_unharmed_while_the_database_is_away(start: Start) -> None:
    """The store's absence is not the message's failure: no step of the ladder is used."""
    calls: list[Event] = []
    told = Told()

    async def handle(event: Event) -> None:
        calls.append(event)
        if len(calls) < 4:
            raise StoreUnavailable("no primary")

    bus = await start(handle, told)
    await bus.emit(fact(publication()))

    async def handled() -> bool:
        return len(calls) == 4

    await eventually(handled)
    assert told.reports == []


async def test_an_unexpected_exception_is_retried_not_swallowed(start: Start) -> None:
    calls: list[Event] = []

    async def handle(event: Event) -> None:
        calls.append(event)
        if len(calls) == 1:
            raise KeyError("surprise")

    bus = await start(handle)
    await bus.emit(fact(publication()))

    async def twice() -> bool:
        return len(calls) == 2

    await eventually(twice)


async def test_stopping_mid_handler_returns_the_message(
    start: Start, shared_settings: SharedSettings
) -> None:
    """A handler that is cut off acknowledged nothing: another process gets its message."""
    begun = asyncio.Event()

    async def hang(event: Event) -> None:
        begun.set()
        await asyncio.Event().wait()

    bus = await start(hang)
    event = fact(publication())
    await bus.emit(event)
    await asyncio.wait_for(begun.wait(), 20)
    connection = bus._consumer._connection
    assert connection is not None
    await connection.close()

    async def back() -> bool:
        return await depth(shared_settings, SITE) == 1

    await eventually(back)


async def test_a_copy_that_cannot_be_confirmed_leaves_the_original(
    start: Start, shared_settings: SharedSettings
) -> None:
    """The wait queue is gone: the message goes back to its own queue and is tried again, never lost."""
    calls: list[Event] = []
    # A bus of its own: the consumer's failed copy closes the channel that it is published on.
    emitting = await start()

    async def handle(event: Event) -> None:
        calls.append(event)
        if len(calls) < 3:
            raise Later("not yet")

    bus = Bus(shared_settings)
    bus.consume(Consumption(SITE, read=decode, handle=handle))
    await bus.start()
    await asyncio.wait_for(bus.ready(), 20)
    async with channel(shared_settings) as opened:
        await (await opened.get_exchange("wait.100ms")).delete()
    try:
        await emitting.emit(fact(publication()))

        async def third() -> bool:
            return len(calls) >= 3

        await eventually(third)
    finally:
        await bus.stop()


async def test_a_publish_without_a_connection_fails_at_once(shared_settings: SharedSettings) -> None:
    bus = Bus(shared_settings)
    with pytest.raises(BusUnavailable):
        await asyncio.wait_for(bus.emit(fact(publication())), 5)


async def test_the_attempt_header_is_our_own(start: Start, shared_settings: SharedSettings) -> None:
    """RabbitMQ 4 ignores a client's x-death, so the copy carries only our header."""

    async def handle(event: Event) -> None:
        raise Later("down")

    bus = await start(handle)
    await bus.emit(fact(publication()))

    async def parked() -> bool:
        return await depth(shared_settings, f"parked.{SITE}") == 1

    await eventually(parked)
    message = await take(shared_settings, f"parked.{SITE}")
    assert message is not None
    assert message.headers[ATTEMPT] == 3
    assert "x-death" not in message.headers
