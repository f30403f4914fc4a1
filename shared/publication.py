"""A publication: what a department hands in, and what the services pass to each other about it."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    WithJsonSchema,
    model_validator,
    validate_email,
)

from shared.vocabulary import SECTION_OF_KIND, Body, Kind, Language, Section, Topic, Urgency


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


def _unique(items: Sequence[str]) -> Sequence[str]:
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


class Contact(Model):
    """Who answers journalists' questions about a publication."""

    name: Line
    phone: Annotated[str, StringConstraints(pattern=r"^[+(]?[0-9][0-9() -]{2,30}$")] | None = None
    email: Email | None = None


class EventDetails(Model):
    """When and where an event is, and until when journalists may be accredited to it."""

    starts_at: At
    ends_at: At | None = None
    place: Line
    agenda: Paragraph | None = None
    participants: Annotated[tuple[Line, ...], Field(max_length=100)] = ()
    accreditation_until: At | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.ends_at is not None and self.ends_at < self.starts_at:
            raise ValueError("ends_at must not be before starts_at")
        if self.accreditation_until is not None and self.accreditation_until > self.starts_at:
            raise ValueError("accreditation_until must not be after starts_at")
        return self


class Act(Model):
    """A regulatory act or its draft.

    A draft is published before it is considered (art. 15 of the law on access to public
    information, 2939-VI), hence `considered_on`; an adopted act has its number and date.
    """

    issuer: Literal["city_council", "executive_committee", "mayor"]
    number: Line | None = None
    adopted_on: Day | None = None
    title: Line
    normative: StrictBool
    draft: StrictBool = False
    considered_on: Day | None = None

    @model_validator(mode="after")
    def _adopted_or_draft(self) -> Self:
        if self.draft and self.adopted_on is not None:
            raise ValueError("a draft has no adopted_on")
        if not self.draft and (self.number is None or self.adopted_on is None):
            raise ValueError("an adopted act needs number and adopted_on")
        return self


class Guest(Model):
    """Who speaks in a broadcast; the faction is given for deputies."""

    name: Line
    post: Line | None = None
    faction: Line | None = None


class BroadcastDetails(Model):
    """One airing of a programme. A series is known by station and title together."""

    series: Line
    station: Line
    medium: Literal["tv", "radio", "online"]
    airs_at: At
    state: Literal["planned", "recorded", "aired", "cancelled"] = "planned"
    guests: Annotated[tuple[Guest, ...], Field(max_length=50)] = ()


class _Content(Model):
    """The fields that every kind has."""

    title: Title
    lead: Paragraph
    body: CommonMark
    topics: Annotated[
        tuple[Topic, ...], Field(min_length=1, max_length=len(Topic)), AfterValidator(_unique)
    ] = (Topic.OTHER,)
    covers: Annotated[tuple[Body, ...], Field(max_length=len(Body)), AfterValidator(_unique)] = ()
    urgency: Urgency = Urgency.ROUTINE
    language: Language = Language.UKRAINIAN
    contact: Contact | None = None
    release_at: At | None = Field(
        default=None, description="Public from this hour on; an hour already past means at once."
    )
    embargo_until: At | None = Field(
        default=None,
        description="Accredited media have it at once, nobody may publish it before this hour.",
    )
    channels: Annotated[tuple[ChannelName, ...], Field(max_length=32), AfterValidator(_unique)] | None = (
        Field(default=None, description="Channels wanted; null leaves it to the kind's default.")
    )

    @model_validator(mode="after")
    def _one_hour(self) -> Self:
        if self.release_at is not None and self.embargo_until is not None:
            raise ValueError("give release_at or embargo_until, not both: an embargo ends with the release")
        return self


class News(_Content):
    kind: Literal[Kind.NEWS]


class Announcement(_Content):
    kind: Literal[Kind.ANNOUNCEMENT]


class PressRelease(_Content):
    kind: Literal[Kind.PRESS_RELEASE]


class Explainer(_Content):
    """Makes a decision understood; `explains` is the publication of the act it speaks of."""

    kind: Literal[Kind.EXPLAINER]
    explains: UUID | None = None


class RegulatoryAct(_Content):
    kind: Literal[Kind.REGULATORY_ACT]
    act: Act


class Event(_Content):
    kind: Literal[Kind.EVENT]
    event: EventDetails


class PhotoReport(_Content):
    kind: Literal[Kind.PHOTO_REPORT]


class Video(_Content):
    kind: Literal[Kind.VIDEO]


class Broadcast(_Content):
    kind: Literal[Kind.BROADCAST]
    broadcast: BroadcastDetails


class Interview(_Content):
    """A conversation or comment; `speaker` is who answers."""

    kind: Literal[Kind.INTERVIEW]
    speaker: Guest | None = None


Content = Annotated[
    News
    | Announcement
    | PressRelease
    | Explainer
    | RegulatoryAct
    | Event
    | PhotoReport
    | Video
    | Broadcast
    | Interview,
    Field(discriminator="kind"),
]
"""What a department writes, by kind."""


class Significance(StrEnum):
    """How grave a change is: a major one is told to everyone who got the original."""

    MINOR = "minor"
    MAJOR = "major"


class Change(Model):
    """What a revision changes, in words for the public."""

    significance: Significance
    note: Paragraph


class Correction(Change):
    """A change made after the publication was public."""

    revision: Annotated[int, Field(ge=2)]
    at: At


class Withdrawal(Model):
    """Why and when a publication was taken back."""

    reason: Paragraph
    at: At


class Department(Model):
    """Who hands in: a structural unit of the council or a communal enterprise."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    name: Line


class Fact(StrEnum):
    """What was decided about a publication; a routing key's second word."""

    SCHEDULED = "scheduled"
    ADVANCE = "advance"
    RELEASED = "released"
    WITHDRAWN = "withdrawn"


class _FactOrder(IntEnum):
    SCHEDULED = 0
    ADVANCE = 1
    RELEASED = 2
    WITHDRAWN = 3


def rank_of(revision: int, fact: Fact) -> int:
    """The place of a fact in the order of all facts of one publication; a higher one wins.

    Revisions count first. A withdrawal keeps the revision that it takes back and nothing follows it.
    """
    return revision * len(_FactOrder) + _FactOrder[fact.name]


class Publication(Model):
    """A publication as one fact about it leaves it: whole, so that any single event is enough to act on."""

    id: UUID
    revision: Annotated[int, Field(ge=1)]
    department: Department
    content: Content
    targets: tuple[ChannelName, ...] = Field(
        description="Channels it goes to, and `mail`: whose outcomes its receipt waits for."
    )
    submitted_at: At
    accepted_at: At = Field(
        description="When the fact was decided: the revision or withdrawal accepted, or the hour come."
    )
    released_at: At | None = Field(default=None, description="When it first became public.")
    corrections: tuple[Correction, ...] = Field(
        default=(), description="Public changes since the first release, oldest first."
    )
    withdrawal: Withdrawal | None = None

    @property
    def kind(self) -> Kind:
        return self.content.kind

    @property
    def section(self) -> Section:
        """The rubric of the site, by kind."""
        return SECTION_OF_KIND[self.content.kind]

    @property
    def was_released(self) -> bool:
        """False as long as it was never public: then not even its title may be shown."""
        return self.released_at is not None
