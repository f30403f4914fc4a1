"""What a station is told by mail, decided from the broadcasts and from what it was told before."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from services.publisher.channels.rundown.airing import Airing, Slot
from services.publisher.channels.rundown.terms import KYIV, Terms
from services.publisher.channels.rundown.wording import STATES, hour

OPEN_FOR = timedelta(days=28)
"""How long the mail goes on to ask what became of a broadcast."""


class Told(BaseModel):
    """What a station knows of one broadcast."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: UUID
    slot: Slot
    programme: str
    title: str
    guests: str


class Letter(BaseModel):
    """One mail to one station, recorded before it is sent; a station's are numbered without gaps."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    station: str
    number: int
    kind: Literal["weekly", "change"]
    slot: datetime
    """The hour of the week that it is for."""
    until: datetime
    """The end of the time that it tells of."""
    told: tuple[Told, ...]
    """All that the station knows once it has this letter."""
    state: Literal["written", "sent", "empty", "refused"]
    raw: bytes = b""


class News(BaseModel):
    """One difference from what the station was told, in Ukrainian; `text` names the broadcast too."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["moved", "cancelled", "resumed", "added", "removed", "edited"]
    programme: str
    title: str | None
    text: str
    urgent: bool = True


def slot_before(at: datetime, terms: Terms) -> datetime:
    """The last hour of the weekly mail that has come; by Kyiv's clock, whatever the season."""
    local = at.astimezone(KYIV)
    day = local.date() - timedelta(days=(local.isoweekday() - terms.mail_day) % 7)
    slot = datetime(day.year, day.month, day.day, terms.mail_hour, tzinfo=KYIV)
    if slot > at:
        day -= timedelta(days=7)
        slot = datetime(day.year, day.month, day.day, terms.mail_hour, tzinfo=KYIV)
    return slot


def told_of(airing: Airing) -> Told:
    return Told(
        id=airing.id,
        slot=airing.now,
        programme=airing.series,
        title=airing.title,
        guests=airing.guests_line,
    )


def ahead(airings: Iterable[Airing], since: datetime, until: datetime) -> list[Airing]:
    """What is on in that time, cancelled broadcasts too."""
    return [airing for airing in airings if airing.listed and since <= airing.airs_at < until]


def unanswered(airings: Iterable[Airing], at: datetime) -> list[Airing]:
    """What should have been on by now, and nobody has said whether it was."""
    return [
        airing
        for airing in airings
        if airing.listed and airing.state in ("planned", "recorded") and at - OPEN_FOR <= airing.airs_at < at
    ]


def news(before: Sequence[Told], airings: Iterable[Airing], at: datetime, until: datetime) -> list[News]:
    """What is different from what the station was told, as far as it is still to come.

    What the station itself told isn't told to it again.
    """
    current = {airing.id: airing for airing in airings}
    found = []
    for told in before:
        airing = current.get(told.id)
        # What was on by now needs no telling, unless it was put off to an hour to come.
        later = airing is not None and airing.listed and airing.airs_at >= at
        if airing is None or (told.slot.airs_at < at and not later):
            continue
        if airing.answer is None and (piece := _difference(told, airing)) is not None:
            found.append(piece)
    known = {told.id for told in before}
    found += [
        News(
            kind="added", programme=airing.series, title=airing.title, text=f"Додано: {hour(airing.airs_at)}"
        )
        for airing in ahead(current.values(), at, until)
        if airing.id not in known and airing.state != "cancelled"
    ]
    return found


def _difference(told: Told, airing: Airing) -> News | None:
    was = hour(told.slot.airs_at)
    was_off, is_off = told.slot.state == "cancelled", airing.state == "cancelled"
    found: News | None = None
    if not airing.listed:
        return News(kind="removed", programme=told.programme, title=None, text=f"Знято з програми: {was}")
    names = {"programme": airing.series, "title": airing.title}
    if is_off:
        found = None if was_off else News(kind="cancelled", text=f"Скасовано: {was}", **names)
    elif airing.airs_at != told.slot.airs_at:
        found = News(kind="moved", text=f"Перенесено з {was} на {hour(airing.airs_at)}", **names)
    elif was_off:
        found = News(kind="resumed", text=f"Знову в програмі: {was} ({STATES[airing.state]})", **names)
    elif (airing.title, airing.guests_line) != (told.title, told.guests):
        found = News(kind="edited", text=f"Уточнено тему або гостей: {was}", urgent=False, **names)
    return found


def known_after(
    before: Sequence[Told], airings: Mapping[UUID, Airing], shown: Iterable[Airing], at: datetime
) -> tuple[Told, ...]:
    """What the station knows once it has a letter that shows these broadcasts and all changes."""
    told = {each.id: each for each in before}
    for id in list(told):
        airing = airings.get(id)
        if airing is None or not airing.listed or airing.airs_at < at:
            del told[id]
        else:
            told[id] = told_of(airing)
    return tuple((told | {airing.id: told_of(airing) for airing in shown}).values())
