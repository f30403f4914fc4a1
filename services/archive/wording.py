"""What pages say, in Ukrainian: states, targets, outcomes, hours."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

import nh3
from babel.dates import format_date, format_datetime
from markdown_it import MarkdownIt
from markupsafe import Markup

from services.archive import receipt
from services.archive.listing import KYIV
from services.archive.precedence import State
from services.archive.record import Record
from services.archive.views import Happening
from shared.events import Delivery, Outcome
from shared.publication import Act, Fact, Significance
from shared.vocabulary import KIND_NAMES, Kind

LOCALE = "uk"

STATE_NAMES = {
    State.SCHEDULED: "Заплановано",
    State.EMBARGOED: "Під ембарго",
    State.RELEASED: "Оприлюднено",
    State.WITHDRAWN: "Відкликано",
}

TARGET_NAMES = {
    "site": "Сайт",
    "mail": "Листи редакціям",
    "advance": "Листи акредитованим редакціям під ембарго",
    "digest": "Щоденний огляд для редакцій",
    "telegram": "Telegram",
    "facebook": "Facebook",
    "youtube": "YouTube",
    "newspaper": "Газета",
    "television": "Телебачення",
    "radio": "Радіо",
    "mastodon": "Mastodon",
    "viber": "Viber",
}
_BY_MAIL = frozenset({"mail", "advance", "digest"})

SIGNIFICANCE_NAMES = {
    Significance.MINOR: "дрібна правка",
    Significance.MAJOR: "суттєва зміна",
}

_ON_CHANNEL = {
    Outcome.PUBLISHED: "Опубліковано",
    Outcome.UPDATED: "Оновлено",
    Outcome.REMOVED: "Знято",
    Outcome.SKIPPED: "Не потрібно",
}
_BY_LETTER = {
    Outcome.PUBLISHED: "Надіслано",
    Outcome.UPDATED: "Надіслано уточнення",
    Outcome.REMOVED: "Повідомлено про відкликання",
    Outcome.SKIPPED: "Не надсилали",
}
_ANYWHERE = {
    Outcome.RETRYING: "Повторюємо спробу",
    Outcome.UNCONFIRMED: "Результат невідомий",
    Outcome.FAILED: "Не вдалося",
}
_ADVICE = {
    Outcome.RETRYING: "Перешкода тимчасова. Система спробує ще раз сама, робити нічого не потрібно.",
    Outcome.UNCONFIRMED: (
        "Канал не підтвердив, чи з’явилася публікація. Система не повторює спроби, щоб не опублікувати "
        "двічі: перевірте канал і повідомте адміністратора."
    ),
    Outcome.FAILED: (
        "Сама система більше не намагатиметься. Повідомте адміністратора: коли причину усунуто, він "
        "надішле публікацію ще раз."
    ),
}


_RESOLUTIONS = {
    "city_council": "рішення міської ради",
    "executive_committee": "рішення виконавчого комітету",
    "mayor": "розпорядження міського голови",
}


def kind_of(kind: Kind, act: Act | None) -> str:
    """A publication's kind; of an act what it is: not each is normative, and a draft is no act yet."""
    if act is None:
        return KIND_NAMES[kind]
    if act.normative:
        return "проєкт нормативно-правового акта" if act.draft else KIND_NAMES[kind]
    name = _RESOLUTIONS[act.issuer]
    # «рішення» has the same form in the genitive; «розпорядження» too.
    return f"проєкт {name}" if act.draft else name


class Tone(StrEnum):
    """How something is to be felt at a glance; always beside words that say the same."""

    GOOD = "good"
    BUSY = "busy"
    BAD = "bad"
    QUIET = "quiet"


_TONES = {
    Outcome.PUBLISHED: Tone.GOOD,
    Outcome.UPDATED: Tone.GOOD,
    Outcome.REMOVED: Tone.GOOD,
    Outcome.SKIPPED: Tone.QUIET,
    Outcome.RETRYING: Tone.BUSY,
    Outcome.UNCONFIRMED: Tone.BAD,
    Outcome.FAILED: Tone.BAD,
}


