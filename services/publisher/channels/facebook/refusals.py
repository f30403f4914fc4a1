"""What the Graph API's errors mean for a publication, and what an operator has to do.

Codes and subcodes: https://developers.facebook.com/docs/graph-api/guides/error-handling and, for limits,
https://developers.facebook.com/docs/graph-api/overview/rate-limiting/.
"""

from dataclasses import dataclass

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from services.publisher.channels.facebook.usage import usage_of
from services.publisher.channels.interface import Away, Halted, Unconfirmed
from shared.bus import Later, Permanent

_THROTTLED = frozenset({4, 17, 32, 341, 613, *range(80000, 80015)})
_TOKEN = frozenset({102, 190})
_PERMISSION = frozenset({3, 10, *range(200, 300)})
_PASSING = frozenset({1, 2})
_DUPLICATE, _BLOCKED, _PARAMETER, _NO_ALIAS, _LINK = 506, 368, 100, 803, 1609005
_NO_OBJECT = 33
_NOBODY_THERE = frozenset({502, 503, 504})

_ASK_ANEW = "Отримайте новий маркер сторінки, запишіть його у FACEBOOK_PAGE_TOKEN і перезапустіть сервіс."
_REMEDIES = {
    458: "Адміністратор сторінки відкликав доступ застосунку: нехай надасть його знову. " + _ASK_ANEW,
    459: "Адміністратор сторінки має увійти на facebook.com і пройти перевірку безпеки.",
    460: "Власник маркера змінив пароль, або Facebook завершив його сеанс. " + _ASK_ANEW,
    463: "Строк дії маркера минув. " + _ASK_ANEW,
    464: "Обліковий запис власника маркера не підтверджено: нехай увійде на facebook.com і підтвердить його.",
    467: "Маркер недійсний: його відкликано або власник вийшов із системи. " + _ASK_ANEW,
}


class GraphError(BaseModel):
    """The `error` object of an answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    message: str = ""
    code: int = 0
    error_subcode: int = 0
    is_transient: bool = False
    error_user_msg: str | None = None
    fbtrace_id: str | None = None


class _Answer(BaseModel):
    error: GraphError


@dataclass(frozen=True)
class Aim:
    """What a call is for, as far as it decides what its failure means."""

    permission: str
    """What Facebook wants to have been granted for it."""
    shows: bool = False
    """Whether readers see its effect: then nobody knows what a lost answer left behind."""
    urgent: bool = False
    """Whether it goes before others when limits are near: what is withdrawn must not wait."""


class Gone(Exception):
    """There is no such post, video or session, or the token may not see it."""


class Duplicate(Unconfirmed):
    """Facebook says that it has this post already."""


class WrongParameter(Permanent):
    """Something that was named in the call isn't as Facebook wants it."""


def failure_of(answer: httpx.Response, aim: Aim) -> Exception:
    """What to raise for an answer that isn't a success."""
    try:
        error = _Answer.model_validate_json(answer.content).error
    except ValidationError:
        return _nameless(answer.status_code, aim)
    if error.code in _TOKEN or answer.status_code == httpx.codes.UNAUTHORIZED:
        return Halted("Facebook не приймає маркера доступу.", remedy=remedy_for(error.error_subcode))
    if error.code in _THROTTLED or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        wait = usage_of(answer.headers).regain
        return Later("Facebook просить зачекати: забагато викликів.", after=wait, counted=not wait)
    refused = _refused(error, aim)
    if refused is not None:
        return refused
    if error.code in _PASSING or error.is_transient or answer.is_server_error:
        return _nameless(answer.status_code, aim)
    return Permanent(f"Facebook відмовив: {told(error)}")


def remedy_for(subcode: int) -> str:
    """What an operator does about a token that isn't taken."""
    return _REMEDIES.get(subcode, _ASK_ANEW)


def told(error: GraphError) -> str:
    """Facebook's own words, for the receipt; only of errors that don't quote a token."""
    trace = f", fbtrace_id {error.fbtrace_id}" if error.fbtrace_id else ""
    return f"«{error.error_user_msg or error.message or 'без пояснення'}» (код {error.code}{trace})."


def _refused(error: GraphError, aim: Aim) -> Exception | None:
    refusal: Exception | None = None
    if error.code == _NO_ALIAS or (error.code == _PARAMETER and error.error_subcode == _NO_OBJECT):
        refusal = Gone(told(error))
    elif error.code in _PERMISSION:
        refusal = Halted(
            "Facebook не дозволяє цього застосунку.",
            remedy=(
                f"Надайте застосунку дозвіл {aim.permission}, а власникові маркера роль на сторінці "
                f"з правом створювати вміст. {_ASK_ANEW}"
            ),
        )
    elif error.code == _DUPLICATE or (error.code == _BLOCKED and "already posted" in error.message):
        refusal = Duplicate("Facebook каже, що такий допис уже є: шукаємо його.")
    elif error.code == _BLOCKED:
        refusal = Permanent(f"Facebook заблокував цей допис за своїми правилами: {told(error)}")
    elif _LINK in (error.code, error.error_subcode):
        refusal = Permanent(f"Facebook не приймає посилання: {told(error)}")
    elif error.code == _PARAMETER and not error.is_transient:
        refusal = WrongParameter(f"Facebook не приймає допису: {told(error)}")
    return refusal


def _nameless(status: int, aim: Aim) -> Exception:
    """A passing fault: of a call that shows something it says nothing about the effect."""
    if aim.shows:
        return Unconfirmed("Facebook відповів помилкою, яка не каже, чи допис з’явився.")
    if status in _NOBODY_THERE:
        return Away("Facebook не відповідає.")
    return Later("Тимчасова помилка Facebook.")
