"""The events on the bus: CloudEvents 1.0 in structured JSON mode.

`type` carries the schema version. A reader ignores fields it doesn't know, so a field may be added
within a version; anything else makes a new version, which readers of the old one park.
"""

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self
from uuid import UUID

import uuid_utils
from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from shared.fields import At, ChannelName, Line, Model, Paragraph
from shared.publication import Fact, Publication, rank_of
from shared.vocabulary import Kind

PUBLICATIONS_EXCHANGE = "publications"
DELIVERIES_EXCHANGE = "deliveries"
CONTENT_TYPE = "application/cloudevents+json"


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): sorts by time of making, 74 of its bits can't be guessed."""
    return UUID(bytes=uuid_utils.uuid7().bytes)


def now() -> datetime:
    """The present in UTC, in the whole milliseconds that the database keeps."""
    at = datetime.now(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


class Outcome(StrEnum):
    """What became of a publication at one target."""

    PUBLISHED = "published"
    UPDATED = "updated"
    REMOVED = "removed"
    SKIPPED = "skipped"
    RETRYING = "retrying"
    UNCONFIRMED = "unconfirmed"
    FAILED = "failed"

    @property
    def final(self) -> bool:
        """Nothing more will happen by itself."""
        return self not in (Outcome.RETRYING, Outcome.UNCONFIRMED)


class Delivery(Model):
    """One target's outcome for one fact about a publication."""

    publication_id: UUID
    kind: Kind
    target: ChannelName
    fact: Fact = Field(description="The fact that was acted on.")
    revision: Annotated[int, Field(ge=1)]
    outcome: Outcome
    at: At
    accepted_at: At = Field(description="When the fact was decided at ingest: start of the end-to-end time.")
    url: str | None = Field(default=None, description="Where people see it.")
    reason: Paragraph | None = Field(
        default=None, description="Why, in Ukrainian, where it isn't plain success."
    )
    recipients: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="Mails accepted and refused."
    )
    failed: Annotated[int, Field(ge=0)] | None = Field(default=None, description="Mails refused for good.")
    attempt: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="The attempt that ended so."
    )
    in_doubt: bool = Field(
        default=False,
        description="Whether the call took effect can't be found out: a person has to look.",
    )

    @property
    def rank(self) -> int:
        """The place of the fact acted on among the publication's facts."""
        return rank_of(self.revision, self.fact)


class _CloudEvent(Model):
    """The envelope; attributes are those of the CloudEvents specification, version 1.0."""

    specversion: Literal["1.0"] = "1.0"
    id: UUID = Field(description="UUIDv7; the same on every redelivery and re-emission.")
    source: Line = Field(description="The service that made it, as a URI reference: `/ingest`.")
    subject: UUID = Field(description="The publication's id.")
    time: AwareDatetime
    datacontenttype: Literal["application/json"] = "application/json"

    def encode(self) -> bytes:
        """The message body."""
        return self.model_dump_json(exclude_none=True).encode()

    def log_context(self) -> dict[str, str]:
        """What every log line about this event carries."""
        return {"publication_id": str(self.subject), "event_id": str(self.id)}


class _PublicationEvent(_CloudEvent):
    fact: ClassVar[Fact]
    data: Publication

    @property
    def rank(self) -> int:
        return rank_of(self.data.revision, self.fact)

    @property
    def routing_key(self) -> str:
        return f"publication.{self.fact}.{self.data.kind}"


class PublicationScheduled(_PublicationEvent):
    """Accepted for a later hour, so that its receipt exists."""

    fact: ClassVar[Fact] = Fact.SCHEDULED
    type: Literal["ua.visnyk.publication.scheduled.v1"] = "ua.visnyk.publication.scheduled.v1"


class PublicationAdvance(_PublicationEvent):
    """Under embargo: accredited media may have it now, nobody may publish it before the hour."""

    fact: ClassVar[Fact] = Fact.ADVANCE
    type: Literal["ua.visnyk.publication.advance.v1"] = "ua.visnyk.publication.advance.v1"


class PublicationReleased(_PublicationEvent):
    """Public from now on, or corrected since."""

    fact: ClassVar[Fact] = Fact.RELEASED
    type: Literal["ua.visnyk.publication.released.v1"] = "ua.visnyk.publication.released.v1"


class PublicationWithdrawn(_PublicationEvent):
    """Taken back, with the public reason."""

    fact: ClassVar[Fact] = Fact.WITHDRAWN
    type: Literal["ua.visnyk.publication.withdrawn.v1"] = "ua.visnyk.publication.withdrawn.v1"


class DeliveryReported(_CloudEvent):
    """What became of a publication at one target."""

    type: Literal["ua.visnyk.delivery.v1"] = "ua.visnyk.delivery.v1"
    data: Delivery

    @property
    def rank(self) -> int:
        return self.data.rank

    @property
    def routing_key(self) -> str:
        return f"delivery.{self.data.outcome}.{self.data.target}"

    @classmethod
    def of(cls, delivery: Delivery, *, source: str) -> Self:
        """A new event, with an id of its own."""
        return cls(
            id=new_id(), source=source, subject=delivery.publication_id, time=delivery.at, data=delivery
        )


PublicationEvent = PublicationScheduled | PublicationAdvance | PublicationReleased | PublicationWithdrawn
Event = Annotated[PublicationEvent | DeliveryReported, Field(discriminator="type")]

EVENT_OF_FACT: dict[
    Fact,
    type[PublicationScheduled]
    | type[PublicationAdvance]
    | type[PublicationReleased]
    | type[PublicationWithdrawn],
] = {
    Fact.SCHEDULED: PublicationScheduled,
    Fact.ADVANCE: PublicationAdvance,
    Fact.RELEASED: PublicationReleased,
    Fact.WITHDRAWN: PublicationWithdrawn,
}

_EVENT: TypeAdapter[PublicationEvent | DeliveryReported] = TypeAdapter(Event)


class Unreadable(ValueError):
    """A message that no reader of this version can make sense of; its text is the reason, on one line."""


def exchange_of(event: PublicationEvent | DeliveryReported) -> str:
    """The exchange an event goes to."""
    return DELIVERIES_EXCHANGE if isinstance(event, DeliveryReported) else PUBLICATIONS_EXCHANGE


def decode(body: bytes) -> PublicationEvent | DeliveryReported:
    """Read a message body.

    Raises `Unreadable` for broken JSON, an unknown type or schema version, and data that
    doesn't fit its schema.
    """
    try:
        return _EVENT.validate_json(body, extra="ignore")
    except ValidationError as error:
        raise Unreadable(_reason(body, error)) from error


def _reason(body: bytes, error: ValidationError) -> str:
    try:
        envelope = json.loads(body)
    except ValueError as broken:
        return f"not JSON: {broken}"
    if not isinstance(envelope, dict) or "type" not in envelope:
        return "not a CloudEvent: no type"
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "union_tag_invalid":
        return f"unknown type or schema version: {str(envelope['type'])[:200]!r}"
    where = ".".join(str(part) for part in first["loc"])
    return f"does not fit its schema: {where}: {first['msg']}"
