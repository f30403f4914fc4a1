"""Access tokens, got by the refresh token that an operator put into the settings.

https://developers.google.com/identity/protocols/oauth2/web-server#offline. One POST; google-auth makes the
same one, but blocks a thread for it.
"""

import asyncio
import time

import httpx
from pydantic import BaseModel, ValidationError

from services.publisher.channels.interface import Away, Halted
from services.publisher.channels.youtube.settings import YoutubeSection

EARLY = 120.0
"""Seconds before its end that a token is no longer used."""

_LOST = "Google більше не приймає дозволу на роботу з каналом YouTube."
_LOST_REMEDY = "Отримайте новий refresh token і запишіть його в YOUTUBE_REFRESH_TOKEN."
_CLIENT_REMEDY = "Перевірте YOUTUBE_CLIENT_ID і YOUTUBE_CLIENT_SECRET у Google Cloud Console."


class _Granted(BaseModel):
    access_token: str
    expires_in: float = 3600


class _Refused(BaseModel):
    error: str = ""


class Tokens:
    """The token that calls carry now."""

    def __init__(self, http: httpx.AsyncClient, section: YoutubeSection) -> None:
        self._http = http
        self._section = section
        self._token: str | None = None
        self._until = 0.0
        self._refreshing = asyncio.Lock()

    async def get(self) -> str:
        """A token that is good as far as anybody knows. Raises `Away` and `Halted`."""
        async with self._refreshing:
            if self._token is None or time.monotonic() > self._until:
                await self._refresh()
            return str(self._token)

    def refused(self, token: str) -> None:
        """The API didn't take this one: the next `get` asks for another."""
        if token == self._token:
            self._token = None

    async def _refresh(self) -> None:
        form = {
            "grant_type": "refresh_token",
            "client_id": self._section.client_id,
            "client_secret": self._section.client_secret.get_secret_value(),
            "refresh_token": self._section.refresh_token.get_secret_value(),
        }
        try:
            answer = await self._http.post(self._section.token_url, data=form)
        except httpx.TransportError as error:
            raise Away("Сервер авторизації Google не відповідає.") from error
        if answer.is_success:
            granted = _Granted.model_validate_json(answer.content)
            self._token = granted.access_token
            self._until = time.monotonic() + granted.expires_in - EARLY
            return
        refusal = _error(answer)
        if answer.is_client_error and refusal:
            raise Halted(_LOST, remedy=_LOST_REMEDY if refusal == "invalid_grant" else _CLIENT_REMEDY)
        raise Away(f"Сервер авторизації Google відповів помилкою {answer.status_code}.")


def _error(answer: httpx.Response) -> str:
    try:
        return _Refused.model_validate_json(answer.content).error
    except ValidationError:
        return ""
