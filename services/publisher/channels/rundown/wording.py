"""How a rundown puts things: names, hours in Kyiv, numbers with their nouns."""

import hashlib
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_datetime

from shared.publication import Guest

KYIV = ZoneInfo("Europe/Kyiv")
State = Literal["planned", "recorded", "aired", "cancelled"]
Unit = Literal["broadcast", "programme"]
STATES: Mapping[State, str] = {
    "planned": "заплановано",
    "recorded": "записано",
    "aired": "вийшло в ефір",
    "cancelled": "скасовано",
}
_QUOTES = re.compile("[«»“”„\"'’ʼ]")
_NOUNS: Mapping[Unit, Mapping[str, str]] = {
    "broadcast": {"one": "ефір", "few": "ефіри", "many": "ефірів", "other": "ефіру"},
    "programme": {"one": "програма", "few": "програми", "many": "програм", "other": "програми"},
}


def key_of(*names: str) -> str:
    """What names are known by in an address: the same whatever their spacing, case and quotation marks."""
    plain = "\n".join(" ".join(_QUOTES.sub(" ", name).split()).casefold() for name in names)
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


def counted(number: int, unit: Unit) -> str:
    """21 ефір, 22 програми: CLDR's plural rules for Ukrainian.

    https://cldr.unicode.org/index/cldr-spec/plural-rules
    """
    return f"{number} {_NOUNS[unit][Locale('uk').plural_form(number)]}"


def hour(at: datetime) -> str:
    """26.11.2026 о 19:30, in Kyiv; «об» before eleven."""
    local = at.astimezone(KYIV)
    return f"{local:%d.%m.%Y} {'об' if local.hour == 11 else 'о'} {local:%H:%M}"  # noqa: PLR2004


def weekday_hour(at: datetime) -> str:
    """четвер, 26 листопада 2026 р., 19:30"""
    text = format_datetime(at, "EEEE, d MMMM y 'р.', HH:mm", tzinfo=KYIV, locale="uk")
    return text.replace("ʼ", "’")


def day(on: date) -> str:
    """26.11.2026"""
    return f"{on:%d.%m.%Y}"


def guest(of: Guest) -> str:
    """Name, post, faction."""
    return ", ".join(part for part in (of.name, of.post, of.faction) if part)


def guests(of: tuple[Guest, ...]) -> str:
    """All of them on one line; empty where nobody is named."""
    return "; ".join(map(guest, of))
