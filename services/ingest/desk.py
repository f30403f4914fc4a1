"""The routes that departments call."""

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from services.ingest.emission import Emitter
from services.ingest.keys import Register
from services.ingest.metrics import ACCEPTED
from services.ingest.openapi import ANSWERS, request_body
from services.ingest.reading import (
    body_of,
    keyed,
    read_content,
    read_revision,
    read_withdrawal,
    revision_seen,
)
from services.ingest.settings import IngestSettings
from services.ingest.store import Keyed, KeyTaken, Outbox, Outdated, Stored
from services.ingest.submissions import Refused, Step, accept, revise, withdraw
from services.ingest.targets import unknown_channels
from shared.events import new_id, now
from shared.publication import Content, Department
from shared.telemetry import log_context, logger
from shared.web import Problem

_log = logger(__name__)
_bearer = HTTPBearer(auto_error=False, description="A department's key.")


class Desk:
    """What the routes need: who asks, what may be asked, where it is kept."""

    def __init__(
        self, settings: IngestSettings, register: Register, outbox: Outbox, emitter: Emitter
    ) -> None:
        self._settings = settings
        self._register = register
        self._outbox = outbox
        self._emitter = emitter
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def department(
        self, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> Department:
        """Who asks. Raises 401 without a valid key, 429 over the limit of requests."""
        holder = None if credentials is None else await self._register.holder(credentials.credentials)
        if holder is None or credentials is None:
            raise Problem(
                401,
                "no-valid-key",
                "Send the department's key: Authorization: Bearer <key>.",
                headers={"WWW-Authenticate": 'Bearer realm="visnyk"'},
            )
        rate = self._settings.rate
        if not await self._limiter.hit(rate, credentials.credentials):
            window = await self._limiter.get_window_stats(rate, credentials.credentials)
            wait = max(1, round(window.reset_time - now().timestamp()) + 1)
            raise Problem(
                429,
                "too-many-requests",
                f"This key may make {self._settings.rate_limit} requests.",
                headers={"Retry-After": str(wait)},
            )
        return holder

    async def submit(self, request: Request, department: Department) -> JSONResponse:
        """Accept a new publication."""
        body = await body_of(request)
        content = read_content(body)
        self._check_channels(content)
        key = keyed(request, body)
        step = accept(new_id(), content, department, channels=self._settings.channels, at=now())
        try:
            await self._outbox.insert(step, key)
        except KeyTaken:
            return await self._same_answer(department, key)
        return self._accepted(step, "submit")

    async def revise(self, request: Request, department: Department, id: UUID) -> JSONResponse:
        """Accept the next revision."""
        seen = revision_seen(request)
        body = await body_of(request)
        content, change = read_revision(body)
        self._check_channels(content)
        key = keyed(request, body)

        def decide(stored: Stored) -> Step:
            revision = stored.submission.publication.revision
            if revision != seen:
                raise Problem(
                    412,
                    "outdated-revision",
                    f"It is at revision {revision}, not {seen}: look at it, then send your change again.",
                    more={"revision": revision},
                    headers={"ETag": f'"{revision}"'},
                )
            return revise(stored.submission, content, change, channels=self._settings.channels, at=now())

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
            raise Problem(
                422,
                "invalid-publication",
                f"Some fields don't fit: channels. There is no channel {', '.join(unknown)} here.",
                more={
                    "errors": [
                        {
                            "field": "channels",
                            "message": f"no such channel, or it is off: {', '.join(unknown)}",
                            "allowed": list(self._settings.channels),
                        }
                    ]
                },
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
        with log_context({"publication_id": str(id)}):
            while True:
                if key is not None and await self._outbox.answered(department.id, key.key) is not None:
                    return await self._same_answer(department, key)
                stored = await self._outbox.find(id, department.id)
                if stored is None:
                    raise Problem(
                        404, "no-such-publication", "Your department has no publication with this id."
                    )
                try:
                    step = decide(stored)
                    await self._outbox.apply(step, stored.version, key)
                except Refused as refused:
                    raise _conflict(refused) from refused
                except (Outdated, KeyTaken):
                    continue
                return self._accepted(step, operation)

    async def _same_answer(self, department: Department, key: Keyed | None) -> JSONResponse:
        answer = None if key is None else await self._outbox.answered(department.id, key.key)
        if answer is None or key is None:
            raise RuntimeError("a key is taken only by a request that was answered")
        if answer.fingerprint != key.fingerprint:
            raise Problem(
                422,
                "idempotency-key-reused",
                "This Idempotency-Key came with another request before: take a new one.",
            )
        return self._answer(answer.id, answer.revision)

    def _accepted(self, step: Step, operation: str) -> JSONResponse:
        self._emitter.soon(step)
        publication = step.submission.publication
        ACCEPTED.labels(publication.kind, operation).inc()
        with log_context(step.event.log_context()):
            _log.info("accepted", operation=operation, revision=publication.revision)
        return self._answer(publication.id, publication.revision)

    def _answer(self, id: UUID, revision: int) -> JSONResponse:
        archive = self._settings.archive_url
        return JSONResponse(
            {"id": str(id), "revision": revision, "receipt": f"{archive}/receipts/{id}"},
            status_code=202,
            headers={"Location": f"{archive}/v1/publications/{id}", "ETag": f'"{revision}"'},
        )


def _conflict(refused: Refused) -> Problem:
    if refused.field is None:
        return Problem(409, "conflict", str(refused))
    return Problem(
        422,
        "invalid-publication",
        f"Some fields don't fit: {refused.field}.",
        more={"errors": [{"field": refused.field, "message": str(refused)}]},
    )


def routes(desk: Desk) -> APIRouter:
    """The routes, each of which asks who calls."""
    router = APIRouter(prefix="/v1/publications", tags=["publications"], responses=ANSWERS)
    who = Depends(desk.department)

    @router.post(
        "", status_code=202, summary="Hand in a publication", openapi_extra=request_body("Submission")
    )
    async def submit(request: Request, department: Annotated[Department, who]) -> JSONResponse:
        return await desk.submit(request, department)

    @router.put(
        "/{id}", status_code=202, summary="Make the next revision", openapi_extra=request_body("Revision")
    )
    async def revise(request: Request, department: Annotated[Department, who], id: UUID) -> JSONResponse:
        return await desk.revise(request, department, id)

    @router.post(
        "/{id}/withdrawal",
        status_code=202,
        summary="Take it back",
        openapi_extra=request_body("WithdrawalRequest"),
    )
    async def withdraw(request: Request, department: Annotated[Department, who], id: UUID) -> JSONResponse:
        return await desk.withdraw(request, department, id)

    return router
