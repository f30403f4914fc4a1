"""One event's turn at one publication on one channel, from the lease to the recorded outcome."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from pydantic import JsonValue

from services.publisher.channels.interface import Channel, Posted, Unconfirmed
from services.publisher.decisions import (
    Action,
    Entry,
    LookUp,
    Nothing,
    Order,
    Publish,
    Remember,
    Repeat,
    Skip,
    Step,
    Update,
    Wait,
    Withdraw,
    begun,
    decide,
    failed,
    looked_up,
    outcome_of,
    recorded,
    unconfirmed,
)
from services.publisher.ledger import LeaseLost, Ledger
from services.publisher.reports import first_delivery
from shared.bus import Later, Permanent
from shared.events import DeliveryReported, Outcome, PublicationReleased, PublicationWithdrawn, decode
from shared.mongo import StoreUnavailable
from shared.telemetry import logger

_ASK_AGAIN = (0.02, 0.05, 0.1, 0.25)
"""Seconds between claims of a lease that another holds; the last one repeats."""

_log = logger(__name__)


class Turn:
    """Holds the lease of one entry while it does what one event asks for."""

    def __init__(
        self,
        channel: Channel,
        ledger: Ledger,
        event: PublicationReleased | PublicationWithdrawn,
        order: Order,
    ) -> None:
        self._channel = channel
        self._ledger = ledger
        self._event = event
        self._publication = event.data
        self._order = order
        self._owner = secrets.token_hex(8)
        self.entry = Entry()

    async def take(self) -> tuple[DeliveryReported | None, bool]:
        """Do what is due; return the event to report, and whether it is new (not one sent before)."""
        action = await self._claim()
        renewing = asyncio.create_task(_renew(self._ledger, self._key, self._owner))
        try:
            return await self._act(action)
        except (Later, Permanent):
            raise
        except BaseException:
            await self._let_go()
            raise
        finally:
            renewing.cancel()

    @property
    def _key(self) -> tuple[str, UUID]:
        return self._channel.name, self._publication.id

    async def _claim(self) -> Action:
        tries = 0
        while True:
            self.entry = await self._ledger.claim(*self._key, self._owner)
            action = self._decide()
            if not isinstance(action, Wait):
                return action
            await asyncio.sleep(_ASK_AGAIN[min(tries, len(_ASK_AGAIN) - 1)])
            tries += 1

    def _decide(self) -> Action:
        return decide(self.entry, self._order, owner=self._owner, repeatable=self._channel.repeatable)

    async def _act(self, action: Action) -> tuple[DeliveryReported | None, bool]:
        if isinstance(action, LookUp):
            try:
                found = await self._channel.find(self._publication)
            except Unconfirmed as doubt:
                return await self._leave_to_a_person(str(doubt))
            except (Later, Permanent):
                await self._ledger.release(*self._key, self._owner)
                raise
            self.entry = looked_up(self.entry, found)
            action = self._decide()
        if isinstance(action, Nothing | Repeat):
            await self._ledger.release(*self._key, self._owner)
            return _repeated(action)
        if isinstance(action, Remember):
            await self._end(recorded(self.entry, self._order, action, None))
            return None, True
        if isinstance(action, Skip):
            return await self._record(action, None, Outcome.SKIPPED, action.reason)
        if isinstance(action, Publish | Update | Withdraw):
            left = await self._call(action)
            return await self._record(action, left, *outcome_of(self.entry, action, left))
        raise RuntimeError(f"nothing should be left to {action} once the lease is held")

    async def _call(self, step: Step) -> Posted | None:
        """Call the channel between two writes: that it is called, and what came of it."""
        self.entry = begun(self.entry, self._order, step, self._event.encode())
        await self._ledger.keep(*self._key, self._owner, self.entry)
        call = _Call(self)
        try:
            async with asyncio.timeout(self._channel.deadline):
                if isinstance(step, Publish):
                    return await self._channel.publish(self._publication, call)
                if isinstance(step, Update):
                    return await self._channel.update(self._publication, step.posted, call)
                return await self._channel.withdraw(self._publication, step.posted, call)
        except LeaseLost:
            raise
        except (Later, Permanent):
            await self._end(failed(self.entry))
            raise
        except Unconfirmed as doubt:
            await self._end(unconfirmed(self.entry, None))
            raise Later(str(doubt)) from doubt

    async def _record(
        self, step: Step | Skip, left: Posted | None, outcome: Outcome, reason: str | None
    ) -> tuple[DeliveryReported, bool]:
        delivery = first_delivery(self._event, self._channel.name, outcome, left, reason)
        entry = recorded(self.entry, self._order, step, left)
        await self._end(entry.model_copy(update={"delivery": delivery.encode()}))
        return delivery, True

    async def _leave_to_a_person(self, doubt: str) -> tuple[DeliveryReported, bool]:
        call = self.entry.call
        if call is not None and call.rank == self._order.rank and call.delivery is not None:
            await self._ledger.release(*self._key, self._owner)
            return _decoded(call.delivery), False
        delivery = first_delivery(
            self._event, self._channel.name, Outcome.UNCONFIRMED, None, doubt, in_doubt=True
        )
        entry = unconfirmed(self.entry, delivery.encode())
        if entry.call is not None:
            # Settled, it is to become what the newest event says.
            newest = {"rank": self._order.rank, "event": self._event.encode()}
            entry = entry.model_copy(update={"call": entry.call.model_copy(update=newest)})
        await self._end(entry)
        return delivery, True

    async def _end(self, entry: Entry) -> None:
        self.entry = entry
        await self._ledger.release(*self._key, self._owner, entry)

    async def _let_go(self) -> None:
        """End the lease early where that is safe; else it ends by itself.

        A call that was cut off may still be on its way: where it must not be made twice, the rest of
        the lease is time for it to show before anyone looks.
        """
        if self.entry.in_doubt and not self._channel.repeatable:
            return
        with suppress(StoreUnavailable, LeaseLost):
            await asyncio.shield(self._ledger.release(*self._key, self._owner))

    async def remember(self, facts: Mapping[str, JsonValue]) -> None:
        """Keep what the running call wants to find again."""
        call = self.entry.call
        if call is None:
            raise AssertionError("only a running call remembers")
        call = call.model_copy(update={"remembered": {**call.remembered, **facts}})
        self.entry = self.entry.model_copy(update={"call": call})
        await self._ledger.keep(*self._key, self._owner, self.entry)


class _Call:
    """The running call, as the channel sees it."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn

    @property
    def remembered(self) -> Mapping[str, JsonValue]:
        call = self._turn.entry.call
        return {} if call is None else call.remembered

    async def remember(self, **facts: JsonValue) -> None:
        await self._turn.remember(facts)


