"""What becomes of a submission: accepted, revised, released at its hour, withdrawn. Decisions only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from uuid import UUID

from pydantic import AwareDatetime

from services.ingest.targets import targets_of
from shared.events import EVENT_OF_FACT, PublicationEvent, new_id
from shared.fields import Model
from shared.publication import (
    Change,
    Content,
    Correction,
    Department,
    Fact,
    MediaFile,
    Publication,
    Withdrawal,
)


class State(StrEnum):
    """Where a submission stands on its way to the bus."""

    SCHEDULED = "scheduled"
    EMBARGOED = "embargoed"
    RELEASED = "released"
    WITHDRAWN = "withdrawn"


class Refused(Exception):
    """A change that the submission's state does not allow; `field` names what to mend, if a field can."""

    def __init__(self, reason: str, *, field: str | None = None) -> None:
        super().__init__(reason)
        self.field = field


class Submission(Model):
    """One publication as ingest keeps it."""

    state: State
    due_at: AwareDatetime | None
    """When the relay releases it; None where nothing is waited for."""
    publication: Publication


@dataclass(frozen=True)
class Step:
    """A submission after a decision, and the event that tells of it."""

    submission: Submission
    event: PublicationEvent

    @cached_property
    def body(self) -> bytes:
        """The event, encoded."""
        return self.event.encode()


def accept(
    id: UUID,
    content: Content,
    department: Department,
    *,
    media: tuple[MediaFile, ...] = (),
    channels: Sequence[str],
    at: datetime,
) -> Step:
    """Take a new submission; `media` are the files that its content names."""
    state, due_at = _state(content, at)
    publication = Publication(
        id=id,
        revision=1,
        department=department,
        content=content,
        targets=targets_of(content, channels, advance=state is State.EMBARGOED),
        media=media,
        submitted_at=at,
        accepted_at=at,
        released_at=at if state is State.RELEASED else None,
    )
    return _step(Submission(state=state, due_at=due_at, publication=publication), at)


def revise(
    before: Submission,
    content: Content,
    change: Change,
    *,
    media: tuple[MediaFile, ...] = (),
    channels: Sequence[str],
    at: datetime,
) -> Step:
    """Make the next revision. Raises `Refused`."""
    old = before.publication
    if before.state is State.WITHDRAWN:
        raise Refused("It was withdrawn; nothing follows a withdrawal.")
    if content.kind != old.kind:
        raise Refused(f"The kind stays what it was: {old.kind}.", field="kind")
    if before.state is not State.RELEASED:
        content = _at_its_hour(old.content, content)
    revision = old.revision + 1
    fields: dict[str, object] = {"revision": revision, "content": content, "media": media, "accepted_at": at}
    if before.state is State.RELEASED:
        _hours_unchanged(old.content, content)
        correction = Correction(revision=revision, at=at, **change.model_dump())
        fields |= {
            "corrections": (*old.corrections, correction),
            "targets": targets_of(content, channels, advance="advance" in old.targets),
        }
        return _step(before.model_copy(update={"publication": old.model_copy(update=fields)}), at)
    state, due_at = _state(content, at)
    advanced = "advance" in old.targets or state is State.EMBARGOED
    fields |= {
        "targets": targets_of(content, channels, advance=advanced),
        "released_at": at if state is State.RELEASED else None,
    }
    return _step(Submission(state=state, due_at=due_at, publication=old.model_copy(update=fields)), at)


def withdraw(before: Submission, reason: str, *, at: datetime) -> Step:
    """Take it back for good. Raises `Refused` where it is withdrawn already."""
    if before.state is State.WITHDRAWN:
        raise Refused("It was withdrawn before.")
    publication = before.publication.model_copy(
        update={"withdrawal": Withdrawal(reason=reason, at=at), "accepted_at": at}
    )
    return _step(Submission(state=State.WITHDRAWN, due_at=None, publication=publication), at)


def release(before: Submission, *, at: datetime) -> Step:
    """Its hour has come."""
    publication = before.publication.model_copy(update={"released_at": at, "accepted_at": at})
    return _step(Submission(state=State.RELEASED, due_at=None, publication=publication), at)


def _state(content: Content, at: datetime) -> tuple[State, datetime | None]:
    """Where content with these hours stands now; an hour already past means at once."""
    if content.embargo_until is not None and content.embargo_until > at:
        return State.EMBARGOED, content.embargo_until
    if content.release_at is not None and content.release_at > at:
        return State.SCHEDULED, content.release_at
    return State.RELEASED, None


def _at_its_hour(old: Content, new: Content) -> Content:
    """Left out, the hour stays: no embargo may end because a field was forgotten. A past hour ends it."""
    if new.release_at is not None or new.embargo_until is not None:
        return new
    return new.model_copy(update={"release_at": old.release_at, "embargo_until": old.embargo_until})


def _hours_unchanged(old: Content, new: Content) -> None:
    for field in ("release_at", "embargo_until"):
        hour = getattr(new, field)
        if hour is not None and hour != getattr(old, field):
            raise Refused("It is public already: leave the hour out, or as it was.", field=field)


_FACT_OF_STATE = {
    State.SCHEDULED: Fact.SCHEDULED,
    State.EMBARGOED: Fact.ADVANCE,
    State.RELEASED: Fact.RELEASED,
    State.WITHDRAWN: Fact.WITHDRAWN,
}


def _step(submission: Submission, at: datetime) -> Step:
    publication = submission.publication
    event = EVENT_OF_FACT[_FACT_OF_STATE[submission.state]](
        id=new_id(), source="/ingest", subject=publication.id, time=at, data=publication
    )
    return Step(submission, event)
