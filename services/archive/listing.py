"""Lists of publications: what may be asked for, and the pages of the answer."""

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from services.archive.precedence import UNRELEASED, State, milliseconds
from services.archive.words import base_forms
from shared.mongo import Document
from shared.vocabulary import Kind, Section, Topic

KYIV = ZoneInfo("Europe/Kyiv")
MOST = 100

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_UNESCAPED_PLUS = re.compile(r"(?<=T)(.*) (\d\d:?\d\d)$")
_PLACE = re.compile(rb"\d{15}:[0-9a-f]{32}")
_CHECK_BYTES = 6


class BadCursor(ValueError):
    """`after` was not given out by a list with these filters."""


def _instant(value: object, *, end: bool) -> datetime:
    """Read a date (its first or last millisecond in Kyiv) or a datetime (without an offset: in Kyiv)."""
    text = str(value).strip()
    try:
        if _DAY.fullmatch(text):
            day = datetime.combine(date.fromisoformat(text), time.min, KYIV)
            at = day + timedelta(days=1) - timedelta(milliseconds=1) if end else day
        else:
            # A plus that was not escaped in the query arrives as a space.
            at = datetime.fromisoformat(_UNESCAPED_PLUS.sub(r"\1+\2", text))
            at = at if at.tzinfo is not None else at.replace(tzinfo=KYIV)
        return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("give a date like 2026-11-19 or a time like 2026-11-19T10:00:00+02:00") from error


_SCHEMA = WithJsonSchema({"type": "string", "examples": ["2026-11-19", "2026-11-19T10:00:00+02:00"]})
_From = Annotated[datetime, BeforeValidator(lambda value: _instant(value, end=False)), _SCHEMA]
_To = Annotated[datetime, BeforeValidator(lambda value: _instant(value, end=True)), _SCHEMA]


class ListQuery(BaseModel):
    """What a list is asked for. An empty value is the same as none, as forms send it."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    q: str | None = Field(
        default=None,
        max_length=200,
        description="Words that all stand in the title, the lead or the body, in whatever form. "
        "Finds only what is released and stands.",
    )
    kind: list[Kind] = Field(default_factory=list, max_length=50, description="Any of these.")
    section: Section | None = None
    department: str | None = Field(default=None, max_length=63, description="The department's id.")
    topic: list[Topic] = Field(default_factory=list, max_length=50, description="Any of these.")
    state: State | None = Field(
        default=None, description="`scheduled` and `embargoed` need the operator's key."
    )
    since: _From | None = Field(
        default=None, alias="from", description="A date (in Kyiv) or a time, that included."
    )
    until: _To | None = Field(
        default=None, alias="to", description="A date (in Kyiv) or a time, that included."
    )
    limit: int = Field(default=20, ge=1, le=MOST)
    after: str | None = Field(default=None, max_length=200, description="`next` of the page before.")

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, given: object) -> object:
        if not isinstance(given, Mapping):
            return given
        kept: dict[object, object] = {}
        for name, value in given.items():
            filled = [item for item in value if item != ""] if isinstance(value, list) else value
            if filled not in ("", []):
                kept[name] = filled
        return kept

    @classmethod
    def names(cls) -> list[str]:
        """What may stand in the address."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    @property
    def unreleased(self) -> bool:
        """Whether it asks for what is not public yet."""
        return self.state in UNRELEASED

    @property
    def fingerprint(self) -> bytes:
        """Stands for the filters in a cursor."""
        filters = self.model_dump_json(exclude={"limit", "after"})
        return hashlib.sha256(filters.encode()).digest()


def conditions(query: ListQuery, *, operator: bool) -> Document:
    """The filter that finds the query's page. Raises `BadCursor`."""
    found: Document = {"public": {"$in": [True, False]} if operator else True}
    if query.kind:
        found["kind"] = {"$in": sorted(set(query.kind))}
    if query.topic:
        found["topics"] = {"$in": sorted(set(query.topic))}
    for name, value in (
        ("section", query.section),
        ("department", query.department),
        ("state", query.state),
    ):
        if value is not None:
            found[name] = str(value)
    if query.q is not None:
        # None of its words is a word: `$all` of nothing finds nothing.
        found["words"] = {"$all": base_forms(query.q)}
    listed: Document = {}
    if query.since is not None:
        listed["$gte"] = f"{milliseconds(query.since):015d}:"
    if query.until is not None:
        listed["$lt"] = f"{milliseconds(query.until) + 1:015d}:"
    if query.after is not None:
        place = read_cursor(query.after, query)
        listed["$lt"] = min(place, str(listed.get("$lt", place)))
    if listed:
        found["listed"] = listed
    return found


def cursor_after(place: str, query: ListQuery) -> str:
    """Where the next page begins: after this place of the list.

    It grants nothing, what a reader may see is decided anew for each page; so it carries a check
    against mistakes, not a signature.
    """
    raw = place.encode()
    return urlsafe_b64encode(raw + _check(raw, query)).decode().rstrip("=")


def read_cursor(cursor: str, query: ListQuery) -> str:
    """The place that a cursor stands for. Raises `BadCursor`."""
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except ValueError as error:
        raise BadCursor from error
    place, check = raw[:-_CHECK_BYTES], raw[-_CHECK_BYTES:]
    if not _PLACE.fullmatch(place) or check != _check(place, query):
        raise BadCursor
    given_out = place.decode()
    # One cursor has one spelling: base64 would overlook stray characters.
    if cursor != cursor_after(given_out, query):
        raise BadCursor
    return given_out


def _check(place: bytes, query: ListQuery) -> bytes:
    return hashlib.sha256(place + query.fingerprint).digest()[:_CHECK_BYTES]