def moment(at: datetime) -> str:
    """An hour in Kyiv: «19 листопада 2026 р., 10:15»."""
    return format_datetime(at, "d MMMM y 'р'., HH:mm", tzinfo=KYIV, locale=LOCALE)


def exact(at: datetime) -> str:
    """An hour in Kyiv to the second, for a table: «19.11.2026, 10:15:07»."""
    return format_datetime(at, "dd.MM.y, HH:mm:ss", tzinfo=KYIV, locale=LOCALE)


def clock(at: datetime) -> str:
    """The time of day in Kyiv, to the second."""
    return format_datetime(at, "HH:mm:ss", tzinfo=KYIV, locale=LOCALE)


def day(on: date) -> str:
    """A date: «19 листопада 2026 р.»."""
    return format_date(on, "d MMMM y 'р'.", locale=LOCALE)


def target_name(target: str) -> str:
    """A target as people call it; one that is not known here, by its own name."""
    return TARGET_NAMES.get(target, target)


def outcome_name(target: str, outcome: Outcome) -> str:
    """An outcome in one or two words."""
    own = _BY_LETTER if target in _BY_MAIL else _ON_CHANNEL
    return _ANYWHERE.get(outcome) or own[outcome]


_MARKDOWN = MarkdownIt("commonmark", {"html": False})
_TAGS = {"p", "br", "hr", "ul", "ol", "li", "strong", "em", "a", "blockquote", "code", "pre", "h4"}


def prose(text: str) -> Markup:
    """CommonMark as safe HTML. Its headings stand below those of the page; images are left out."""
    tokens = _MARKDOWN.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = "h4"
    html = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    safe = nh3.clean(
        html, tags=_TAGS, attributes={"a": {"href"}}, url_schemes={"http", "https", "mailto", "tel"}
    )
    return Markup(safe)  # noqa: S704  # cleaned in the line above


def web_address(url: str | None) -> str | None:
    """An address that may stand in a link: nothing but the web's own schemes."""
    try:
        return url if url is not None and urlsplit(url).scheme in ("http", "https") else None
    except ValueError:
        return None


@dataclass(frozen=True)
class Card:
    """One target's outcome, as the page shows it."""

    name: str
    tone: Tone
    outcome: str
    at: datetime | None = None
    revision: int | None = None
    url: str | None = None
    letters: str | None = None
    reason: str | None = None
    advice: str | None = None
    target: str = ""
    in_doubt: bool = False
    """Only a person who looks can tell whether it is there."""


def letters(recipients: int | None, failed: int | None) -> str | None:
    """How many letters there were, and how many were refused."""
    if recipients is None:
        return None
    refused = f", з них відхилено: {failed}" if failed else ""
    return f"Листів: {recipients}{refused}"


def card(report: Delivery, latest: receipt.Latest) -> Card:
    """What a report says; one about an earlier decision is told with its revision."""
    tone, outcome = _TONES[report.outcome], outcome_name(report.target, report.outcome)
    advice = _ADVICE.get(report.outcome)
    if report.outcome is Outcome.UNCONFIRMED and not report.in_doubt:
        tone, outcome, advice = Tone.BUSY, "Очікуємо на результат", None
    if tone is Tone.GOOD and report.failed:
        tone, outcome = Tone.BAD, "Надіслано не всім"
        advice = "Поштові сервери відхилили частину адрес. Список редакцій веде адміністратор."
    return Card(
        name=target_name(report.target),
        tone=tone,
        outcome=outcome,
        at=report.at,
        revision=report.revision if report.rank != latest.rank else None,
        url=web_address(report.url),
        letters=letters(report.recipients, report.failed),
        reason=report.reason,
        advice=advice,
        target=report.target,
        in_doubt=report.in_doubt,
    )


