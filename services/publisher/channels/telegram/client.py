"""The Bot API through aiogram: paced, its errors sorted, and the token in none of them.

A call that changes something and may be made twice (`repeatable`: edits, deletions) tells less of doubt than
one that sends: it is simply made again.
"""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import TypeVar

import aiohttp
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    AiogramError,
    TelegramAPIError,
    TelegramMigrateToChat,
    TelegramRetryAfter,
)
from aiogram.methods import TelegramMethod
from aiogram.methods.base import TelegramType
from aiolimiter import AsyncLimiter

from services.publisher.channels.interface import Away, Unconfirmed
from services.publisher.channels.telegram.files import Upload
from services.publisher.channels.telegram.refusals import meaning_of
from services.publisher.channels.telegram.settings import TelegramSection
from shared.bus import Later

CONNECT_TIMEOUT = 10.0
_AWAY = "До Telegram зараз не дістатися."
_LOST = "Зв’язок із Telegram обірвався посеред запиту: невідомо, чи його виконано."
_BROKEN = "Telegram повідомив про власну помилку: невідомо, чи запит виконано."
_STRANGE = "Відповідь Telegram не вдалося прочитати."
_BUSY = "Telegram просить зачекати."
ResultT = TypeVar("ResultT")


class Moved(Exception):
    """The chat is now another one."""

    def __init__(self, to: int) -> None:
        super().__init__("the chat has moved")
        self.to = to


class _Answer(Exception):
    """What the Bot API answered instead of a result."""

    def __init__(self, status: int, description: str, *, retry_after: float = 0, moved_to: int = 0) -> None:
        super().__init__(f"{status} {description}")
        self.status = status
        self.description = description
        self.retry_after = retry_after
        self.moved_to = moved_to


class _NothingSent(Exception):
    """No connection came about."""


class _Cut(Exception):
    """The request was on its way, and no whole answer came."""


class _Garbled(Exception):
    """It took effect, and the answer can't be read."""


class Unreadable(Away):
    """The other side answers in words that aren't understood."""


class _Session(AiohttpSession):
    """Tells a connection that never was from one that broke; lets no address, which has the token, out."""

    def __init__(self, api_url: str) -> None:
        super().__init__(api=TelegramAPIServer.from_base(api_url))
        # A kept connection that the server has just closed looks like one cut in the middle of a request.
        self._connector_init["force_close"] = True

    async def make_request(
        self,
        bot: Bot,
        method: TelegramMethod[TelegramType],
        timeout: float | None = None,  # noqa: ASYNC109  # aiogram's signature
    ) -> TelegramType:
        session = await self.create_session()
        try:
            async with session.post(
                self.api.api_url(token=bot.token, method=method.__api_method__),
                data=self.build_form_data(bot=bot, method=method),
                timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_TIMEOUT),
                allow_redirects=False,
            ) as response:
                status, content = response.status, await response.text(errors="replace")
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise _NothingSent from None
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise _Cut from None
        try:
            answer = self.check_response(bot=bot, method=method, status_code=status, content=content)
        except TelegramRetryAfter as error:
            raise _Answer(status, _BUSY, retry_after=error.retry_after) from None
        except TelegramMigrateToChat as error:
            raise _Answer(status, "chat has moved", moved_to=error.migrate_to_chat_id) from None
        except TelegramAPIError as error:
            raise _Answer(status, error.message) from None
        except AiogramError:
            # A gateway's page, or fields that this aiogram doesn't expect.
            if status < HTTPStatus.BAD_REQUEST:
                raise _Garbled from None
            raise _Answer(status, "") from None
        if answer.result is None:
            raise _Cut
        return answer.result


class Client:
    """One bot in one chat. Raises the errors of a channel, those of `refusals`, and `Moved`."""

    def __init__(self, section: TelegramSection) -> None:
        self._section = section
        self._token = section.token.get_secret_value()
        self._session = _Session(section.api_url)
        self._bot = Bot(self._token, session=self._session)
        self._per_chat = _limiter(section.per_chat, 1)
        self._per_group = AsyncLimiter(section.per_group, 60)
        self._overall = _limiter(section.overall, 1)

    async def close(self) -> None:
        await self._session.close()

    async def pace(self, messages: int = 1, *, group: bool) -> None:
        """Wait until so many messages may be sent; before a send is recorded as begun."""
        await self._per_chat.acquire()
        if group:
            await self._per_group.acquire(messages)

    async def call(
        self, method: TelegramMethod[ResultT], *, repeatable: bool = True, uploads: Sequence[Upload] = ()
    ) -> ResultT:
        """The result; short pauses that are asked for are waited. `uploads`: the files that `method` has."""
        timeout = self._section.upload_timeout if uploads else self._section.timeout
        waited = 0.0
        while True:
            await self._overall.acquire()
            try:
                return await self._session.make_request(self._bot, method, timeout=timeout)
            except _Garbled:
                raise (Unreadable(_STRANGE) if repeatable else Unconfirmed(_STRANGE)) from None
            except _NothingSent:
                raise Away(_AWAY) from None
            except _Cut:
                for upload in uploads:
                    if upload.failure is not None:
                        # An upload that breaks off in the middle is no request yet.
                        raise upload.failure from None
                raise Unconfirmed(_LOST) from None
            except _Answer as answer:
                if answer.retry_after and waited + answer.retry_after <= self._section.patience:
                    waited += answer.retry_after
                    await asyncio.sleep(answer.retry_after)
                    continue
                raise self._sorted(answer, repeatable=repeatable) from None

    def _sorted(self, answer: _Answer, *, repeatable: bool) -> Exception:
        if answer.moved_to:
            return Moved(answer.moved_to)
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            return Later(_BUSY, after=answer.retry_after or 30)
        # 503 comes from the gateway before the API sees the request; after any other 5xx it may have.
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            if repeatable or answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
                return Away(_AWAY)
            return Unconfirmed(_BROKEN)
        return meaning_of(answer.status, answer.description.replace(self._token, "…"))


def _limiter(rate: float, seconds: float) -> AsyncLimiter:
    """Of rates below 1 as well, which the bucket could never fill."""
    return AsyncLimiter(rate, seconds) if rate >= 1 else AsyncLimiter(1, seconds / rate)
