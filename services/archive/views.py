"""What the archive answers to programs: publications, receipts, lists."""

from collections.abc import Mapping
from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.archive.precedence import State
from shared.events import Delivery, Outcome
from shared.publication import (
    Act,
    BroadcastDetails,
    Change,
    Contact,
    Correction,
    Department,
    EventDetails,
    Fact,
    Guest,
    MediaFile,
    Publication,
    Withdrawal,
)
from shared.vocabulary import Body, Kind, Language, Section, Topic, Urgency


def _none(value: object) -> bool:
    """For members that are left out of the answer where there is none."""
    return value is None


class View(BaseModel):
    """Base of the answers: made here, never read from a client."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Entry(View):
    """One target's outcome that stands."""

    target: str
    outcome: Outcome
    revision: int
    at: datetime
    url: str | None = Field(default=None, exclude_if=_none, description="Where people see it.")
    recipients: int | None = Field(default=None, exclude_if=_none, description="Mails accepted and refused.")
    failed: int | None = Field(default=None, exclude_if=_none, description="Mails refused for good.")
    reason: str | None = Field(
        default=None, exclude_if=_none, description="Why, in Ukrainian, where it isn't plain success."
    )
    attempt: int | None = Field(default=None, exclude_if=_none, description="The attempt that ended so.")
    in_doubt: bool = Field(default=False, description="A person has to look whether it is there.")

    @classmethod
    def of(cls, report: Delivery) -> Self:
        return cls.model_validate(report.model_dump())


class Happening(View):
    """A step of the way: a decision about the publication, or (with `target`) what one target made of it."""

    at: datetime
    event: UUID
    fact: Fact
    revision: int
    target: str | None = Field(default=None, exclude_if=_none)
    outcome: Outcome | None = Field(default=None, exclude_if=_none)
    url: str | None = Field(default=None, exclude_if=_none)
    recipients: int | None = Field(default=None, exclude_if=_none)
    failed: int | None = Field(default=None, exclude_if=_none)
    reason: str | None = Field(default=None, exclude_if=_none)
    attempt: int | None = Field(default=None, exclude_if=_none)


class Completeness(View):
    """The receipt as it stands in lists."""

    complete: bool = Field(description="Nothing more will happen by itself.")
    page: str = Field(description="The receipt's address for people.")


class Receipt(Completeness):
    """What became of a publication, everywhere."""

    entries: list[Entry]
    waiting: list[str] = Field(description="Targets that have not reported the latest decision yet.")
    timeline: list[Happening] = Field(description="Every decision and outcome, oldest first.")


class Revision(View):
    """One revision's text, and what it changed if the publication was public by then."""

    revision: int
    at: datetime
    title: str
    lead: str | None = Field(description="None of what was withdrawn.")
    body: str | None = Field(description="None of what was withdrawn.")
    change: Change | None = Field(default=None, exclude_if=_none)

    def emptied(self) -> Self:
        """What is told of it after the withdrawal."""
        return self.model_copy(update={"lead": None, "body": None})


class _Publication(View):
    id: UUID
    kind: Kind
    revision: int
    state: State
    title: str
    lead: str | None = Field(description="None of what was withdrawn.")
    topics: list[Topic]
    covers: list[Body]
    urgency: Urgency
    language: Language
    department: Department
    section: Section
    contact: Contact | None = None
    release_at: datetime | None = None
    embargo_until: datetime | None = None
    channels: list[str] | None = None
    media: list[MediaFile] = Field(description="Its files, in the order to show them in.")
    event: EventDetails | None = Field(default=None, exclude_if=_none)
    act: Act | None = Field(default=None, exclude_if=_none)
    broadcast: BroadcastDetails | None = Field(default=None, exclude_if=_none)
    explains: UUID | None = Field(default=None, exclude_if=_none)
    speaker: Guest | None = Field(default=None, exclude_if=_none)
    submitted_at: datetime
    accepted_at: datetime = Field(description="When the latest decision was accepted.")
    released_at: datetime | None = Field(default=None, description="When it first became public.")
    corrections: list[Correction] = Field(description="Public changes since, oldest first.")
    withdrawal: Withdrawal | None = None


class Detail(_Publication):
    """A publication: the latest revision, those before it, and the receipt."""

    body: str | None = Field(description="CommonMark; none of what was withdrawn.")
    revisions: list[Revision] = Field(description="Oldest first.")
    receipt: Receipt


class Summary(_Publication):
    """A publication in a list."""

    url: str | None = Field(default=None, exclude_if=_none, description="Where people read it on the site.")
    receipt: Completeness


class Listing(View):
    """One page of a list; `next` is the `after` of the page that follows, null on the last one."""

    items: list[Summary]
    next: str | None


class RawEvent(View):
    """An event as it came, and when it was stored."""

    received_at: datetime
    event: dict[str, object]


class RawEvents(View):
    """All events of a publication in the order they were made."""

    items: list[RawEvent]


_CONTENT = ("lead", "body", "contact", "event", "act", "broadcast", "explains", "speaker")


def members(publication: Mapping[str, object], state: State, *, shown: bool) -> dict[str, object]:
    """A publication's members as answers have them; from a dump of it, with or without the body.

    Without its content where it is not `shown`.
    """
    content = publication["content"]
    if not isinstance(content, Mapping):
        raise TypeError("a publication's content is a mapping")
    hidden: dict[str, object] = {} if shown else {**dict.fromkeys(_CONTENT), "media": []}
    # What was recorded before there were files has none.
    return {**content, "media": [], **publication, "state": state, **hidden}


def dumped(publication: Publication) -> dict[str, object]:
    """A publication as plain values, with its section."""
    return publication.model_dump(mode="json") | {"section": publication.section.value}
