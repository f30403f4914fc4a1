"""The resumable upload: a session's address, and requests that carry the file's next bytes.

https://developers.google.com/youtube/v3/guides/using_resumable_upload_protocol: all but the last request
carry a multiple of 256 KiB; 308 and `Range` say how much arrived; an empty request with `bytes */SIZE` asks
for it; once all has arrived the answer is the video, to that question too.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import cast

import httpx

from services.publisher.channels.interface import Away, Unconfirmed
from services.publisher.channels.youtube.client import Api
from services.publisher.channels.youtube.refusals import NotFound, error_of
from services.publisher.channels.youtube.resources import Video
from services.publisher.channels.youtube.settings import YoutubeSection
from shared.bus import Later
from shared.media import MediaStore
from shared.publication import MediaFile

_PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each further try of a request that failed; then the whole call fails."""
_RESUME = 308
_NOT_A_VIDEO_YET = "YouTube отримав усе відео, але ще не підтвердив цього."


class SessionGone(Exception):
    """The session is over, or forgotten: its address is of no more use."""


class _Interrupted(Exception):
    """A request failed in a way that asking for what arrived, and going on, may heal."""


class Uploader:
    """Carries files from the media store to sessions, a mebibyte in memory at a time."""

    def __init__(self, api: Api, media: MediaStore, section: YoutubeSection) -> None:
        self._api = api
        self._media = media
        self._section = section

    async def go_on(self, session: str, file: MediaFile, before_last: Callable[[], Awaitable[None]]) -> Video:
        """Send what YouTube hasn't got yet; return the video.

        `before_last` is awaited before the request after which the video may exist. Raises `SessionGone`,
        `Later` where the time of one call is over, `Away`, `Unconfirmed` where all was sent and nobody
        answers, and what the media store raises.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self._section.slice
        arrived: int | None = None
        failures, all_sent, sent_any = 0, False, False
        while True:
            if arrived is not None:
                sent_any = True
                all_sent = all_sent or arrived + self._section.chunk >= file.size
            try:
                state = await self._next(session, file, arrived, before_last)
            except _Interrupted as trouble:
                if failures == len(_PAUSES):
                    raise (Unconfirmed if all_sent else Away)(str(trouble)) from trouble
                await asyncio.sleep(_PAUSES[failures])
                failures += 1
                arrived = None
                continue
            if isinstance(state, Video):
                return state
            if arrived is not None and state > arrived:
                failures = 0
            arrived = state
            if sent_any and arrived < file.size and loop.time() >= until:
                percent = 100 * arrived // file.size
                raise Later(f"Відео завантажується на YouTube: передано {percent} %.", counted=False)

    async def _next(
        self, session: str, file: MediaFile, arrived: int | None, before_last: Callable[[], Awaitable[None]]
    ) -> Video | int:
        if arrived is None:
            return await self.ask(session, file.size)
        if arrived >= file.size:
            raise _Interrupted(_NOT_A_VIDEO_YET)
        if arrived + self._section.chunk >= file.size:
            await before_last()
        return await self._send(session, file, arrived)

    async def ask(self, session: str, size: int) -> Video | int:
        """The video if it is all there, else how many bytes are. Raises `SessionGone`."""
        return await self._put(session, f"bytes */{size}", 0, None)

    async def outcome(self, session: str, size: int) -> Video | None:
        """What became of a session: the video; None where it isn't whole.

        Raises `SessionGone`, `Away`, and `Unconfirmed` where it is whole, and no video yet.
        """
        trouble: Away | Unconfirmed = Unconfirmed(_NOT_A_VIDEO_YET)
        for pause in _PAUSES:
            try:
                state = await self.ask(session, size)
            except _Interrupted as interrupted:
                trouble = Away(str(interrupted))
            else:
                if isinstance(state, Video):
                    return state
                if state < size:
                    return None
                trouble = Unconfirmed(_NOT_A_VIDEO_YET)
            await asyncio.sleep(pause)
        raise trouble

    async def _send(self, session: str, file: MediaFile, start: int) -> Video | int:
        end = min(start + self._section.chunk, file.size)
        async with aclosing(_bytes(self._media, file.sha256, start, end)) as body:
            return await self._put(session, f"bytes {start}-{end - 1}/{file.size}", end - start, body)

    async def _put(
        self, session: str, range: str, length: int, body: AsyncIterator[bytes] | None
    ) -> Video | int:
        headers = {
            **await self._api.authorization(),
            "Content-Range": range,
            "Content-Length": str(length),
        }
        try:
            answer = await self._api.http.put(session, headers=headers, content=body)
        except httpx.TransportError as error:
            raise _Interrupted("Зв’язок із YouTube обірвався під час завантаження.") from error
        if answer.status_code == _RESUME:
            return _arrived(answer)
        if answer.is_success:
            return Video.model_validate_json(answer.content)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._api.tokens.refused(headers["Authorization"].removeprefix("Bearer "))
            raise _Interrupted("YouTube не приймає токена доступу.")
        if answer.is_server_error:
            raise _Interrupted(f"YouTube відповів помилкою {answer.status_code} під час завантаження.")
        refusal = await error_of(answer, self._api.quota, uploads=True)
        raise SessionGone() if isinstance(refusal, NotFound) else refusal


def _arrived(answer: httpx.Response) -> int:
    match = re.fullmatch(r"(?:bytes=)?0-(\d+)", answer.headers.get("Range", ""))
    return int(match[1]) + 1 if match else 0


async def _bytes(media: MediaStore, key: str, start: int, end: int) -> AsyncGenerator[bytes, None]:
    left = end - start
    # Declared as the plain iterator that callers need; closed here, for a part is read of it.
    file = cast("AsyncGenerator[bytes, None]", media.chunks(key, start=start))
    async with aclosing(file) as blocks:
        async for block in blocks:
            yield block[:left]
            left -= len(block[:left])
            if left == 0:
                return
