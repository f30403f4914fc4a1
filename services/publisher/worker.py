"""One channel's consumer: claims, decides, calls the channel, records, reports."""

import asyncio
from uuid import UUID

from services.publisher.channels.interface import Channel, Settlement
from services.publisher.decisions import LOWEST_RANK, Order
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
from shared.mongo import StoreUnavailable
from shared.telemetry import END_TO_END, log_context, logger

PREPARE_AGAIN = 2.0
"""Seconds between two tries to make a channel ready."""
_PATIENCE = 5.0
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


class Worker:
    """Brings one channel to where the events say it should be."""

    def __init__(self, channel: Channel, ledger: Ledger, bus: Bus) -> None:
        self._channel = channel
        self._ledger = ledger
        self._bus = bus
        self._failures = Failures(channel, ledger)
        self._prepared = asyncio.Event()
        self._ailment: Exception | None = None

    def consumption(self) -> Consumption[Event]:
        """How the channel's queue is consumed."""
        return Consumption(
            channel_queue(self._channel.name),
            read=decode,
            handle=self.handle,
            report=self.report,
            prefetch=self._channel.concurrency,
            deadline=self._channel.deadline + _MARGIN,
        )

    async def prepare(self) -> None:
        """Make the channel ready, however often it takes."""
        while not self._prepared.is_set():
            try:
                await self._channel.prepare()
            except Exception as error:  # noqa: BLE001  # whatever it was: it is told by `health`, and tried again
                self._ailment = error
                _log.warning("the channel is not ready", channel=self._channel.name, reason=_reason(error))
                await asyncio.sleep(PREPARE_AGAIN)
            else:
                self._ailment = None
                self._prepared.set()
                _log.info("the channel is ready", channel=self._channel.name)

    async def ready(self) -> None:
        """Wait until the channel is ready."""
        await self._prepared.wait()

    async def health(self) -> str | None:
        """What keeps the channel from working."""
        if self._prepared.is_set():
            return None
        return "being prepared" if self._ailment is None else _reason(self._ailment)

    async def handle(self, event: Event) -> None:
        """Do what the event asks for, once; return when its report is on the bus."""
        if not isinstance(event, PublicationReleased | PublicationWithdrawn):
            raise Permanent(f"Канал не приймає подій {event.type}.")
        await self._wait_until_ready()
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
            delivery, fresh = await turn.take()
        except Exception as error:
            self._failures.notice(event, error)
            raise
        if delivery is None:
            return
        await self._bus.emit(delivery)
        if fresh:
            self._measure(delivery)

    async def _wait_until_ready(self) -> None:
        if self._prepared.is_set():
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._prepared.wait()
        except TimeoutError as error:
            if self._ailment is None or isinstance(self._ailment, StoreUnavailable):
                raise StoreUnavailable("the channel is being prepared") from error
            raise Later("Канал ще не готовий до роботи.") from self._ailment

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

    async def settle(self, publication_id: UUID, settlement: Settlement) -> None:
        """Record and report what became of a publication after its call was over.

        Does nothing where the ledger knows of no outcome, or the publication is down by now.
        """
        name = self._channel.name
        async with waited_for(self._ledger, name, publication_id) as (owner, entry):
            if entry.delivery is None or not entry.shown:
                return
            before = decode(entry.delivery)
            if not isinstance(before, DeliveryReported):
                return
            outcome = Outcome.PUBLISHED if settlement.posted is not None else Outcome.SKIPPED
            after = delivery_of(before.data, outcome, settlement.posted, settlement.reason)
            settled = entry.model_copy(
                update={
                    "posted": settlement.posted,
                    "shown": settlement.posted is not None,
                    "delivery": after.encode(),
                }
            )
            await self._ledger.keep(name, publication_id, owner, settled)
            with log_context(after.log_context()):
                await self._bus.emit(after)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