def cards(record: Record) -> list[Card]:
    """What happened where, and what is waited for."""
    latest = record.awaited
    reported = [card(report, latest) for report in record.entries()]
    silent = [target for target in receipt.waiting(latest, record.standing) if target not in record.standing]
    words = "Очікуємо" if latest.state.settled else "Чекає на свій час"
    return [*reported, *(Card(target_name(target), Tone.BUSY, words) for target in silent)]


@dataclass(frozen=True)
class Headline:
    """The whole receipt in a sentence."""

    tone: Tone
    state: str
    text: str


def headline(record: Record) -> Headline:
    """The state, and whether anybody has to do something."""
    publication, state = record.publication, record.state
    name = STATE_NAMES[state]
    hour = publication.content.embargo_until or publication.content.release_at
    if state is State.SCHEDULED:
        when = f" Стане публічною {moment(hour)}" if hour is not None else ""
        return Headline(Tone.BUSY, name, f"Публікацію прийнято, вона чекає на свій час.{when}")
    if state is State.EMBARGOED:
        until = f" до {moment(hour)}" if hour is not None else ""
        text = f"Публікацію мають лише акредитовані редакції. Оприлюднювати її{until} заборонено."
        return Headline(Tone.BUSY, name, text)
    if any(receipt.troubled(report) for report in record.standing.values()):
        done = receipt.complete(record.awaited, record.standing)
        rest = "" if done else " Решта ще триває."
        return Headline(Tone.BAD, name, f"Не все вдалося: подивіться на позначене нижче.{rest}")
    awaited = receipt.waiting(record.awaited, record.standing)
    if not receipt.complete(record.awaited, record.standing):
        named = ", ".join(target_name(target) for target in awaited)
        return Headline(Tone.BUSY, name, f"Ще чекаємо: {named}." if named else "Ще не все завершено.")
    if state is State.WITHDRAWN:
        text = (
            "Публікацію знято всюди, де вона була."
            if publication.was_released
            else ("Публікацію відкликано раніше, ніж вона стала публічною: її ніде не показано.")
        )
        return Headline(Tone.QUIET, name, text)
    return Headline(Tone.GOOD, name, "Усе зроблено: кожен канал відзвітував.")


@dataclass(frozen=True)
class Step:
    """A line of the timeline."""

    at: datetime
    what: str
    tone: Tone
    details: Sequence[str] = ()
    url: str | None = None


_DECIDED = {
    Fact.SCHEDULED: "Заплановано",
    Fact.ADVANCE: "Прийнято під ембарго",
    Fact.RELEASED: "Оприлюднено",
    Fact.WITHDRAWN: "Відкликано",
}


def steps(record: Record) -> list[Step]:
    """The timeline, oldest first."""
    return [_step(happening) for happening in record.timeline()]


def _step(happening: Happening) -> Step:
    version = f"редакція {happening.revision}"
    if happening.target is None or happening.outcome is None:
        details = [version, *([happening.reason] if happening.reason else [])]
        return Step(happening.at, _DECIDED[happening.fact], Tone.QUIET, details)
    attempt = f"спроба {happening.attempt}" if happening.attempt is not None else None
    counted = letters(happening.recipients, happening.failed)
    return Step(
        happening.at,
        f"{target_name(happening.target)}: {outcome_name(happening.target, happening.outcome).lower()}",
        _TONES[happening.outcome],
        [part for part in (version, attempt, counted, happening.reason) if part],
        web_address(happening.url),
    )


SOON, LATER = 5, 60
"""Seconds until the page looks again."""
_BRISK = timedelta(minutes=10)


def look_again(record: Record, at: datetime) -> int | None:
    """Seconds until a page that is still to change is loaded again; None when nothing more will come."""
    if receipt.complete(record.awaited, record.standing):
        return None
    lately = at - max(step.at for step in record.timeline()) < _BRISK
    return SOON if lately else LATER
