"""One channel's consumer: claims, decides, calls the channel, records, reports."""

import asyncio
from collections.abc import Callable, Collection
from datetime import timedelta
from uuid import UUID

from services.publisher.alerts import Alert, nobody
from services.publisher.channels.interface import Channel, Settlement
from services.publisher.channels.text import shortened
from services.publisher.decisions import LOWEST_RANK, Order, settled_outcome
from services.publisher.ledger import Ledger
from services.publisher.reports import Failures, delivery_of
from services.publisher.turn import Turn, waited_for
from shared.bus import Bus, Consumption, Later, Permanent, channel_queue
from shared.events import (
    DeliveryReported,
    Outcome,
    PublicationEvent,
    PublicationReleased,
    PublicationWithdrawn,
    decode,
    now,
)
from shared.publication import Publication
from shared.telemetry import END_TO_END, log_context, logger

OTHERS_FIRST = timedelta(minutes=10)
"""How long a release waits for the channels that go before."""
_LOOK_AGAIN = (0.05, 0.1, 0.25, 0.5, 1, 1)
"""Seconds between looks at what the others did, before the message is put aside for a while."""
_MARGIN = 15.0
"""Seconds that a message has beside the channel's call: the lease of a dead process, the ledger."""

_log = logger(__name__)
Event = PublicationEvent | DeliveryReported


def order_of(event: PublicationEvent, channel: Channel) -> Order:
    """What the event asks of the channel."""
    publication = event.data
    withdrawn = isinstance(event, PublicationWithdrawn)
    return Order(
        rank=event.rank,
        withdrawn=withdrawn,
        targeted=channel.name in publication.targets,
        was_released=publication.was_released,
        refusal=None if withdrawn else channel.takes(publication),
    )


def _unnoticed(_: Exception | None) -> None:
    """Where nobody wants to know."""


class Worker:
    """Brings one channel to where the events say it should be."""

    def __init__(
        self,
        channel: Channel,
        ledger: Ledger,
        bus: Bus,
        *,
        on: Collection[str] = (),
        notice: Callable[[Exception | None], None] = _unnoticed,
        alert: Alert = nobody,
    ) -> None:
        """`on`: all channels that are on. `notice` is told how each call ended."""
        self._channel = channel
        self._ledger = ledger
        self._bus = bus
        self._first = [name for name in channel.after if name in on]
        self._notice = notice
        self._alert = alert
        self._failures = Failures(channel, ledger)

    def consumption(self) -> Consumption[Event]:
        """How the channel's queue is consumed."""
        return Consumption(
            channel_queue(self._channel.name),
            read=decode,
            handle=self.handle,
            report=self.report,
            heeds=self._channel.heeds,
            prefetch=self._channel.concurrency,
            deadline=self._channel.deadline + _MARGIN,
        )

    async def handle(self, event: Event) -> None:
        """Do what the event asks for, once; return when its report is on the bus."""
        if isinstance(event, DeliveryReported):
            if event.data.target in self._channel.heeds:
                await self._channel.hear(event.data)
            return
        if not isinstance(event, PublicationReleased | PublicationWithdrawn):
            raise Permanent(f"Канал не приймає подій {event.type}.")
        order = order_of(event, self._channel)
        publication = event.data
        if (
            not order.targeted
            and order.rank == LOWEST_RANK
            and await self._ledger.get(self._channel.name, publication.id) is None
        ):
            return
        turn = Turn(self._channel, self._ledger, event, order)
        try:
            if isinstance(event, PublicationReleased) and order.targeted:
                await self._let_others_go_first(event)
            delivery, fresh = await turn.take()
        except Exception as error:
            self._failures.notice(event, error)
            self._notice(error)
            raise
        self._notice(None)
        if delivery is None:
            return
        await self._bus.emit(delivery)
        if fresh:
            self._measure(delivery)
            if delivery.data.in_doubt:
                await self._tell_of_doubt(publication, delivery.data.reason)

    async def _let_others_go_first(self, event: PublicationReleased) -> None:
        """Return when they are done with it, or had their time. Raises `Later`."""
        others = [name for name in self._first if name in event.data.targets]
        for pause in (*_LOOK_AGAIN, 0):
            entries = [await self._ledger.get(name, event.subject) for name in others]
            done = all(entry is not None and entry.rank >= event.rank for entry in entries)
            if done or now() - event.time > OTHERS_FIRST:
                return
            await asyncio.sleep(pause)
        raise Later(f"Чекаємо на канал {', '.join(others)}.", counted=False)

    def _measure(self, delivery: DeliveryReported) -> None:
        data = delivery.data
        _log.info("delivered", channel=data.target, outcome=str(data.outcome), revision=data.revision)
        if data.outcome in (Outcome.PUBLISHED, Outcome.UPDATED, Outcome.REMOVED):
            END_TO_END.labels(data.target).observe(max(0.0, (now() - data.accepted_at).total_seconds()))

    async def report(
        self,
        message: Event,
        *,
        reason: str,  # noqa: ARG002  # the bus's words are for the log; the receipt gets the channel's
        attempt: int,
        wait: float | None,
    ) -> None:
        """Tell the receipt that an attempt failed: tried again in `wait` seconds, or parked."""
        if not isinstance(message, PublicationReleased | PublicationWithdrawn):
            return
        delivery = await self._failures.delivery(message, attempt=attempt, wait=wait)
        if delivery is not None:
            await self._bus.emit(delivery)
            if wait is None:
                await self._tell_of_parked(message.data, delivery.data.reason)

    async def _tell_of_doubt(self, publication: Publication, reason: str | None) -> None:
        await self._alert(
            f"Канал {self._channel.name}: невідомо, чи вийшло «{shortened(publication.content.title, 80)}»",
            f"Подивіться на каналі й розсудіть на сторінці квитанції. {reason or ''}".strip(),
        )

    async def _tell_of_parked(self, publication: Publication, reason: str | None) -> None:
        title = shortened(publication.content.title, 80)
        await self._alert(
            f"Канал {self._channel.name}: публікації відкладено",
            f"«{title}» ({publication.id}) чекає на рішення людини. {reason or ''}".strip(),
        )

    async def settle(self, publication_id: UUID, settlement: Settlement) -> None:
        """Record and report what became of a publication after its call was over.

        Does nothing where the ledger knows of no outcome, or the publication is down by now.
        """
        name = self._channel.name
        async with waited_for(self._ledger, name, publication_id) as (owner, entry):
            if entry.delivery is None or not (entry.shown or entry.dropped):
                return
            before = decode(entry.delivery)
            if not isinstance(before, DeliveryReported):
                return
            outcome, reason = settled_outcome(settlement)
            after = delivery_of(before.data, outcome, settlement.posted, reason)
            settled = entry.model_copy(
                update={
                    "posted": settlement.posted,
                    "shown": settlement.posted is not None,
                    "dropped": settlement.posted is None,
                    "delivery": after.encode(),
                }
            )
            await self._ledger.keep(name, publication_id, owner, settled)
            with log_context(after.log_context()):
                await self._bus.emit(after)