async def _renew(ledger: Ledger, key: tuple[str, UUID], owner: str) -> None:
    while True:
        await asyncio.sleep(ledger.lease.total_seconds() / 4)
        try:
            await ledger.renew(*key, owner)
        except StoreUnavailable as error:
            _log.warning("the lease could not be renewed", reason=str(error))
        except LeaseLost:
            return


@asynccontextmanager
async def waited_for(ledger: Ledger, channel: str, publication_id: UUID) -> AsyncIterator[tuple[str, Entry]]:
    """The lease of an entry, whoever holds it now: its owner's name and the entry."""
    owner = secrets.token_hex(8)
    while True:
        entry = await ledger.claim(channel, publication_id, owner)
        if entry.lease is not None and entry.lease.owner == owner:
            break
        await asyncio.sleep(_ASK_AGAIN[-1])
    try:
        yield owner, entry
    finally:
        with suppress(LeaseLost):
            await ledger.release(channel, publication_id, owner)


def _repeated(action: Nothing | Repeat) -> tuple[DeliveryReported | None, bool]:
    return (_decoded(action.delivery), False) if isinstance(action, Repeat) else (None, False)


def _decoded(delivery: bytes) -> DeliveryReported:
    event = decode(delivery)
    if not isinstance(event, DeliveryReported):
        raise TypeError("the ledger keeps reports of deliveries")
    return event
