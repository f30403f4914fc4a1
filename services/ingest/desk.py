"""The routes that departments call."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from services.ingest.admission import Admission
from services.ingest.conditions import Keyed, etag, keyed, revisions_seen
from services.ingest.emission import Emitter
from services.ingest.media.records import Records
from services.ingest.media.resolving import resolve
from services.ingest.metrics import ACCEPTED
from services.ingest.openapi import ANSWERS, request_body
from services.ingest.reading import body_of, read_content, read_revision, read_withdrawal, unfit
from services.ingest.rehearsal import Rehearsal, rehearse
from services.ingest.settings import IngestSettings
from services.ingest.store import Answer, KeyTaken, Outbox, Outdated, Stored
from services.ingest.submissions import Refused, Step, accept, revise, withdraw
from services.ingest.targets import unknown_channels
from shared.bus import Bus
from shared.events import new_id, now
from shared.mongo import StoreUnavailable
from shared.publication import Content, Department
from shared.telemetry import log_context, logger
from shared.web import RETRY_AFTER, Problem

TRIES = 100
PAUSE = 0.05
"""Seconds before a request that met another one looks again."""
UNEMITTED_MOST = 8
"""Changes of one publication that may wait for the broker: up to 1 MiB each, in a document of at most 16."""

_log = logger(__name__)


class Desk:
    """What the routes do: read, decide, keep, answer."""

    def __init__(
        self, settings: IngestSettings, outbox: Outbox, emitter: Emitter, media: Records, bus: Bus
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._outbox = outbox
        self._emitter = emitter
        self._media = media

    async def submit(self, request: Request, department: Department) -> JSONResponse:
        """Accept a new publication."""
        await self._outbox.ready()
        body = await body_of(request)
        content = read_content(body)
        self._check_channels(content)
        key = keyed(request, body)
        media = await resolve(self._media, content, department, claim=True)
        step = accept(new_id(), content, department, media=media, channels=self._settings.channels, at=now())
        async for _ in _tries():
            try:
                await self._outbox.insert(step, key)
            except KeyTaken:
                if (answer := self._same(await self._answer_to(department, key), key)) is not None:
                    return answer
            else:
                await self._keep(step)
                return self._accepted(step, "submit")
        raise StoreUnavailable("a request with the same key is under way and doesn't end")

    async def rehearse(self, request: Request, department: Department) -> JSONResponse:
        """Say what would become of a new publication, and do nothing."""
        body = await body_of(request)
        content = read_content(body)
        self._check_channels(content)
        # Looked at for its form alone: the real submission may take the same key.
        keyed(request, body)
        media = await resolve(self._media, content, department, claim=False)
        step = accept(new_id(), content, department, media=media, channels=self._settings.channels, at=now())
        rehearsal = await rehearse(self._bus, step.submission.publication)
        return JSONResponse(rehearsal.model_dump(mode="json"))

    async def revise(self, request: Request, department: Department, id: UUID) -> JSONResponse:
        """Accept the next revision."""
        seen = revisions_seen(request)
        body = await body_of(request)
        content, change = read_revision(body)
        self._check_channels(content)
        key = keyed(request, body)
        media = await resolve(self._media, content, department, claim=True)

        def decide(stored: Stored) -> Step:
            revision = stored.submission.publication.revision
            if etag(revision) not in seen:
                raise Problem(
                    412,
                    "outdated-revision",
                    f"It is at revision {revision}: look at it, then send your change again.",
                    more={"revision": revision},
                    headers={"ETag": etag(revision)},
                )
            return revise(
                stored.submission,
                content,
                change,
                media=media,
                channels=self._settings.channels,
                at=now(),
            )

        return await self._change(department, id, key, decide, "revise")

    async def withdraw(self, request: Request, department: Department, id: UUID) -> JSONResponse:
        """Accept a withdrawal."""
        body = await body_of(request)
        reason = read_withdrawal(body)
        key = keyed(request, body)
        return await self._change(
            department, id, key, lambda stored: withdraw(stored.submission, reason, at=now()), "withdraw"
        )

    def _check_channels(self, content: Content) -> None:
        if unknown := unknown_channels(content, self._settings.channels):
            raise unfit(
                {
                    "field": "channels",
                    "message": f"no such channel, or it is off: {', '.join(unknown)}",
                    "allowed": list(self._settings.channels),
                }
            )

    async def _change(
        self,
        department: Department,
        id: UUID,
        key: Keyed | None,
        decide: Callable[[Stored], Step],
        operation: str,
    ) -> JSONResponse:
        """Decide from what stands, and write; decide again where somebody else was faster."""
        await self._outbox.ready()
        with log_context({"publication_id": str(id)}):
            async for _ in _tries():
                if (answer := self._same(await self._answer_to(department, key), key)) is not None:
                    return answer
                stored = await self._outbox.find(id, department.id)
                if stored is None:
                    raise Problem(
                        404, "no-such-publication", "Your department has no publication with this id."
                    )
                # The same request may have been carried out between the two reads.
                if (answer := self._same(_answer_in(stored, key), key)) is not None:
                    return answer
                try:
                    step = decide(stored)
                except Refused as refused:
                    raise _conflict(refused) from refused
                if stored.unemitted >= UNEMITTED_MOST:
                    raise Problem(
                        503,
                        "too-much-waits",
                        f"{stored.unemitted} changes of it wait for the message broker; try again later.",
                        headers={"Retry-After": str(RETRY_AFTER)},
                    )
                try:
                    await self._outbox.apply(step, stored.version, key)
                except (Outdated, KeyTaken):
                    continue
                await self._keep(step)
                return self._accepted(step, operation)
            raise StoreUnavailable("others change it without end")

    async def _keep(self, step: Step) -> None:
        """Its files are used. Where this fails, who cleans up finds them in the submission."""
        with suppress(StoreUnavailable):
            await self._media.keep(step.submission.publication.content.media)

    async def _answer_to(self, department: Department, key: Keyed | None) -> Answer | None:
        return None if key is None else await self._outbox.answered(department.id, key.key)

    def _same(self, answer: Answer | None, key: Keyed | None) -> JSONResponse | None:
        """The answer given before, given again; None if there was none. Raises 422 for another request."""
        if answer is None or key is None:
            return None
        if answer.fingerprint != key.fingerprint:
            raise Problem(
                422,
                "idempotency-key-reused",
                "This Idempotency-Key came with another request before: take a new one.",
            )
        return self._respond(answer.id, answer.revision)

    def _accepted(self, step: Step, operation: str) -> JSONResponse:
        self._emitter.soon(step)
        publication = step.submission.publication
        ACCEPTED.labels(publication.kind, operation).inc()
        _log.info(
            "accepted",
            operation=operation,
            revision=publication.revision,
            department=publication.department.id,
            **step.event.log_context(),
        )
        return self._respond(publication.id, publication.revision)

    def _respond(self, id: UUID, revision: int) -> JSONResponse:
        archive = self._settings.archive_url
        return JSONResponse(
            {"id": str(id), "revision": revision, "receipt": f"{archive}/receipts/{id}"},
            status_code=202,
            headers={"Location": f"{archive}/v1/publications/{id}", "ETag": etag(revision)},
        )


async def _tries() -> AsyncIterator[None]:
    """Again and again, as long as a department may be kept waiting."""
    for number in range(TRIES):
        if number:
            await asyncio.sleep(PAUSE)
        yield


def _answer_in(stored: Stored, key: Keyed | None) -> Answer | None:
    return next((it for it in stored.answers if key is not None and it.key == key.key), None)


def _conflict(refused: Refused) -> Problem:
    if refused.field is None:
        return Problem(409, "conflict", str(refused))
    return unfit({"field": refused.field, "message": str(refused)})


def routes(desk: Desk, admission: Admission) -> APIRouter:
    """The routes, each of which asks first who calls."""
    router = APIRouter(prefix="/v1/publications", tags=["publications"], responses=ANSWERS)

    @router.post(
        "",
        status_code=202,
        summary="Hand in a publication",
        responses={200: {"model": Rehearsal, "description": "With dry_run: nothing was accepted."}},
        openapi_extra=request_body("Submission"),
    )
    async def submit(
        request: Request,
        dry_run: Annotated[
            bool, Query(description="Answer what each channel would show, and do nothing.")
        ] = False,
    ) -> JSONResponse:
        department = await admission.department(request)
        if dry_run:
            return await desk.rehearse(request, department)
        return await desk.submit(request, department)

    @router.put(
        "/{id}", status_code=202, summary="Make the next revision", openapi_extra=request_body("Revision")
    )
    async def revise(request: Request, id: UUID) -> JSONResponse:
        """Replaces the whole publication, but for its hour: left out, that stays; one in the past ends it."""
        return await desk.revise(request, await admission.department(request), id)

    @router.post(
        "/{id}/withdrawal",
        status_code=202,
        summary="Take it back for good",
        openapi_extra=request_body("WithdrawalRequest"),
    )
    async def withdraw(request: Request, id: UUID) -> JSONResponse:
        return await desk.withdraw(request, await admission.department(request), id)

    return router
