"""A publication: what a department hands in, and what the services pass to each other about it."""

from enum import IntEnum, StrEnum
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, StrictBool, StringConstraints, model_validator

from shared.fields import (
    At,
    ChannelName,
    CommonMark,
    Day,
    Email,
    Line,
    Model,
    Paragraph,
    Title,
    unique,
)
from shared.vocabulary import SECTION_OF_KIND, Body, Kind, Language, MediaForm, Section, Topic, Urgency


def _each_once(ids: tuple[UUID, ...]) -> tuple[UUID, ...]:
    if len(set(ids)) != len(ids):
        raise ValueError("each file may stand only once")
    return ids


class Contact(Model):
    """Who answers journalists' questions about a publication."""

    name: Line
    phone: Annotated[str, StringConstraints(pattern=r"^[+(]?[0-9][0-9() -]{2,30}$")] | None = None
    email: Email | None = None


class MediaFile(Model):
    """A file that a publication shows. Its bytes are in the media store, by their hash: `shared.media`."""

    id: UUID = Field(description="As the upload answered it, and as `content.media` names it.")
    form: MediaForm
    media_type: Annotated[str, StringConstraints(pattern=r"^[a-z]+/[a-z0-9.+-]+$")] = Field(
        description="Told from the content: `image/jpeg`, `video/mp4`, `application/pdf`."
    )
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=1)] = Field(description="Bytes.")
    width: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Pixels, upright; of photographs always, of videos where it is known."
    )
    height: Annotated[int, Field(ge=1)] | None = None
    duration: Annotated[float, Field(ge=0)] | None = Field(default=None, description="Seconds of a video.")
    poster: bool = Field(default=False, description="Whether a still of a video is in the store.")
    name: Line | None = Field(default=None, description="The file's name as it was handed in.")
    alt: Line | None = Field(default=None, description="What a photograph shows; every photograph has it.")
    caption: Paragraph | None = None
    author: Line | None = None

    @model_validator(mode="after")
    def _photograph_described(self) -> Self:
        if self.form is MediaForm.PHOTO and (self.alt is None or self.width is None or self.height is None):
            raise ValueError("a photograph needs alt, width and height")
        return self


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
        tuple[Topic, ...], Field(min_length=1, max_length=len(Topic)), AfterValidator(unique)
    ] = (Topic.OTHER,)
    covers: Annotated[tuple[Body, ...], Field(max_length=len(Body)), AfterValidator(unique)] = ()
    urgency: Urgency = Urgency.ROUTINE
    language: Language = Language.UKRAINIAN
    contact: Contact | None = None
    media: Annotated[tuple[UUID, ...], Field(max_length=50), AfterValidator(_each_once)] = Field(
        default=(), description="Files handed in before, by their ids, in the order to show them in."
    )
    release_at: At | None = Field(
        default=None, description="Public from this hour on; an hour already past means at once."
    )
    embargo_until: At | None = Field(
        default=None,
        description="Accredited media have it at once, nobody may publish it before this hour.",
    )
    channels: Annotated[tuple[ChannelName, ...], Field(max_length=32), AfterValidator(unique)] | None = Field(
        default=None, description="Channels wanted; null leaves it to the kind's default."
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
    media: tuple[MediaFile, ...] = Field(
        default=(), description="What `content.media` names, as it was when the fact was decided."
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
    def photos(self) -> tuple[MediaFile, ...]:
        return self._files(MediaForm.PHOTO)

    @property
    def videos(self) -> tuple[MediaFile, ...]:
        return self._files(MediaForm.VIDEO)

    @property
    def documents(self) -> tuple[MediaFile, ...]:
        return self._files(MediaForm.DOCUMENT)

    def _files(self, form: MediaForm) -> tuple[MediaFile, ...]:
        return tuple(file for file in self.media if file.form is form)

    @property
    def was_released(self) -> bool:
        """False as long as it was never public: then not even its title may be shown."""
        return self.released_at is not None
