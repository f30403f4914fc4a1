"""The types of single fields that cross a border: lines, paragraphs, hours, days, addresses."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    validate_email,
)


class Model(BaseModel):
    """Base of everything that crosses a border: unknown fields are refused, instances don't change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def _printable(text: str) -> str:
    """Refuse the control characters that neither XML 1.0 (feeds) nor a mail header can carry."""
    if _UNPRINTABLE.search(text):
        raise ValueError("control characters and unpaired surrogates are not allowed")
    return text


def _one_line(text: str) -> str:
    if any(char in text for char in "\n\r\t\v\f\x85\u2028\u2029"):
        raise ValueError("must be a single line")
    return _printable(text)


def unique(items: Sequence[str]) -> Sequence[str]:
    if len(set(items)) != len(items):
        raise ValueError("each value may stand only once")
    return items


_NUMBER = re.compile(r"\s*[+-]?[0-9.]+\s*")


def _no_number(value: object) -> object:
    """Refuse 5 and "5", which Pydantic would take for a Unix timestamp: an hour, or a day, in 1970."""
    if isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        raise ValueError("must be written out, as RFC 3339 has it")
    return value


def _whole_milliseconds(at: datetime) -> datetime:
    """UTC, cut to what the database keeps, so that a stored hour equals the one submitted."""
    try:
        at = at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("must lie in the years 1 to 9999 of UTC") from error
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


@lru_cache(maxsize=4096)
def _address(text: str) -> str:
    """Checked once for each address: every event carries its contact, and the check is most of reading it."""
    return validate_email(text)[1]


_STRIPPED = StringConstraints(strip_whitespace=True, min_length=1)
Line = Annotated[str, _STRIPPED, Field(max_length=300), AfterValidator(_one_line)]
"""One line of plain text, 1 to 300 characters."""
Title = Annotated[str, _STRIPPED, Field(max_length=250), AfterValidator(_one_line)]
Paragraph = Annotated[str, _STRIPPED, Field(max_length=2_000), AfterValidator(_printable)]
"""Plain text, 1 to 2000 characters."""
CommonMark = Annotated[str, _STRIPPED, Field(max_length=200_000), AfterValidator(_printable)]
ChannelName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
At = Annotated[AwareDatetime, BeforeValidator(_no_number), AfterValidator(_whole_milliseconds)]
"""An hour with its offset; kept in UTC, in whole milliseconds."""
Day = Annotated[date, BeforeValidator(_no_number)]

Email = Annotated[str, AfterValidator(_address), WithJsonSchema({"type": "string", "format": "email"})]
