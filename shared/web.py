"""What every service's HTTP has: problem details, health, metrics, and the way it is served."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import cast

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.routing import Match

from shared.mongo import StoreUnavailable
from shared.telemetry import logger

RETRY_AFTER = 5
"""Seconds that a client is asked to wait while the database is away."""

Check = Callable[[], Awaitable[str | None]]
"""A part's health: None when it is well, else what ails it, on one line."""
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_log = logger(__name__)


class Problem(Exception):
    """An answer that is an error, as problem details (RFC 9457).

    `name` ends the problem's `type` (`/problems/<name>`); `more` are its extension members.
    """

    def __init__(
        self,
        status: int,
        name: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.name = name
        self.headers = dict(headers or {})
        self.more = dict(more or {})

    def response(self, instance: str) -> JSONResponse:
        """The HTTP response; `instance` is the path asked for."""
        return JSONResponse(
            {
                "type": f"/problems/{self.name}",
                "title": HTTPStatus(self.status).phrase,
                "status": self.status,
                "detail": str(self),
                "instance": instance,
                **self.more,
            },
            status_code=self.status,
            headers=self.headers,
            media_type="application/problem+json",
        )


def make_app(title: str, *, description: str, lifespan: Lifespan, checks: Mapping[str, Check]) -> FastAPI:
    """An app with `/health/live`, `/health/ready`, `/metrics`, and problem details for every error.

    Ready means that every check of `checks` (by the part's name) is well.
    """
    # The pages of /docs come from this machine: a browser of the city hall asks nobody else for them.
    app = FastAPIOffline(
        title=title, description=description, version="1", lifespan=lifespan, docs_url="/docs", redoc_url=None
    )
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(StoreUnavailable, _store_unavailable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)

    @app.get("/health/live", include_in_schema=False)
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @app.get("/health/ready", include_in_schema=False)
    async def ready() -> JSONResponse:
        answers = await asyncio.gather(*(check() for check in checks.values()))
        ailing = {name: answer for name, answer in zip(checks, answers, strict=True) if answer is not None}
        return JSONResponse(
            {"status": "not ready" if ailing else "ready", "ailing": ailing},
            status_code=503 if ailing else 200,
        )

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return app


def field_errors(errors: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """Pydantic's errors as `{"field": "event.starts_at", "message": …}`, for people who fill in fields."""
    return [
        {"field": _field(cast("tuple[object, ...]", error["loc"])), "message": str(error["msg"])}
        for error in errors
    ]


def _field(location: tuple[object, ...]) -> str:
    """The field as the sender knows it: where FastAPI found it (path, query) is nothing to them."""
    named = location[1:] if location[:1] in (("path",), ("query",), ("header",), ("body",)) else location
    return ".".join(str(part) for part in named)


async def _problem(request: Request, error: Exception) -> Response:
    return cast("Problem", error).response(request.url.path)


async def _store_unavailable(request: Request, error: Exception) -> Response:
    _log.warning("the database is away", reason=str(error))
    return Problem(
        503,
        "store-unavailable",
        "The record can't be written or read right now. Nothing was lost; repeat the request, "
        "with the same Idempotency-Key if it was a submission.",
        headers={"Retry-After": str(RETRY_AFTER)},
    ).response(request.url.path)


async def _invalid(request: Request, error: Exception) -> Response:
    return Problem(
        422,
        "invalid-request",
        "Some fields are missing or don't fit; see errors.",
        more={"errors": field_errors(cast("RequestValidationError", error).errors())},
    ).response(request.url.path)


async def _http_error(request: Request, error: Exception) -> Response:
    http = cast("HTTPException", error)
    headers = dict(http.headers or {})
    if http.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods(request))
    return Problem(http.status_code, f"http-{http.status_code}", str(http.detail), headers=headers).response(
        request.url.path
    )


def _methods(request: Request) -> list[str]:
    """All that may be asked of this address; the router itself names those of the first route there only."""
    app = cast("FastAPI", request.app)
    return [
        method
        for method in ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in app.routes)
    ]


async def _unexpected(request: Request, error: Exception) -> Response:
    _log.error("unexpected error", path=request.url.path, exc_info=error)
    return Problem(500, "unexpected", "Something broke here; it is in the logs.").response(request.url.path)


def serve(app: FastAPI, *, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, letting running requests finish."""
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
        timeout_keep_alive=30,
    )
