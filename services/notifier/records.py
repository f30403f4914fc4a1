"""What the notifier keeps: mails, the fan-outs they belong to, digest items; and the batches on its queue."""

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.events import Unreadable
from shared.publication import Fact
from shared.vocabulary import Kind

BATCH = 50
"""Mails in one message on `notifier.mails`."""


class Purpose(StrEnum):
    """Why somebody gets a mail."""

    ADVANCE = "advance"
    RELEASE = "release"
    CORRECTION = "correction"
    WITHDRAWAL = "withdrawal"
    DIGEST = "digest"


class MailState(StrEnum):
    """Where a mail is. Only `queued`, `claimed`, `sending` and `parked` can still change."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    """A process is about to send it."""
    SENDING = "sending"
    """It may be on the wire: after a crash nobody knows whether the server took it."""
    PARKED = "parked"
    """Its batch waits for a person."""
    SENT = "sent"
    REFUSED = "refused"
    SUPERSEDED = "superseded"
    """A newer fact about the publication came before it was sent."""
    CANCELLED = "cancelled"
    """Its recipient unsubscribed, or its digest had nothing left to say."""


WAITING = (MailState.QUEUED, MailState.PARKED)
HELD = (MailState.CLAIMED, MailState.SENDING)


class Phase(StrEnum):
    """How far a fan-out is; each step is repeated until the next is recorded."""

    PLANNING = "planning"
    """Mails are being written down; none of them can have been sent."""
    PLANNED = "planned"
    """All mails are written down; their batches are being put on the queue."""
    DISPATCHED = "dispatched"


class Target(StrEnum):
    """What an outcome is reported for."""

    MAIL = "mail"
    ADVANCE = "advance"
    DIGEST = "digest"


class Record(BaseModel):
    """A document of the notifier's database."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Mail(Record):
    """One mail to one recipient."""

    id: str = Field(alias="_id")
    fanout: str
    purpose: Purpose
    recipient: str
    name: str
    address: str
    token: str
    publication: UUID | None = None
    """None in a digest."""
    rank: int = 0
    revision: int = 0
    text: str = ""
    """Fingerprint of the text it carries."""
    embargo: str = ""
    since: int = 0
    """A correction's: the revision that its recipient has."""
    renewed: bool = False
    """The recipient has an older text of it, sent under embargo."""
    answers: str | None = None
    """The earlier mail about the same publication that it stands below in a thread."""
    state: MailState = MailState.QUEUED
    owner: str | None = None
    claim: str | None = None
    uncertain: bool = False
    """It may have been taken by the server already."""
    code: int | None = None
    answer: str | None = None


class FanOut(Record):
    """The mails of one fact about a publication, or of one outlet's digest."""

    id: str = Field(alias="_id")
    target: Target
    also: tuple[Target, ...] = ()
    """Targets that hear the same."""
    fact: Fact = Fact.RELEASED
    publication: UUID | None = None
    revision: int = 0
    rank: int = 0
    kind: Kind | None = None
    accepted_at: datetime | None = None
    follows: bool = False
    """Something about the publication was mailed before: the outcome is `updated`."""
    digest: int = 0
    """Subscribers who find it in their digest."""
    covered: int = 0
    """Recipients who have this very text already."""
    phase: Phase = Phase.PLANNING
    owner: str | None = None
    """The process that collects a digest."""
    batches: int = 0
    done: tuple[int, ...] = ()
    parked: tuple[int, ...] = ()
    reports: tuple[str, ...] | None = None
    """The encoded delivery events, once all mails are settled."""
    emitted: bool = False
    reason: str | None = None
    """Why nobody gets a mail, where that is so."""

    @property
    def settled(self) -> bool:
        """Every batch came to its end, for good or for a person to look at."""
        return len({*self.done, *self.parked}) >= self.batches


class DigestItem(Record):
    """A publication that waits for, or stood in, one recipient's digest."""

    id: str = Field(alias="_id")
    publication: UUID
    recipient: str
    state: Literal["pending", "assigned", "dropped"] = "pending"
    mail: str | None = None
    fanout: str | None = None
    revision: int | None = None
    """The revision that the digest carried, from when it was made up."""
    text: str = ""


class MailBatch(BaseModel):
    """A message on `notifier.mails`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    v: Literal[1] = 1
    fanout: str
    batch: Annotated[int, Field(ge=0)]
    subject: str = ""
    """The publication's id, for those who list parked messages."""
    mails: tuple[str, ...]

    @property
    def message_id(self) -> str:
        return f"{self.fanout}/{self.batch}"

    def encode(self) -> bytes:
        return self.model_dump_json().encode()

    def log_context(self) -> dict[str, str]:
        return {"publication_id": self.subject, "fanout": self.fanout, "batch": str(self.batch)}


def read_batch(body: bytes) -> MailBatch:
    """Read a message of `notifier.mails`. Raises `Unreadable`."""
    try:
        return MailBatch.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise Unreadable(f"not a batch of mails: {first['loc']}: {first['msg']}") from error


def fanout_id(publication: UUID, rank: int) -> str:
    """The fan-out of one fact about a publication."""
    return f"{publication}/{rank}"


def digest_id(outlet: str, day: str) -> str:
    """The fan-out of one outlet's digest of one local day."""
    return f"digest/{outlet}/{day}"


def mail_id(fanout: str, recipient: str) -> str:
    """A fan-out's one mail to a recipient; also the left side of its Message-ID."""
    return hashlib.sha256(f"{fanout}/{recipient}".encode()).hexdigest()[:40]


def item_id(publication: UUID, recipient: str) -> str:
    """A publication's one place in a recipient's digests."""
    return f"{publication}/{recipient}"
