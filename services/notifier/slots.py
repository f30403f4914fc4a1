"""When an outlet's digest is due: pure, on the clock of Kyiv."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from services.notifier.facts import KYIV


@dataclass(frozen=True, slots=True)
class Slot:
    """One outlet's digest of one local day."""

    day: date
    at: datetime
    """In UTC."""


def last_slot(hour: time, at: datetime) -> Slot:
    """The latest slot at or before `at`, which is in any zone.

    An hour that the change to summer time leaves out is kept by the clock before the change, so an
    hour later by the new one; of an hour that comes twice in autumn, the first counts.
    """
    today = at.astimezone(KYIV).date()
    slots = (_slot(hour, today - timedelta(days=back)) for back in range(3))
    return next(slot for slot in slots if slot.at <= at)


def _slot(hour: time, day: date) -> Slot:
    return Slot(day, datetime.combine(day, hour, KYIV).astimezone(UTC))
