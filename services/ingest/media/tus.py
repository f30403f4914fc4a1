"""Resumable uploads by the tus protocol, 1.0.0: core, creation, termination, expiration.

https://tus.io/protocols/resumable-upload. Beside the protocol, GET tells what became of an upload.
"""

import asyncio
import base64
import binascii
import re
from collections.abc import Awaitable, Callable
from datetime import UTC
from email.utils import format_datetime
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from services.ingest.admission import Admission
from services.ingest.media.description import FIELDS, described
from services.ingest.media.finishing import Finisher
from services.ingest.media.intake import Intake
from services.ingest.media.openapi import (
    APPEND,
    CREATE,
    CREATED,
    NO_CONTENT,
    SECURITY,
    STATE,
    TUS,
    TUS_ANSWERS,
)
from services.ingest.media.refusals import refused
from services.ingest.media.sniffing import HEAD
from services.ingest.media.uploads import PART, Upload, Uploads
from shared.publication import Department, MediaFile
from shared.web import Problem

VERSION = "1.0.0"
_NUMBER = re.compile(r"[0-9]{1,15}")
_METADATA_MOST = 16_384
"""Characters of Upload-Metadata."""
_PROTOCOL = {"Tus-Resumable": VERSION, "Cache-Control": "no-store"}


class TusDesk:
    """What the routes do."""

    def __init__(self, uploads: Uploads, intake: Intake, finisher: Finisher) -> None:
        self._uploads = uploads
        self._intake = intake
        self._finisher = finisher
        self._finishing: set[asyncio.Task[MediaFile | None]] = set()

    def options(self) -> Response:
        """What this server can."""
        return _done(
            {
                "Tus-Version": VERSION,
                "Tus-Extension": "creation,termination,expiration",
                "Tus-Max-Size": str(self._intake.settings.largest),
            }
        )

    async def create(self, request: Request, department: Department) -> Response:
        """Begin an upload."""
        length = _number(request, "Upload-Length")
        if length == 0:
            raise refused("empty-file", "The file is empty.")
        if length > (most := self._intake.settings.largest):
            raise Problem(413, "too-large", f"A file may have up to {most} bytes.")
        metadata = request.headers.get("Upload-Metadata", "")
        words = _words(metadata)
        name = words.get("filename") or words.get("name")
        description = described({field: words[field] for field in FIELDS if field in words}, name)
        upload = await self._uploads.create(department, length, metadata, description)
        return _done({"Location": f"/v1/media/uploads/{upload.id}", **_expires(upload)}, status=201)

    async def offset(self, department: Department, id: UUID) -> Response:
        """How far it has come."""
        upload = await self._find(department, id)
        if upload.refusal is not None:
            raise _gone()
        headers = {"Upload-Offset": str(upload.offset), "Upload-Length": str(upload.length)}
        if upload.metadata:
            headers["Upload-Metadata"] = upload.metadata
        return _done(headers | _expires(upload), status=200)

    async def append(self, request: Request, department: Department, id: UUID) -> Response:
        """Take more bytes; with the last one, look at the file."""
        if request.headers.get("Content-Type") != "application/offset+octet-stream":
            raise Problem(415, "not-a-piece", "Send application/offset+octet-stream.")
        upload = await self._find(department, id)
        if upload.refusal is not None:
            raise _gone()
        if _number(request, "Upload-Offset") != upload.offset:
            raise _elsewhere(upload)
        upload = await self._receive(request, upload)
        headers = {"Upload-Offset": str(upload.offset), **_expires(upload)}
        if upload.whole and (media := await self._finish(upload)) is not None:
            headers["Content-Location"] = f"/v1/media/{media.id}"
        return _done(headers)

    async def _receive(self, request: Request, upload: Upload) -> Upload:
        piece = bytearray()
        try:
            async for block in request.stream():
                piece += block
                if upload.offset + len(piece) > upload.length:
                    raise Problem(413, "too-large", f"The upload was to have {upload.length} bytes.")
                while len(piece) >= PART:
                    upload = await self._keep(upload, bytes(piece[:PART]))
                    del piece[:PART]
        except ClientDisconnect as error:
            if piece:
                await self._keep(upload, bytes(piece))
            raise Problem(400, "cut-off", "The connection ended before the piece did.") from error
        return await self._keep(upload, bytes(piece)) if piece else upload

    async def _keep(self, upload: Upload, data: bytes) -> Upload:
        if upload.offset == 0 and (len(data) >= HEAD or len(data) == upload.length):
            try:
                # Two gigabytes of something that is refused in the end would be a pity.
                self._intake.told(data[:HEAD], upload.length, upload.description)
            except Problem as problem:
                await self._finisher.refuse(upload, problem)
                raise
        kept = await self._uploads.append(upload, data)
        if kept is None:
            raise _elsewhere(await self._find(upload.department, upload.id))
        return kept

    async def _finish(self, upload: Upload) -> MediaFile | None:
        if upload.media is not None:
            return upload.media
        # Who waits for the answer may go away; the work goes on.
        task = asyncio.create_task(self._finisher.finish(upload.id))
        self._finishing.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[MediaFile | None]) -> None:
        self._finishing.discard(task)
        if not task.cancelled():
            task.exception()

    async def terminate(self, department: Department, id: UUID) -> Response:
        """Give it up."""
        upload = await self._find(department, id)
        await self._uploads.remove(upload.id)
        return _done({})

    async def state(self, department: Department, id: UUID) -> Response:
        """What became of it."""
        upload = await self._find(department, id)
        if (refusal := upload.refusal) is not None:
            raise Problem(refusal.status, refusal.name, refusal.detail, more=refusal.more)
        state = "taken" if upload.media else "looked-at" if upload.whole else "receiving"
        media = upload.media.model_dump(mode="json", exclude_none=True) if upload.media else None
        body = {"state": state, "offset": upload.offset, "length": upload.length, "media": media}
        return JSONResponse(body, headers=_PROTOCOL | _expires(upload))

    async def _find(self, department: Department, id: UUID) -> Upload:
        upload = await self._uploads.find(id, department.id)
        if upload is None:
            raise Problem(404, "no-such-upload", "Your department has no upload with this id, or it expired.")
        return upload


