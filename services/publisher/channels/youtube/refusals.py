"""Sorts the Data API's errors by what can be done about them.

https://developers.google.com/youtube/v3/docs/errors, https://developers.google.com/youtube/v3/live/docs/errors
"""

import httpx
from pydantic import ValidationError

from services.publisher.channels.interface import Away, Halted, Unconfirmed
from services.publisher.channels.youtube.quota import UNITS, UPLOADS, Quota
from services.publisher.channels.youtube.resources import ErrorAnswer
from shared.bus import Later, Permanent

_THROTTLED = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "userRequestsExceedRateLimit"})
_UNITS_SPENT = frozenset({"quotaExceeded", "dailyLimitExceeded"})
_UPLOADS_SPENT = frozenset({"uploadLimitExceeded", "uploadRateLimitExceeded"})
_THROTTLED_FOR = 30.0
"""Seconds to wait where the answer doesn't say."""

_NOT_OF_THE_CHANNEL = {
    "forbiddenLicenseSetting": "YouTube не приймає ліцензії відео.",
    "forbiddenPrivacySetting": "YouTube не приймає налаштування доступу до відео.",
    "forbiddenEmbedSetting": "YouTube не дозволяє вбудовувати це відео.",
    "liveStreamingNotEnabled": "На каналі YouTube не увімкнено прямих трансляцій.",
    "livePermissionBlocked": "YouTube тимчасово заборонив каналу прямі трансляції.",
    "insufficientLivePermissions": "Дозволу на роботу з каналом YouTube бракує права на прямі трансляції.",
}
"""403 that other publications don't meet."""
_INVALID = {
    "invalidTitle": "YouTube не приймає заголовка.",
    "invalidDescription": "YouTube не приймає опису.",
    "invalidTags": "YouTube не приймає міток.",
    "invalidCategoryId": "YouTube не знає рубрики, вказаної в YOUTUBE_CATEGORY.",
    "invalidVideoMetadata": "YouTube не приймає опису відео.",
    "invalidFilename": "YouTube не приймає назви файла.",
    "mediaBodyRequired": "YouTube не отримав файла.",
    "invalidScheduledStartTime": "YouTube не приймає часу початку: він минув або надто далекий.",
    "scheduledStartTimeRequired": "YouTube вимагає час початку трансляції.",
}
_ACCOUNT_REMEDIES = {
    "authenticatedUserAccountSuspended": "Канал призупинено: подайте апеляцію в YouTube Studio.",
    "authenticatedUserAccountClosed": "Обліковий запис закрито: підключіть інший.",
    "accountSuspended": "Канал призупинено: подайте апеляцію в YouTube Studio.",
    "accountClosed": "Обліковий запис закрито: підключіть інший.",
    "youtubeSignupRequired": "Обліковий запис не має каналу: створіть його на YouTube.",
    "accessNotConfigured": "Увімкніть YouTube Data API v3 для проєкту в Google Cloud Console.",
    "insufficientPermissions": "Отримайте новий refresh token з правом youtube.force-ssl.",
}
_REMEDY = "Перевірте в YouTube Studio права облікового запису на канал, тоді отримайте новий refresh token."


class NotFound(Exception):
    """404 or 410: what was asked for isn't there."""


async def error_of(
    answer: httpx.Response, quota: Quota, *, doubtful: bool = False, uploads: bool = False
) -> Exception:
    """What to raise for an answer that isn't a success.

    `uploads`: the call counts as one of the day's uploads, not in units.
    `doubtful`: an answer 5xx may come after the effect, and a second call would show.
    """
    status, reason = answer.status_code, reason_of(answer)
    if reason in _UNITS_SPENT | _UPLOADS_SPENT:
        return await quota.refused(UPLOADS if uploads or reason in _UPLOADS_SPENT else UNITS)
    if reason in _THROTTLED or status == httpx.codes.TOO_MANY_REQUESTS:
        return Later("YouTube просить зачекати.", after=retry_after(answer) or _THROTTLED_FOR)
    if answer.is_server_error:
        text = f"YouTube відповів помилкою {status}."
        return Unconfirmed(text) if doubtful else Away(text, after=retry_after(answer))
    return _refusal_of(status, reason)


def _refusal_of(status: int, reason: str) -> Exception:
    if reason in _NOT_OF_THE_CHANNEL:
        return Permanent(_NOT_OF_THE_CHANNEL[reason])
    if status in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
        return NotFound(reason)
    if status == httpx.codes.UNAUTHORIZED:
        return Halted("YouTube не приймає токена доступу.", remedy="Отримайте новий refresh token.")
    if status == httpx.codes.FORBIDDEN:
        told = f"YouTube заборонив дію ({reason or 'forbidden'})."
        return Halted(told, remedy=_ACCOUNT_REMEDIES.get(reason, _REMEDY))
    return Permanent(_INVALID.get(reason, f"YouTube відмовив: {reason or status}."))


def reason_of(answer: httpx.Response) -> str:
    """The first error's reason; empty where the body says none."""
    try:
        return ErrorAnswer.model_validate_json(answer.content).reason
    except ValidationError:
        return ""


def retry_after(answer: httpx.Response) -> float:
    """Seconds that the answer asks to wait; 0 where it doesn't say."""
    value = answer.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else 0.0
