"""One broadcast in a rundown, and what became of it: pure changes, each leaving its line in the history.

Two may tell what happened: the department, by a correction of the publication, and the station, by its
answer. Whoever spoke last is believed; what the publication itself says is kept beside it.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from services.publisher.channels.rundown.wording import STATES, State, guests, hour, key_of, weekday_hour
from shared.publication import BroadcastDetails, Fact, Guest, Publication, rank_of


class Slot(BaseModel):
    """When it is on, and how it stands."""

    model_config = ConfigDict(frozen=True)

    airs_at: datetime
    state: State


class Mark(BaseModel):
    """One change in a broadcast's history."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    what: Literal["planned", "moved", "state", "removed"]
    before: Slot | None = None
    after: Slot
    revision: int | None = None
    """The publication's revision that says so; None where the station said it."""
    remark: str | None = None

    @property
    def text(self) -> str:
        """In Ukrainian, on one line."""
        by = "станція" if self.revision is None else f"редакція {self.revision}"
        if self.what == "moved" and self.before is not None:
            told = f"перенесено з {hour(self.before.airs_at)} на {hour(self.after.airs_at)}"
        elif self.what == "planned":
            told = f"{STATES[self.after.state]} на {hour(self.after.airs_at)}"
        elif self.what == "removed":
            told = "знято з програми"
        else:
            told = STATES[self.after.state]
        return f"{hour(self.at)}: {told} ({by})" + (f". {self.remark}" if self.remark else "")


class Answer(BaseModel):
    """What the station said of it."""

    model_config = ConfigDict(frozen=True)

    slot: Slot
    at: datetime
    remark: str | None = None


class Airing(BaseModel):
    """One broadcast, by the publication's id."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: UUID
    rank: int
    revision: int
    version: int = 0
    """Grows with each write: two who change it at once don't overwrite each other."""
    series: str
    station: str
    title: str
    guests: tuple[Guest, ...] = ()
    department: Slot
    """As the publication says."""
    now: Slot
    """As whoever spoke last says."""
    answer: Answer | None = None
    """The station's, unless the publication was changed on this point since."""
    answers: int = 0
    settled: bool = True
    """Whether the receipt has heard of the answer."""
    listed: bool = True
    """False where it was taken out, or never was public."""
    known: bool = True
    """Whether it ever was listed."""
    changed_at: datetime
    history: tuple[Mark, ...] = ()

    @property
    def airs_at(self) -> datetime:
        return self.now.airs_at

    @property
    def state(self) -> State:
        return self.now.state

    @property
    def station_key(self) -> str:
        return key_of(self.station)

    @property
    def programme_key(self) -> str:
        """A series is known by station and title together."""
        return key_of(self.station, self.series)

    @property
    def sequence(self) -> int:
        """The revision; it also grows where the station answers, and where it is taken out."""
        return self.revision + self.answers + (0 if self.listed else 1)

    @property
    def moved(self) -> bool:
        """Whether its hour was ever changed; a broadcast moved twice is one moved broadcast."""
        return any(mark.what == "moved" for mark in self.history)

    @property
    def disagree(self) -> bool:
        """Whether the station says otherwise than the publication."""
        return self.answer is not None and self.now != self.department

    @property
    def guests_line(self) -> str:
        return guests(self.guests)

    @property
    def state_line(self) -> str:
        return STATES[self.state]

    @property
    def line(self) -> str:
        """The rundown's line."""
        parts = [weekday_hour(self.airs_at), f"«{self.series}», {self.station}", self.title]
        if self.guests:
            parts.append(f"Гості: {self.guests_line}")
        return f"{'. '.join(part.rstrip('.') for part in parts)}. Стан: {self.state_line}."


def listed(before: Airing | None, publication: Publication, details: BroadcastDetails) -> Airing:
    """The broadcast as this revision has it; what stood there is carried on."""
    slot = Slot(airs_at=details.airs_at, state=details.state)
    at, revision = publication.accepted_at, publication.revision
    kept = before if before is not None and before.known else None
    if kept is None:
        marks = [Mark(at=at, what="planned", after=slot, revision=revision)]
    else:
        marks = []
        if slot != kept.department:
            marks = _marks(kept.now, slot, at=at, revision=revision)
        if not kept.listed:
            marks.insert(0, Mark(at=at, what="planned", after=slot, revision=revision))
    holds = kept is not None and slot == kept.department
    now = kept.now if kept is not None and holds else slot
    return Airing(
        id=publication.id,
        rank=rank_of(revision, Fact.RELEASED),
        revision=revision,
        version=before.version if before else 0,
        series=details.series,
        station=details.station,
        title=publication.content.title,
        guests=details.guests,
        department=slot,
        now=now,
        answer=kept.answer if kept is not None and holds else None,
        answers=kept.answers if kept is not None else 0,
        settled=kept.settled if kept is not None and holds else True,
        changed_at=at if kept is None else max(at, kept.changed_at),
        history=(*(kept.history if kept is not None else ()), *marks),
    )


def never_listed(publication: Publication, details: BroadcastDetails, *, rank: int) -> Airing:
    """What is remembered of a withdrawal that overtook the release: nothing older may be listed then."""
    fresh = listed(None, publication, details)
    return fresh.model_copy(update={"rank": rank, "listed": False, "known": False, "history": ()})


def taken_out(before: Airing, *, rank: int, revision: int, at: datetime) -> Airing:
    """The broadcast once its publication was withdrawn, or goes elsewhere by now."""
    if not before.listed:
        return before.model_copy(update={"rank": rank})
    mark = Mark(at=at, what="removed", before=before.now, after=before.now, revision=revision)
    return before.model_copy(
        update={
            "rank": rank,
            "revision": revision,
            "listed": False,
            "settled": True,
            "changed_at": at,
            "history": (*before.history, mark),
        }
    )


def answered(before: Airing, slot: Slot, *, at: datetime, remark: str | None) -> Airing:
    """The broadcast once the station answered; the same answer again changes nothing."""
    if before.answer is not None and before.answer.slot == slot and before.answer.remark == remark:
        return before
    marks = _marks(before.now, slot, at=at, revision=None, remark=remark)
    return before.model_copy(
        update={
            "now": slot,
            "answer": Answer(slot=slot, at=at, remark=remark),
            "answers": before.answers + 1,
            "settled": False,
            "changed_at": at,
            "history": (*before.history, *marks),
        }
    )


def _marks(
    before: Slot, after: Slot, *, at: datetime, revision: int | None, remark: str | None = None
) -> list[Mark]:
    """What is different; an hour that changes together with a cancellation is no move."""
    marks = []
    if before.airs_at != after.airs_at and after.state != "cancelled":
        marks.append(Mark(at=at, what="moved", before=before, after=after, revision=revision, remark=remark))
    if before.state != after.state:
        marks.append(Mark(at=at, what="state", before=before, after=after, revision=revision, remark=remark))
    return marks
