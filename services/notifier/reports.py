"""What the receipt hears of a fan-out: pure functions from counts to delivery events."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from services.notifier.records import FanOut, MailState, Target
from shared.events import Delivery, DeliveryReported, Outcome, now
from shared.publication import Fact
from shared.vocabulary import Kind

SOURCE = "/notifier"
REMOVED_TARGET = Target.ADVANCE


@dataclass(frozen=True, slots=True)
class Counts:
    """How many mails of a fan-out are in which state, and the first refusal's code."""

    by_state: Mapping[MailState, int]
    refusal: int | None = None

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


def report(
    fanout: FanOut,
    counts: Counts,
    *,
    outcome: Outcome,
    reason: str | None,
    attempt: int | None = None,
    publication: UUID | None = None,
    kind: Kind | None = None,
) -> DeliveryReported:
    """A new delivery event about the fan-out; of a digest, about one `publication` of it."""
    about = publication or fanout.publication
    if about is None:
        raise ValueError("a digest's report is about one of its publications")
    at = now()
    unsent = counts.unsent if outcome is Outcome.FAILED else 0
    delivery = Delivery(
        publication_id=about,
        kind=kind or fanout.kind or Kind.NEWS,
        target=fanout.target,
        fact=fanout.fact,
        revision=fanout.revision,
        outcome=outcome,
        at=at,
        accepted_at=fanout.accepted_at or at,
        reason=reason,
        recipients=counts.settled + unsent,
        failed=counts.refused + unsent,
        attempt=attempt,
    )
    return DeliveryReported.of(delivery, source=SOURCE)
