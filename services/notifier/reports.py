"""What the receipt hears of a fan-out: pure functions from counts to delivery events."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.notifier.records import FanOut, MailState, Target
from shared.events import Delivery, DeliveryReported, Outcome, now
from shared.publication import Fact
from shared.vocabulary import Kind

SOURCE = "/notifier"


@dataclass(frozen=True, slots=True)
class Subject:
    """Which fact about which publication a report is about."""

    publication: UUID
    kind: Kind
    fact: Fact
    revision: int
    accepted_at: datetime


@dataclass(frozen=True, slots=True)
class Counts:
    """How many mails of a fan-out are in which state, and a code of those refused and deferred."""

    by_state: Mapping[MailState, int]
    refusal: int | None = None
    deferral: int | None = None

    @property
    def sent(self) -> int:
        return self.by_state.get(MailState.SENT, 0)

    @property
    def refused(self) -> int:
        return self.by_state.get(MailState.REFUSED, 0)

    @property
    def settled(self) -> int:
        return self.sent + self.refused

    @property
    def superseded(self) -> int:
        return self.by_state.get(MailState.SUPERSEDED, 0)

    @property
    def unsent(self) -> int:
        total: int = Counter(self.by_state).total()
        return total - self.settled - self.superseded - self.by_state.get(MailState.CANCELLED, 0)


def good_outcome(fanout: FanOut) -> Outcome:
    """What it is called when at least somebody was reached."""
    if fanout.fact is Fact.WITHDRAWN:
        return Outcome.REMOVED
    return Outcome.UPDATED if fanout.follows else Outcome.PUBLISHED


def outcome_of(fanout: FanOut, counts: Counts) -> tuple[Outcome, str | None]:
    """A fan-out's outcome and the reason for it, once none of its mails can change by itself."""
    if counts.unsent:
        return Outcome.FAILED, _unsent(counts)
    if fanout.reason is not None:
        return Outcome.SKIPPED, fanout.reason
    if not counts.settled:
        if counts.superseded:
            return Outcome.SKIPPED, "Не розіслано: раніше надійшла новіша редакція."
        return Outcome.SKIPPED, "Отримувачі тим часом відписалися."
    if counts.refused == counts.settled:
        return Outcome.FAILED, _refused(counts)
    return good_outcome(fanout), _refused(counts) if counts.refused else None


def _refused(counts: Counts) -> str:
    """The number and the code alone: a receipt is no place for people's addresses."""
    code = f" (перша відповідь сервера: {counts.refusal})" if counts.refusal else ""
    return f"Поштовий сервер остаточно відмовив адресатам: {counts.refused} з {counts.settled}{code}."


def _unsent(counts: Counts) -> str:
    return (
        f"Не вдалося надіслати листів: {counts.unsent}. Вони чекають рішення оператора; "
        f"прийнято сервером: {counts.sent}, відхилено: {counts.refused}."
    )


def subject_of(fanout: FanOut) -> Subject:
    """What a fan-out of one publication is about. Raises `ValueError` for a digest: it is about many."""
    if fanout.publication is None or fanout.kind is None or fanout.accepted_at is None:
        raise ValueError(f"{fanout.id} is not about one publication")
    return Subject(fanout.publication, fanout.kind, fanout.fact, fanout.revision, fanout.accepted_at)


def report(
    target: Target,
    about: Subject,
    counts: Counts,
    *,
    outcome: Outcome,
    reason: str | None,
    attempt: int | None = None,
) -> DeliveryReported:
    """A new delivery event. Mails that wait for a person count as failed."""
    unsent = counts.unsent if outcome is Outcome.FAILED else 0
    delivery = Delivery(
        publication_id=about.publication,
        kind=about.kind,
        target=target,
        fact=about.fact,
        revision=about.revision,
        outcome=outcome,
        at=now(),
        accepted_at=about.accepted_at,
        reason=reason,
        recipients=counts.settled + unsent,
        failed=counts.refused + unsent,
        attempt=attempt,
    )
    return DeliveryReported.of(delivery, source=SOURCE)
