"""When digests are due, on the clock of Kyiv."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.facts import KYIV
from services.notifier.slots import last_slot


def kyiv(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=KYIV)


@pytest.mark.parametrize(
    ("now", "day", "at"),
    [
        ("2026-11-23T16:59:59", "2026-11-22", "2026-11-22T15:00"),
        ("2026-11-23T17:00:00", "2026-11-23", "2026-11-23T15:00"),
        ("2026-11-23T23:59:59", "2026-11-23", "2026-11-23T15:00"),
        ("2026-11-24T00:00:00", "2026-11-23", "2026-11-23T15:00"),
        ("2026-07-01T17:00:00", "2026-07-01", "2026-07-01T14:00"),
    ],
)
def test_the_last_slot_is_the_latest_that_has_come(now: str, day: str, at: str) -> None:
    slot = last_slot(time(17), kyiv(now))
    assert slot.day.isoformat() == day
    assert slot.at == datetime.fromisoformat(at).replace(tzinfo=UTC)


def test_an_hour_that_summer_time_leaves_out_still_has_its_digest() -> None:
    """On 29 March 2026 the clock goes from 03:00 to 04:00."""
    slot = last_slot(time(3, 30), kyiv("2026-03-29T04:30"))
    assert slot.day.isoformat() == "2026-03-29"
    assert slot.at == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_an_hour_that_comes_twice_has_one_digest() -> None:
    """On 25 October 2026 the clock goes from 04:00 back to 03:00."""
    first = last_slot(time(3, 30), datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    second = last_slot(time(3, 30), datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
    assert first == second
    assert first.day.isoformat() == "2026-10-25"


HOURS = st.times().map(lambda at: at.replace(second=0, microsecond=0, tzinfo=None))
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(hour=HOURS, at=MOMENTS)
def test_a_slot_has_come_and_is_at_most_a_day_and_an_hour_old(hour: time, at: datetime) -> None:
    slot = last_slot(hour, at)
    assert slot.at <= at
    assert at - slot.at <= timedelta(hours=25)


@given(hour=HOURS, at=MOMENTS, later=st.timedeltas(timedelta(0), timedelta(days=400)))
def test_slots_follow_the_days_and_never_go_back(hour: time, at: datetime, later: timedelta) -> None:
    assert last_slot(hour, at).day <= last_slot(hour, at + later).day


@given(hour=HOURS, at=MOMENTS)
def test_no_day_is_left_out(hour: time, at: datetime) -> None:
    """Looked at every hour, the days of slots come one after another."""
    days = [last_slot(hour, at + timedelta(hours=hours)).day for hours in range(72)]
    steps = {(after - before).days for before, after in pairwise(days)}
    assert steps <= {0, 1}
