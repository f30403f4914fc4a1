"""An issue, what stands in it, and what the editors answered: pure changes over plain models."""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict, JsonValue

from services.publisher.channels.interface import Posted, Settlement
from services.publisher.channels.newspaper.deadlines import KYIV
from shared.publication import Publication, RegulatoryAct


class Role(StrEnum):
    """What a publication is in an issue."""

    STORY = "story"
    ERRATUM = "erratum"
    REFUTATION = "refutation"


class Verdict(StrEnum):
    """What the editors did with an item."""

    PRINTED = "printed"
    SHORTENED = "shortened"
    DROPPED = "dropped"


class Answer(BaseModel):
    """One answer of the editors; a later one counts instead."""

    model_config = ConfigDict(frozen=True)

    verdict: Verdict
    at: datetime
    number: str | None = None
    day: str | None = None
    """ISO date of the printed issue."""
    page: int | None = None
    remark: str | None = None

    @property
    def printed(self) -> bool:
        return self.verdict is not Verdict.DROPPED

    @property
    def place(self) -> str:
        """Випуск № 47 від 26.11.2026, с. 3"""
        day = date.fromisoformat(self.day) if self.day else None
        return f"Випуск № {self.number} від {day:%d.%m.%Y}, с. {self.page}"

    @property
    def text(self) -> str:
        """In Ukrainian, on one line."""
        if not self.printed:
            return f"Не надруковано: {self.remark}"
        if self.verdict is Verdict.SHORTENED:
            return f"{self.place} (скорочено: {self.remark})"
        return self.place


class Item(BaseModel):
    """A publication in an issue: it stands in each at most once."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    publication_id: UUID
    role: Role
    rank: int
    publication: str
    """As JSON."""
    reason: str | None = None
    """Why it is taken back, for a refutation or where the editors were asked not to print it."""
    stopped: bool = False
    """It was withdrawn after the package had gone out."""
    stop_sent: bool = False
    answers: tuple[Answer, ...] = ()
    settled: bool = True
    """Whether the receipt has heard of the last answer."""

    @property
    def content(self) -> Publication:
        return Publication.model_validate_json(self.publication)

    @property
    def answer(self) -> Answer | None:
        return self.answers[-1] if self.answers else None

    @property
    def dropped(self) -> bool:
        return self.answer is not None and not self.answer.printed


class State(StrEnum):
    """How an issue stands."""

    GATHERING = "gathering"
    CLOSED = "closed"
    """Nothing changes in it any more; the package may be on its way."""
    SENT = "sent"
    EMPTY = "empty"
    """The deadline passed and there was nothing to send."""


class Issue(BaseModel):
    """One issue, named by its deadline."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    deadline: datetime
    state: State = State.GATHERING
    items: tuple[Item, ...] = ()
    closed_at: datetime | None = None
    reminded: bool = False
    version: int = 0

    @property
    def open(self) -> bool:
        return self.state is State.GATHERING

    @property
    def unanswered(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.answer is None and not item.stopped)

    def item(self, publication_id: UUID) -> Item | None:
        return next((item for item in self.items if item.publication_id == publication_id), None)

    def put(self, item: Item) -> "Issue":
        """With the item in place of the one about the same publication, or at the end."""
        if self.item(item.publication_id) is None:
            return self.model_copy(update={"items": (*self.items, item)})
        return self.model_copy(
            update={
                "items": tuple(
                    item if each.publication_id == item.publication_id else each for each in self.items
                )
            }
        )

    def without(self, publication_id: UUID) -> "Issue":
        """With nothing of the publication."""
        kept = tuple(item for item in self.items if item.publication_id != publication_id)
        return self.model_copy(update={"items": kept})


def issue_id(deadline: datetime) -> str:
    """2026-11-24"""
    return deadline.astimezone(KYIV).date().isoformat()


def reached(issues: Sequence[Issue], publication_id: UUID) -> tuple[Item, ...]:
    """What the editors have got of it and did not drop, oldest first."""
    return tuple(
        item
        for issue in issues
        if not issue.open and (item := issue.item(publication_id)) is not None and not item.dropped
    )


def role_now(issues: Sequence[Issue], publication_id: UUID) -> Role:
    """What a newer revision is: an erratum once the editors have what it corrects."""
    return Role.ERRATUM if reached(issues, publication_id) else Role.STORY


def official(publication: Publication) -> bool:
    """Whether the law wants it printed: an adopted regulatory act that binds everybody."""
    content = publication.content
    return isinstance(content, RegulatoryAct) and content.act.normative and not content.act.draft


def settlement_of(issues: Sequence[Issue], publication_id: UUID) -> Settlement:
    """What the receipt is to say, from all that the editors answered about a publication."""
    items = [item for issue in issues if (item := issue.item(publication_id)) is not None]
    answered = [(item, item.answer) for item in items if item.answer is not None]
    printed = [answer for _, answer in answered if answer.printed]
    told = "; ".join(
        _told(item, answer) for item, answer in answered if answer.printed or item.role is not Role.STORY
    )
    waiting = [item for item in items if item.answer is None and not item.stopped]
    last = printed[-1] if printed else None
    remote: dict[str, JsonValue] = (
        {} if last is None else {"number": last.number, "date": last.day, "page": last.page}
    )
    if waiting:
        awaited = _AWAITED[waiting[-1].role]
        return Settlement(posted=Posted(remote=remote, awaiting=f"{told}. {awaited}" if told else awaited))
    if last is None:
        reason = answered[-1][1].text if answered else "Не надруковано."
        return Settlement(posted=None, reason=f"Редакція: {_lower(reason)}")
    return Settlement(posted=Posted(remote=remote, note=told), reason=told)


_AWAITED = {
    Role.STORY: "Чекаємо, поки редакція підтвердить друк у наступному випуску.",
    Role.ERRATUM: "Чекаємо, поки редакція підтвердить друк уточнення.",
    Role.REFUTATION: "Чекаємо, поки редакція підтвердить друк спростування.",
}


def _told(item: Item, answer: Answer) -> str:
    if item.role is Role.ERRATUM:
        return f"Уточнення: {_lower(answer.text)}"
    if item.role is Role.REFUTATION:
        return f"Спростування: {_lower(answer.text)}"
    return f"Офіційно оприлюднено: {_lower(answer.text)}" if official(item.content) else answer.text


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
