"""The resumable upload of a video: a session, and one request that carries what isn't there yet.

https://developers.facebook.com/docs/graph-api/guides/upload: `POST /{app}/uploads` gives the session, `GET`
of it tells `file_offset`, a `POST` with that header takes the bytes from there on and gives a handle.
Nobody sees anything until the handle is published.
"""

import asyncio
from collections.abc import AsyncIterator

from pydantic import BaseModel

from services.publisher.channels.facebook.client import Graph
from services.publisher.channels.facebook.refusals import Aim, Gone, WrongParameter
from services.publisher.channels.interface import Away, Call
from shared.bus import Later, Permanent
from shared.media import MediaStore
from shared.publication import MediaFile

TRIES = 4
"""Of one call, after which the publication makes room for others."""
_AIM = Aim(permission="pages_manage_posts")


class _Session(BaseModel):
    id: str


class _Arrived(BaseModel):
    file_offset: int


class _Handle(BaseModel):
    h: str


class Uploader:
    """Carries files from the media store to the app, a mebibyte in memory at a time."""

    def __init__(self, graph: Graph, media: MediaStore, app: str, slice: float) -> None:
        self._graph = graph
        self._media = media
        self._app = app
        self._slice = slice

    async def handle_of(self, file: MediaFile, call: Call) -> str:
        """What the uploaded file is published by; goes on with an upload that `call` remembers."""
        if call.remembered.get("sha256") != file.sha256:
            await call.remember(sha256=file.sha256, session=None, handle=None)
        handle = call.remembered.get("handle")
        if isinstance(handle, str):
            return handle
        try:
            async with asyncio.timeout(self._slice):
                handle = await self._carry(file, call)
        except TimeoutError as error:
            raise Later("Відео ще завантажується: продовжимо.", counted=False) from error
        await call.remember(handle=handle)
        return handle

    async def stale(self, call: Call) -> bool:
        """Forget what was uploaded, so that the next try begins anew; False where one already did."""
        if call.remembered.get("uploaded_again"):
            return False
        await call.remember(session=None, handle=None, uploaded_again=True)
        return True

    async def _carry(self, file: MediaFile, call: Call) -> str:
        failure: Exception | None = None
        for _ in range(TRIES):
            session, offset = await self._session(file, call)
            try:
                answer = await self._graph.send(
                    session, self._blocks(file, offset), offset=offset, size=file.size, aim=_AIM
                )
                return _Handle.model_validate(answer).h
            except (Gone, WrongParameter) as error:
                await call.remember(session=None)
                failure = error
            except Away as error:
                failure = error
        if isinstance(failure, Away):
            raise failure
        raise Permanent("Facebook не приймає відеофайла.") from failure

    async def _session(self, file: MediaFile, call: Call) -> tuple[str, int]:
        """The session, and how much it has."""
        kept = call.remembered.get("session")
        if isinstance(kept, str):
            try:
                return kept, _Arrived.model_validate(await self._graph.arrived(kept, _AIM)).file_offset
            except (Gone, WrongParameter):
                pass
        answer = await self._graph.begin_upload(
            self._app,
            {
                "file_name": f"{file.sha256}.mp4",
                "file_length": str(file.size),
                "file_type": file.media_type,
            },
            _AIM,
        )
        session = _Session.model_validate(answer).id
        await call.remember(session=session)
        return session, 0

    async def _blocks(self, file: MediaFile, offset: int) -> AsyncIterator[bytes]:
        async for block in self._media.chunks(file.sha256, start=offset):
            yield block
