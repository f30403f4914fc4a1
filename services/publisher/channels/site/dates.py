"""Dates as people in the city read them: Ukrainian, by the clock in Kyiv."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime

KYIV = ZoneInfo("Europe/Kyiv")


def day(of: date) -> str:
    """22 листопада 2026 р."""
    if isinstance(of, datetime):
        of = of.astimezone(KYIV).date()
    return _apostrophe(format_date(of, "d MMMM y 'р.'", locale="uk"))


def moment(at: datetime) -> str:
    """22 листопада 2026 р., 14:05"""
    return _apostrophe(format_datetime(at, "d MMMM y 'р.', HH:mm", tzinfo=KYIV, locale="uk"))


def weekday_moment(at: datetime) -> str:
    """неділя, 22 листопада 2026 р., 14:05"""
    return _apostrophe(format_datetime(at, "EEEE, d MMMM y 'р.', HH:mm", tzinfo=KYIV, locale="uk"))


def clock(at: datetime) -> str:
    """14:05"""
    return format_datetime(at, "HH:mm", tzinfo=KYIV, locale="uk")


def span(starts: datetime, ends: datetime | None) -> str:
    """When something is: with the end's hour alone where it ends on the same day."""
    if ends is None:
        return weekday_moment(starts)
    if starts.astimezone(KYIV).date() == ends.astimezone(KYIV).date():
        return f"{weekday_moment(starts)} – {clock(ends)}"
    return f"{weekday_moment(starts)} – {weekday_moment(ends)}"


def machine(at: date) -> str:
    """For `<time datetime>`: with Kyiv's offset, where there is an hour."""
    if isinstance(at, datetime):
        return at.astimezone(KYIV).isoformat(timespec="seconds")
    return at.isoformat()


def month_of(at: datetime) -> str:
    """2026-11"""
    return at.astimezone(KYIV).strftime("%Y-%m")


def month_name(month: str) -> str:
    """`2026-11` as «листопад 2026 року»."""
    return format_date(date.fromisoformat(f"{month}-01"), "LLLL y 'року'", locale="uk")


def month_alone(month: str) -> str:
    """`2026-11` as «листопад»."""
    return format_date(date.fromisoformat(f"{month}-01"), "LLLL", locale="uk")


def _apostrophe(text: str) -> str:
    """CLDR writes пʼятниця with U+02BC; the rest of the site writes U+2019."""
    return text.replace("ʼ", "’")
