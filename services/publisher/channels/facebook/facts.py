"""What a post says beside title, lead and body: the facts of a publication's kind."""

from collections.abc import Iterator
from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date

from shared.publication import Broadcast, BroadcastDetails, Content, Event, Guest, Interview, RegulatoryAct

_KYIV = ZoneInfo("Europe/Kyiv")
_ISSUERS = {
    "city_council": "міської ради",
    "executive_committee": "виконавчого комітету",
    "mayor": "міського голови",
}
_STATES = {"recorded": "програму записано", "aired": "ефір відбувся", "cancelled": "ефір скасовано"}


def lines_of(content: Content) -> list[str]:
    """One line a fact."""
    match content:
        case Event():
            return list(_event(content))
        case RegulatoryAct():
            return list(_act(content))
        case Broadcast():
            return list(_broadcast(content.broadcast))
        case Interview(speaker=Guest() as speaker):
            return [f"Розмовляємо: {_guest(speaker)}"]
        case _:
            return []


def hour(at: datetime) -> str:
    """`23 листопада 2026 р. о 14:00`, in Kyiv."""
    local = at.astimezone(_KYIV)
    return f"{_day(local.date())} о\N{NO-BREAK SPACE}{local:%H:%M}"


def _day(on: date) -> str:
    return format_date(on, "d MMMM y\N{NO-BREAK SPACE}'р.'", locale="uk")


def _event(content: Event) -> Iterator[str]:
    event = content.event
    yield f"Коли: {hour(event.starts_at)}"
    if event.ends_at is not None:
        yield f"Завершення: {hour(event.ends_at)}"
    yield f"Де: {event.place}"
    if event.agenda:
        yield f"Порядок денний: {event.agenda}"
    if event.participants:
        yield f"Учасники: {'; '.join(event.participants)}"
    if event.accreditation_until is not None:
        yield f"Акредитація журналістів: до {hour(event.accreditation_until)}"


def _act(content: RegulatoryAct) -> Iterator[str]:
    act = content.act
    what = "Проєкт акта" if act.draft else "Акт"
    number = f" № {act.number}" if act.number else ""
    adopted = f" від {_day(act.adopted_on)}" if act.adopted_on is not None else ""
    yield f"{what} {_ISSUERS[act.issuer]}{number}{adopted} «{act.title}»"
    if act.considered_on is not None:
        yield f"Розгляд: {_day(act.considered_on)}"


def _broadcast(broadcast: BroadcastDetails) -> Iterator[str]:
    yield f"Програма «{broadcast.series}», {broadcast.station}"
    state = f" ({_STATES[broadcast.state]})" if broadcast.state in _STATES else ""
    yield f"В ефірі: {hour(broadcast.airs_at)}{state}"
    if broadcast.guests:
        yield f"Гості: {'; '.join(map(_guest, broadcast.guests))}"


def _guest(guest: Guest) -> str:
    return ", ".join(part for part in (guest.name, guest.post, guest.faction) if part)
