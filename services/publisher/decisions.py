"""What is due on a channel, from what the ledger knows of a publication there and what an event asks."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, JsonValue

from services.publisher.channels.interface import Posted, Settlement
from shared.events import Outcome
from shared.publication import Fact, rank_of

LOWEST_RANK = rank_of(1, Fact.RELEASED)
"""Nothing that a channel hears of stands before it."""

WITHDRAWN_UNSEEN = "Відкликано до оприлюднення: на каналі нічого не з’являлося."
WITHDRAWN_FIRST = "Відкликано раніше, ніж дійшло до каналу: на каналі нічого не з’являлося."


class CallState(StrEnum):
    """What is known of a call that was begun and whose outcome isn't recorded."""

    CALLING = "calling"
    """It is under way, or its process died."""
    UNCONFIRMED = "unconfirmed"
    """It ended without saying whether it took effect."""
    FAILED = "failed"
    """It certainly took no effect."""


class OpenCall(BaseModel):
    """A call begun for a fact of this rank."""

    model_config = ConfigDict(frozen=True)

    rank: int
    creates: bool
    """It was to put something up that wasn't there: made twice, it might stand there twice."""
    removes: bool = False
    """It was to take down what stands there."""
    inherits_doubt: bool = False
    """An earlier call may have put something up; kept where the channel is repeatable and isn't asked."""
    state: CallState = CallState.CALLING
    remembered: dict[str, JsonValue] = {}
    event: bytes
    """The event that asked for it, encoded, so that it can be asked for again."""
    delivery: bytes | None = None
    """The report that it is unconfirmed, encoded."""


class Lease(BaseModel):
    """Who alone may act on an entry, and until when."""

    model_config = ConfigDict(frozen=True)

    owner: str
    until: datetime


class Entry(BaseModel):
    """What the ledger knows of one publication on one channel."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    rank: int = 0
    """The highest fact whose outcome is recorded; 0 for none."""
    posted: Posted | None = None
    """What stands there."""
    shown: bool = False
    """Whether the last recorded outcome says that it is up."""
    dropped: bool = False
    """Whether it was settled as not shown: whoever said so may still think better of it."""
    delivery: bytes | None = None
    """The report of the recorded outcome, encoded: a redelivery sends this very event again."""
    call: OpenCall | None = None
    lease: Lease | None = None

    @property
    def newest(self) -> int:
        """The highest fact that was acted on; what is older must not be."""
        return max(self.rank, self.call.rank if self.call else 0)

    @property
    def blank(self) -> bool:
        """Nothing is there, and nothing may be."""
        return self.posted is None and not self.shown and not self.in_doubt

    @property
    def in_doubt(self) -> bool:
        """A call may have put something up that the ledger doesn't know of."""
        call = self.call
        if call is None:
            return False
        return call.inherits_doubt or (call.creates and call.state is not CallState.FAILED)

    @property
    def perhaps_gone(self) -> bool:
        """A call may have taken down what the ledger says is up."""
        call = self.call
        return call is not None and call.removes and call.state is not CallState.FAILED


@dataclass(frozen=True)
class Order:
    """What one event asks of a channel."""

    rank: int
    withdrawn: bool
    targeted: bool
    """The publication names the channel among its targets."""
    was_released: bool
    refusal: str | None = None
    """Why the channel doesn't take it."""


@dataclass(frozen=True)
class Wait:
    """Another owner holds the lease."""


@dataclass(frozen=True)
class Nothing:
    """It is none of the channel's business, or older than what is known."""


@dataclass(frozen=True)
class Repeat:
    """Done before: send the same report again."""

    delivery: bytes


@dataclass(frozen=True)
class Remember:
    """Keep the rank alone, so that nothing older is shown later."""


@dataclass(frozen=True)
class Skip:
    """Show nothing, and say why."""

    reason: str


@dataclass(frozen=True)
class LookUp:
    """An earlier call may have taken effect: ask the channel, then decide again."""


@dataclass(frozen=True)
class Publish:
    """Put it up."""


@dataclass(frozen=True)
class Update:
    """Change what stands there."""

    posted: Posted


@dataclass(frozen=True)
class Withdraw:
    """Take down what stands there, or leave a notice; `reason` where it isn't the publication's own."""

    posted: Posted | None
    reason: str | None = None


Step = Publish | Update | Withdraw
Action = Wait | Nothing | Repeat | Remember | Skip | LookUp | Step


