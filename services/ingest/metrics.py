"""What ingest counts beside what all services do."""

from collections.abc import Awaitable, Callable
from typing import cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import Counter, Gauge

from shared.mongo import StoreUnavailable
from shared.web import Problem

ACCEPTED = Counter(
    "visnyk_accepted_total", "Submissions, revisions and withdrawals accepted.", ["kind", "operation"]
)
REFUSED = Counter("visnyk_refused_total", "Requests refused, by the name of the problem.", ["problem"])
OLDEST_UNEMITTED = Gauge(
    "visnyk_oldest_unemitted_seconds",
    "Age of the oldest accepted event that is not on the bus; 0 if all are.",
)
UPLOADS = Counter(
    "visnyk_uploads_total", "Files handed in, by form (photo, video, document, unknown).", ["form", "outcome"]
)
UPLOADED_BYTES = Counter("visnyk_uploaded_bytes_total", "Bytes of the files taken, as stored.", ["form"])
RENDITIONS_WAITING = Gauge("visnyk_renditions_waiting", "Photographs whose renditions are not all made.")

Handler = Callable[[Request, Exception], Awaitable[Response]]


def count_refusals(app: FastAPI) -> None:
    """Count every refusal that a handler of the app answers."""
    for refusal in (Problem, StoreUnavailable, RequestValidationError):
        answer = cast("Handler", app.exception_handlers[refusal])
        app.add_exception_handler(refusal, _counting(answer))


def _counting(answer: Handler) -> Handler:
    async def counted(request: Request, error: Exception) -> Response:
        REFUSED.labels(_name(error)).inc()
        return await answer(request, error)

    return counted


def _name(error: Exception) -> str:
    if isinstance(error, Problem):
        return error.name
    return "store-unavailable" if isinstance(error, StoreUnavailable) else "invalid-request"
