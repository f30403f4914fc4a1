"""What a post says beside title, lead and body: the facts of its kind, its hours, its latest correction."""

from collections.abc import Iterator
from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date

from shared.publication import (
    Broadcast,
    BroadcastDetails,
    Content,
    Event,
    Guest,
    Interview,
    Publication,
    RegulatoryAct,
    Significance,
)

_KYIV = ZoneInfo("Europe/Kyiv")
_ISSUERS = {
    "city_council": "міська рада",
    "executive_committee": "виконавчий комітет",
    "mayor": "міський голова",
}
_STATES = {
    "planned": "",
    "recorded": " (програму записано)",
    "aired": " (ефір відбувся)",
    "cancelled": " (ефір скасовано)",
}
Facts = Iterator[tuple[str, str]]


def facts_of(content: Content) -> list[tuple[str, str]]:
    """In the order in which people ask for them."""
    match content:
        case Event():
            return list(_event(content))
        case RegulatoryAct():
            return list(_act(content))
        case Broadcast():
            return list(_broadcast(content.broadcast))
        case Interview(speaker=Guest() as speaker):
            return [("Співрозмовник", guest_line(speaker))]
        case _:
            return []


def lines_of(content: Content) -> list[str]:
    """The same, one line a fact."""
    return [f"{label}: {value}" for label, value in facts_of(content)]


def correction_note(publication: Publication) -> str | None:
    """What the latest major correction says; None where there was none."""
    major = [each for each in publication.corrections if each.significance is Significance.MAJOR]
    return f"Уточнено: {major[-1].note}" if major else None


def hour(at: datetime) -> str:
    """`23 листопада 2026 р. о 14:00`, in Kyiv."""
    local = at.astimezone(_KYIV)
    return f"{day(local.date())} о\N{NO-BREAK SPACE}{local:%H:%M}"


def day(on: date) -> str:
    """`23 листопада 2026 р.`."""
    return format_date(on, "d MMMM y\N{NO-BREAK SPACE}'р.'", locale="uk")


def _event(content: Event) -> Facts:
    event = content.event
    yield "Коли", hour(event.starts_at)
    if event.ends_at is not None:
        yield "Завершення", hour(event.ends_at)
    yield "Де", event.place
    if event.agenda:
        yield "Порядок денний", event.agenda
    if event.participants:
        yield "Учасники", "; ".join(event.participants)
    if event.accreditation_until is not None:
        yield "Акредитація журналістів", f"до {hour(event.accreditation_until)}"


def _act(content: RegulatoryAct) -> Facts:
    act = content.act
    yield ("Проєкт акта" if act.draft else "Акт"), f"«{act.title}»"
    yield "Видавець", _ISSUERS[act.issuer]
    if act.number:
        yield "Номер", act.number
    if act.adopted_on is not None:
        yield "Ухвалено", day(act.adopted_on)
    if act.considered_on is not None:
        yield "Розгляд", day(act.considered_on)


def _broadcast(broadcast: BroadcastDetails) -> Facts:
    yield "Програма", f"«{broadcast.series}», {broadcast.station}"
    yield "В ефірі", f"{hour(broadcast.airs_at)}{_STATES[broadcast.state]}"
    if broadcast.guests:
        yield "Гості", "; ".join(map(guest_line, broadcast.guests))


def guest_line(guest: Guest) -> str:
    """Name, post, faction."""
    return ", ".join(part for part in (guest.name, guest.post, guest.faction) if part)
