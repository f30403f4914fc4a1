"""What the receipt is told, in Ukrainian, about effects and about failed attempts."""

from collections import OrderedDict
from datetime import timedelta
from uuid import UUID

from babel.dates import format_timedelta

from services.publisher.channels.interface import Channel, Posted
from services.publisher.decisions import LOWEST_RANK
from services.publisher.ledger import Ledger
from shared.bus import Later, Permanent
from shared.events import Delivery, DeliveryReported, Outcome, PublicationReleased, PublicationWithdrawn, now

SOURCE = "/publisher"
_REMEMBERED_FAILURES = 1_000
_OUR_FAULT = "Тимчасовий збій на нашому боці."
_TOO_SLOW = "Канал не відповів вчасно."

ChannelEvent = PublicationReleased | PublicationWithdrawn


def first_delivery(
    event: ChannelEvent,
    channel: str,
    outcome: Outcome,
    posted: Posted | None,
    reason: str | None,
    *,
    attempt: int | None = None,
    in_doubt: bool = False,
) -> DeliveryReported:
    """The report of what became of the fact that `event` states."""
    publication = event.data
    delivery = Delivery(
        publication_id=publication.id,
        kind=publication.kind,
        target=channel,
        fact=event.fact,
        revision=publication.revision,
        outcome=outcome,
        at=now(),
        accepted_at=publication.accepted_at,
        url=None if posted is None else posted.url,
        reason=_paragraph(reason),
        attempt=attempt,
        in_doubt=in_doubt,
    )
    return DeliveryReported.of(delivery, source=SOURCE)


def delivery_of(
    before: Delivery, outcome: Outcome, posted: Posted | None, reason: str | None
) -> DeliveryReported:
    """A later report about the fact that `before` was about."""
    told = reason or (posted.note if posted is not None else None)
    after = before.model_copy(
        update={
            "outcome": outcome,
            "at": now(),
            "url": None if posted is None else posted.url,
            "reason": _paragraph(told),
            "in_doubt": False,
        }
    )
    return DeliveryReported.of(after, source=SOURCE)


class Failures:
    """Knows what a channel said when an attempt failed, until the bus asks for the report of it."""

    def __init__(self, channel: Channel, ledger: Ledger) -> None:
        self._channel = channel
        self._ledger = ledger
        self._said: OrderedDict[UUID, str] = OrderedDict()

    def notice(self, event: ChannelEvent, error: Exception) -> None:
        """Keep the words of a channel's own error; all others are told in general words."""
        if isinstance(error, Later | Permanent):
            text = str(error)
        else:
            text = _TOO_SLOW if isinstance(error, TimeoutError) else _OUR_FAULT
        self._said[event.id] = text
        while len(self._said) > _REMEMBERED_FAILURES:
            self._said.popitem(last=False)

    async def delivery(
        self, event: ChannelEvent, *, attempt: int, wait: float | None
    ) -> DeliveryReported | None:
        """The report of a failed attempt; None where the channel owes the receipt nothing for this event."""
        name = self._channel.name
        entry = await self._ledger.get(name, event.subject)
        if entry is not None and entry.newest > event.rank:
            return None
        if name not in event.data.targets and (entry is None or (entry.blank and entry.rank < LOWEST_RANK)):
            return None
        in_doubt = entry is not None and entry.in_doubt and not self._channel.repeatable
        said = self._said.pop(event.id, _OUR_FAULT)
        ended = Outcome.FAILED if wait is None else Outcome.RETRYING
        outcome = Outcome.UNCONFIRMED if in_doubt else ended
        text = f"{said} {_what_now(attempt, wait)}"
        # Where the channel was away before the first attempt counted, there was none.
        return first_delivery(event, name, outcome, None, text, attempt=attempt or None)


def _what_now(attempt: int, wait: float | None) -> str:
    if wait is None:
        tried = "" if attempt == 1 else f" після {attempt} спроб"
        return f"Відкладено{tried}: потрібне рішення людини."
    due = format_timedelta(timedelta(seconds=max(1, round(wait))), add_direction=True, locale="uk")
    return f"Спроба {attempt} не вдалася, наступна {due}." if attempt else f"Спробуємо ще раз {due}."


def _paragraph(text: str | None) -> str | None:
    """One paragraph that fits the event, whatever a channel said."""
    if text is None:
        return None
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())[:1500] or None
