"""When an issue stops taking texts, and when it is expected, in Kyiv."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

KYIV = ZoneInfo("Europe/Kyiv")


def next_deadline(after: datetime, *, weekday: int, hour: int) -> datetime:
    """The first deadline later than `after`: `weekday` is ISO's, `hour` that of Kyiv's clocks."""
    local = after.astimezone(KYIV)
    day = local.date() + timedelta(days=(weekday - local.isoweekday()) % 7)
    found = at_hour(day, hour)
    return found if found > after else at_hour(day + timedelta(days=7), hour)


def at_hour(day: date, hour: int) -> datetime:
    """That hour of that day in Kyiv; whether it is summer time is decided for the day itself."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=KYIV)


def expected_on(deadline: datetime, days: int) -> date:
    """The day on which the issue should come out."""
    return deadline.astimezone(KYIV).date() + timedelta(days=days)