def _done(headers: dict[str, str], *, status: int = 204) -> Response:
    return Response(status_code=status, headers=_PROTOCOL | headers)


def _expires(upload: Upload) -> dict[str, str]:
    return {"Upload-Expires": format_datetime(upload.expires_at.astimezone(UTC), usegmt=True)}


def _gone() -> Problem:
    return Problem(410, "refused", "The upload was refused; GET says why. Begin a new one.")


def _elsewhere(upload: Upload) -> Problem:
    return Problem(
        409,
        "other-offset",
        f"The upload stands at {upload.offset}: go on from there.",
        more={"offset": upload.offset},
        headers={"Upload-Offset": str(upload.offset)},
    )


def _number(request: Request, header: str) -> int:
    text = request.headers.get(header, "")
    if not _NUMBER.fullmatch(text):
        raise Problem(400, "bad-header", f"Send {header}: a number of bytes.")
    return int(text)


def _check_version(request: Request) -> None:
    if request.headers.get("Tus-Resumable") != VERSION:
        raise Problem(
            412, "other-protocol", f"Send Tus-Resumable: {VERSION}.", headers={"Tus-Version": VERSION}
        )


def _words(metadata: str) -> dict[str, str]:
    """The pairs of Upload-Metadata: names, and values in Base64. Raises a 400 `Problem`."""
    words: dict[str, str] = {}
    try:
        if len(metadata) > _METADATA_MOST:
            raise ValueError("too long")  # noqa: TRY301  # one answer for all that is wrong with it
        for pair in filter(None, (pair.strip() for pair in metadata.split(","))):
            name, _, value = pair.partition(" ")
            if name in words:
                raise ValueError(f"{name} stands in it twice")  # noqa: TRY301  # as above
            words[name] = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise Problem(
            400, "bad-header", "Upload-Metadata takes pairs of a name and its value in Base64, by comma."
        ) from error
    return words


Handler = Callable[[Department], Awaitable[Response]]


def routes(desk: TusDesk, admission: Admission) -> APIRouter:
    """The routes. All but OPTIONS ask first who calls."""
    router = APIRouter(
        prefix="/v1/media/uploads",
        tags=["resumable uploads"],
        responses=TUS_ANSWERS,
        default_response_class=Response,
    )

    async def admitted(request: Request, handle: Handler, *, protocol: bool = True) -> Response:
        try:
            department = await admission.department(request)
            if protocol:
                _check_version(request)
            return await handle(department)
        except Problem as problem:
            problem.headers |= _PROTOCOL
            raise

    @router.options("", status_code=204, summary="What the server can", responses=NO_CONTENT)
    async def options() -> Response:
        return desk.options()

    @router.post("", status_code=201, summary="Begin an upload", openapi_extra=CREATE, responses=CREATED)
    async def create(request: Request) -> Response:
        return await admitted(request, lambda department: desk.create(request, department))

    @router.head("/{id}", status_code=200, summary="How far it has come", openapi_extra=TUS)
    async def offset(request: Request, id: UUID) -> Response:
        return await admitted(request, lambda department: desk.offset(department, id))

    @router.patch(
        "/{id}", status_code=204, summary="Send more of it", openapi_extra=APPEND, responses=NO_CONTENT
    )
    async def append(request: Request, id: UUID) -> Response:
        return await admitted(request, lambda department: desk.append(request, department, id))

    @router.delete("/{id}", status_code=204, summary="Give it up", openapi_extra=TUS, responses=NO_CONTENT)
    async def terminate(request: Request, id: UUID) -> Response:
        return await admitted(request, lambda department: desk.terminate(department, id))

    @router.get("/{id}", summary="What became of it", openapi_extra=SECURITY, responses=STATE)
    async def state(request: Request, id: UUID) -> Response:
        return await admitted(request, lambda department: desk.state(department, id), protocol=False)

    return router
