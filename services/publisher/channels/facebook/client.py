"""Calls of the Graph API: the token, the pace, and what failures mean.

https://developers.facebook.com/docs/graph-api/overview, https://developers.facebook.com/docs/pages-api/posts.
Every call may raise `Later`, `Away`, `Halted`, `Permanent` and `Gone`, those that show something
`Unconfirmed` too.
"""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import httpx
from aiolimiter import AsyncLimiter
from pydantic import SecretStr, TypeAdapter, ValidationError

from services.publisher.channels.facebook.refusals import Aim, failure_of
from services.publisher.channels.facebook.settings import FacebookSection
from services.publisher.channels.facebook.usage import Usage, pause_after, usage_of
from services.publisher.channels.interface import Away, Unconfirmed
from shared.bus import Later

PATIENCE = 5.0
"""Seconds that a call waits by itself; for longer ones its publication makes room for others."""
CONNECTS = 10.0
STORES = 300.0
"""Seconds that Facebook may take to answer once it has a whole file."""
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_OBJECT = TypeAdapter(dict[str, Any])
Before = Callable[[], Awaitable[None]]
Answer = dict[str, Any]
"""Parsed by whoever asked, into a model of its own."""


class Graph:
    """One page's access to the API."""

    def __init__(self, section: FacebookSection) -> None:
        self._section = section
        self._whole = httpx.Timeout(section.timeout, connect=min(CONNECTS, section.timeout / 2))
        self._http = httpx.AsyncClient(timeout=self._whole, follow_redirects=False)
        self._limiter: AsyncLimiter | None = None
        self._slowed_until = 0.0
        self._barred_until = 0.0

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get(self, path: str, params: Mapping[str, str], aim: Aim) -> Answer:
        """Read."""
        return await self._call("GET", path, aim, params=params)

    async def post(
        self,
        path: str,
        form: Mapping[str, str],
        aim: Aim,
        *,
        picture: tuple[str, bytes] | None = None,
        before: Before | None = None,
    ) -> Answer:
        """Change something; `picture` is a JPEG with its name. `before` is awaited once nothing else is."""
        files = None if picture is None else {"source": (*picture, "image/jpeg")}
        return await self._call("POST", path, aim, form=form, files=files, before=before)

    async def delete(self, path: str, aim: Aim) -> Answer:
        """Take down."""
        return await self._call("DELETE", path, aim)

    async def begin_upload(self, app: str, params: Mapping[str, str], aim: Aim) -> Answer:
        """Announce a file to the app: https://developers.facebook.com/docs/graph-api/guides/upload."""
        return await self._call("POST", f"{app}/uploads", aim, form=params, token=self._upload_token)

    async def arrived(self, session: str, aim: Aim) -> Answer:
        """How much of an announced file is there."""
        return await self._call("GET", session, aim, scheme="OAuth", token=self._upload_token)

    async def send(
        self, session: str, blocks: AsyncIterator[bytes], *, offset: int, size: int, aim: Aim
    ) -> Answer:
        """Send an announced file's bytes from `offset` on."""
        headers = {
            "file_offset": str(offset),
            "Content-Length": str(size - offset),
            "Content-Type": "application/octet-stream",
        }
        return await self._call(
            "POST",
            session,
            aim,
            content=blocks,
            headers=headers,
            scheme="OAuth",
            token=self._upload_token,
            patience=httpx.Timeout(self._section.timeout, read=max(self._section.timeout, STORES)),
        )

    @property
    def _upload_token(self) -> SecretStr:
        return self._section.upload_token or self._section.page_token

    async def _call(
        self,
        method: str,
        path: str,
        aim: Aim,
        *,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        content: AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        scheme: str = "Bearer",
        token: SecretStr | None = None,
        patience: httpx.Timeout | None = None,
        before: Before | None = None,
    ) -> Answer:
        await self._pace(aim)
        if before is not None:
            await before()
        token = token or self._section.page_token
        authorization = {"Authorization": f"{scheme} {token.get_secret_value()}"}
        try:
            async with asyncio.timeout(None if patience else self._section.timeout):
                answer = await self._http.request(
                    method,
                    f"{self._section.api_url}/{self._section.api_version}/{path}",
                    params={**(params or {}), **self._proof(token)},
                    data=form,
                    files=files,
                    content=content,
                    headers={**(headers or {}), **authorization},
                    timeout=patience or self._whole,
                )
        except _NOT_SENT as error:
            raise Away("До Facebook не дістатися.") from error
        except (httpx.TransportError, TimeoutError) as error:
            if aim.shows:
                raise Unconfirmed("Зв’язок із Facebook обірвався після надсилання.") from error
            raise Away("Зв’язок із Facebook обірвався.") from error
        usage = usage_of(answer.headers)
        self._slow_down(usage)
        if answer.is_success:
            return _parsed(answer, aim)
        failure = failure_of(answer, aim)
        if isinstance(failure, Later):
            self._bar(failure.after)
        raise failure

    def _proof(self, token: SecretStr) -> dict[str, str]:
        """Of no use without the token: https://developers.facebook.com/docs/graph-api/guides/secure-requests."""
        secret = self._section.app_secret
        if secret is None:
            return {}
        digest = hmac.new(
            secret.get_secret_value().encode(), token.get_secret_value().encode(), hashlib.sha256
        )
        return {"appsecret_proof": digest.hexdigest()}

    async def _pace(self, aim: Aim) -> None:
        until = self._barred_until if aim.urgent else max(self._barred_until, self._slowed_until)
        wait = until - asyncio.get_running_loop().time()
        if wait > PATIENCE:
            raise Later("Ліміт викликів Facebook майже вичерпано: чекаємо.", after=wait, counted=False)
        if wait > 0:
            await asyncio.sleep(wait)
        if self._limiter is None:
            self._limiter = AsyncLimiter(self._section.calls_per_minute, 60)
        async with self._limiter:
            return

    def _slow_down(self, usage: Usage) -> None:
        now = asyncio.get_running_loop().time()
        self._slowed_until = max(self._slowed_until, now + pause_after(usage))
        self._bar(usage.regain)

    def _bar(self, seconds: float) -> None:
        self._barred_until = max(self._barred_until, asyncio.get_running_loop().time() + seconds)


def _parsed(answer: httpx.Response, aim: Aim) -> Answer:
    try:
        return _OBJECT.validate_json(answer.content)
    except ValidationError as error:
        if aim.shows:
            raise Unconfirmed("Facebook відповів незрозуміло: невідомо, чи допис з’явився.") from error
        raise Away("Facebook відповів незрозуміло.") from error