def decide(entry: Entry, order: Order, *, owner: str, repeatable: bool) -> Action:
    """What is due for `order`, for the owner of the lease.

    The caller claims the lease first; an entry that names another owner in it is waited for.
    """
    if entry.lease is not None and entry.lease.owner != owner:
        return Wait()
    if order.rank == entry.rank:
        return Repeat(entry.delivery) if entry.delivery is not None else Nothing()
    if order.rank < entry.newest:
        return Nothing()
    if entry.blank and not order.targeted:
        return Remember() if order.rank > LOWEST_RANK else Nothing()
    shows = not order.withdrawn and order.refusal is None
    if not repeatable and (entry.in_doubt or (entry.perhaps_gone and shows)):
        return LookUp()
    return _step(entry, order)


def _step(entry: Entry, order: Order) -> Step | Skip:
    # A call in doubt is left only on a repeatable channel, where taking down removes whatever it put up.
    up = entry.posted is not None or entry.shown or entry.in_doubt
    if order.withdrawn:
        if not order.was_released and not up:
            return Skip(WITHDRAWN_UNSEEN)
        return Withdraw(entry.posted)
    if order.refusal is not None:
        return Withdraw(entry.posted, order.refusal) if up else Skip(order.refusal)
    # Gone or not is known here, except on a repeatable channel, where publishing brings back what is gone.
    return Publish() if entry.posted is None or entry.perhaps_gone else Update(entry.posted)


def outcome_of(entry: Entry, step: Step, left: Posted | None) -> tuple[Outcome, str | None]:
    """What the receipt is told once the step is done: the outcome, and why if it isn't plain success.

    `left`: what the channel says stands there now.
    """
    if left is not None and left.awaiting is not None:
        return Outcome.UNCONFIRMED, left.awaiting
    note = left.note if left is not None else None
    if isinstance(step, Withdraw):
        if entry.shown or step.posted is not None or left is not None:
            return Outcome.REMOVED, step.reason or note
        return Outcome.SKIPPED, step.reason or WITHDRAWN_FIRST
    return (Outcome.UPDATED if entry.shown else Outcome.PUBLISHED), note


def settled_outcome(settlement: Settlement) -> tuple[Outcome, str | None]:
    """What the receipt is told of a settlement; one that goes on awaiting (another hour) leaves it open."""
    posted = settlement.posted
    if posted is None:
        return Outcome.SKIPPED, settlement.reason
    if posted.awaiting is not None:
        return Outcome.UNCONFIRMED, posted.awaiting
    return Outcome.PUBLISHED, settlement.reason


def looked_up(entry: Entry, found: Posted | None) -> Entry:
    """The entry once the channel has told what the call in doubt left behind."""
    if found is not None:
        return entry.model_copy(update={"posted": found, "call": None})
    # Only a channel that isn't repeatable is asked, and there no doubt is inherited.
    return failed(entry).model_copy(update={"posted": None})


def failed(entry: Entry) -> Entry:
    """The entry once the open call is known to have had no effect; what it remembers stays."""
    call = entry.call and entry.call.model_copy(update={"state": CallState.FAILED})
    return entry.model_copy(update={"call": call})


def unconfirmed(entry: Entry, delivery: bytes | None) -> Entry:
    """The entry once the open call ended without saying whether it took effect."""
    call = entry.call and entry.call.model_copy(update={"state": CallState.UNCONFIRMED, "delivery": delivery})
    return entry.model_copy(update={"call": call})


def begun(entry: Entry, order: Order, step: Step, event: bytes) -> Entry:
    """The entry while the channel is called."""
    before = entry.call
    creates = isinstance(step, Publish)
    goes_on = before is not None and (before.rank == order.rank or (before.creates and creates))
    call = OpenCall(
        rank=order.rank,
        creates=creates,
        removes=isinstance(step, Withdraw),
        inherits_doubt=entry.in_doubt,
        remembered=before.remembered if before is not None and goes_on else {},
        event=event,
    )
    return entry.model_copy(update={"call": call, "posted": None if creates else entry.posted})


def recorded(entry: Entry, order: Order, step: Step | Skip | Remember, left: Posted | None) -> Entry:
    """The entry once an outcome stands."""
    shown = isinstance(step, Publish | Update)
    changes = {"rank": order.rank, "posted": left, "shown": shown, "dropped": False, "call": None}
    return entry.model_copy(update=changes)
