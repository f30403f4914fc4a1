"""What a mail says beside title, lead and body: the facts of its kind, and dates as people write them."""

from collections.abc import Iterator
from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime

from shared.publication import Broadcast, BroadcastDetails, Content, Event, Guest, Interview, RegulatoryAct

KYIV = ZoneInfo("Europe/Kyiv")
_ISSUERS = {
    "city_council": "міська рада",
    "executive_committee": "виконавчий комітет",
    "mayor": "міський голова",
}
_MEDIA = {"tv": "телебачення", "radio": "радіо", "online": "онлайн"}
_STATES = {
    "planned": "заплановано",
    "recorded": "записано",
    "aired": "вийшов в ефір",
    "cancelled": "скасовано",
}
Facts = Iterator[tuple[str, str]]


def hour(at: datetime) -> str:
    """`23 листопада 2026 р. о 14:00`, in Kyiv."""
    local = at.astimezone(KYIV)
    return f"{day(local.date())} о\N{NO-BREAK SPACE}{local:%H:%M}"


def day(on: date) -> str:
    return format_date(on, "d MMMM y\N{NO-BREAK SPACE}'р.'", locale="uk")


def short_hour(at: datetime) -> str:
    """`14:00 23.11.2026`, in Kyiv: for a subject line."""
    return format_datetime(at, "HH:mm dd.MM.y", tzinfo=KYIV, locale="uk")


def facts_of(content: Content) -> list[tuple[str, str]]:
    """The facts of its kind, as label and value."""
    match content:
        case Event():
            return list(_event(content))
        case RegulatoryAct():
            return list(_act(content))
        case Broadcast():
            return list(_broadcast(content.broadcast))
        case Interview(speaker=Guest() as speaker):
            return [("Співрозмовник", _guest(speaker))]
        case _:
            return []


def _event(content: Event) -> Facts:
    event = content.event
    yield "Початок", hour(event.starts_at)
    if event.ends_at is not None:
        yield "Завершення", hour(event.ends_at)
    yield "Місце", event.place
    if event.agenda:
        yield "Порядок денний", event.agenda
    if event.participants:
        yield "Учасники", "; ".join(event.participants)
    if event.accreditation_until is not None:
        yield "Акредитація до", hour(event.accreditation_until)


def _act(content: RegulatoryAct) -> Facts:
    act = content.act
    yield ("Проєкт акта" if act.draft else "Акт"), act.title
    yield "Видавець", _ISSUERS[act.issuer]
    if act.number:
        yield "Номер", act.number
    if act.adopted_on is not None:
        yield "Дата ухвалення", day(act.adopted_on)
    if act.considered_on is not None:
        yield "Дата розгляду", day(act.considered_on)
    yield "Нормативний", "так" if act.normative else "ні"


def _broadcast(broadcast: BroadcastDetails) -> Facts:
    yield "Програма", broadcast.series
    yield "Канал", f"{broadcast.station} ({_MEDIA[broadcast.medium]})"
    yield "Ефір", f"{hour(broadcast.airs_at)} ({_STATES[broadcast.state]})"
    if broadcast.guests:
        yield "Гості", "; ".join(map(_guest, broadcast.guests))


def _guest(guest: Guest) -> str:
    return ", ".join(part for part in (guest.name, guest.post, guest.faction) if part)
