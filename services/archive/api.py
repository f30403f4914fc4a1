"""What the archive answers to programs."""

import hashlib
import hmac
import json
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from services.archive.listing import BadCursor, ListQuery
from services.archive.reading import Reading
from services.archive.settings import ArchiveSettings
from services.archive.views import Detail, Listing, RawEvent, RawEvents
from shared.web import Problem

_HEADERS = {
    "Cache-Control": "no-cache",
    "X-Robots-Tag": "noindex",
    "Referrer-Policy": "no-referrer",
    "Vary": "Authorization",
}


def _problem(meaning: str) -> dict[str, Any]:
    """A problem's entry in the OpenAPI document."""
    texts = {name: {"type": "string"} for name in ("type", "title", "detail", "instance")}
    schema = {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            **texts,
            "status": {"type": "integer"},
            "errors": {"type": "array", "items": {"type": "object"}},
        },
    }
    return {"description": meaning, "content": {"application/problem+json": {"schema": schema}}}


_MALFORMED = _problem("Malformed; `errors` names the fields.")
_UNKNOWN = _problem("No such publication in the record, or none yet.")
_KEY_NEEDED = _problem("The operator's key is needed, or a wrong one was given.")
_AWAY = _problem("The database is away; see Retry-After.")


async def reading_of(request: Request) -> Reading:
    """The reading side of the archive that runs."""
    reading: Reading = request.app.state.reading
    return reading


async def operator_of(
    request: Request,
    given: Annotated[
        HTTPAuthorizationCredentials | None,
        Depends(HTTPBearer(auto_error=False, description="The operator's key.")),
    ],
) -> bool:
    """Whether the operator's key came along.

    Any other key is as good as none: what is public stays so for a department that sends its own.
    """
    settings: ArchiveSettings = request.app.state.settings
    key = settings.operator_key.get_secret_value()
    if given is None or not key:
        return False
    # A header's text is its bytes as Latin-1, whatever they were meant to be.
    return hmac.compare_digest(given.credentials.encode("latin-1"), key.encode())


ReadingPart = Annotated[Reading, Depends(reading_of)]
Operator = Annotated[bool, Depends(operator_of)]

api = APIRouter(prefix="/v1/publications", tags=["publications"])


@api.get("", response_model=Listing, responses={401: _KEY_NEEDED, 422: _MALFORMED, 503: _AWAY})
async def publications(
    request: Request, reading: ReadingPart, query: Annotated[ListQuery, Query()], operator: Operator
) -> Response:
    """Publications, the latest first: those released, and those withdrawn after they were.

    With the operator's key also what is not public yet, and what never came to be.
    """
    _only_known(request)
    if query.unreleased and not operator:
        raise _key_needed("What is not public yet is listed with the operator's key only.")
    try:
        page = await reading.page(query, operator=operator)
    except BadCursor as error:
        message = "after must be the next of a page of the same list"
        errors = [{"field": "after", "message": message}]
        raise Problem(422, "invalid-request", message, more={"errors": errors}) from error
    return Response(page.model_dump_json(), media_type="application/json", headers=_HEADERS)


@api.get(
    "/{id}",
    response_model=Detail,
    responses={304: {"description": "Unchanged."}, 404: _UNKNOWN, 422: _MALFORMED, 503: _AWAY},
)
async def publication(
    reading: ReadingPart, id: UUID, operator: Operator, if_none_match: Annotated[str | None, Header()] = None
) -> Response:
    """The publication, its revisions, and its receipt. Whoever has the id may read it.

    Of what was withdrawn only the operator's key shows more than the title, the reason and the receipt.
    """
    record = await reading.record(id)
    if record is None:
        raise _unknown(id)
    body = reading.detail(record, operator=operator).model_dump_json().encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {**_HEADERS, "ETag": etag}
    if if_none_match is not None and _names(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


@api.get(
    "/{id}/events",
    response_model=RawEvents,
    responses={401: _KEY_NEEDED, 404: _UNKNOWN, 422: _MALFORMED, 503: _AWAY},
)
async def events(reading: ReadingPart, id: UUID, operator: Operator) -> Response:
    """The raw record of a publication, oldest first, for an auditor with the operator's key."""
    if not operator:
        raise _key_needed("The raw record is shown with the operator's key only.")
    stored = await reading.events(id)
    if not stored:
        raise _unknown(id)
    items = [RawEvent(received_at=one.received_at, event=json.loads(one.body)) for one in stored]
    return Response(RawEvents(items=items).model_dump_json(), media_type="application/json", headers=_HEADERS)


def _only_known(request: Request) -> None:
    """A filter with a slip in its name would otherwise be a list of everything. Raises `Problem`."""
    known = ListQuery.names()
    unknown = [name for name in dict.fromkeys(request.query_params) if name not in known]
    if unknown:
        message = f"not known; these are: {', '.join(known)}"
        errors = [{"field": name, "message": message} for name in unknown]
        raise Problem(422, "invalid-request", "There is no such filter; see errors.", more={"errors": errors})


def _unknown(publication_id: UUID) -> Problem:
    return Problem(
        404,
        "unknown-publication",
        f"The record has no publication {publication_id}. One that was just accepted is here in a moment.",
    )


def _key_needed(detail: str) -> Problem:
    return Problem(401, "operator-key-needed", detail, headers={"WWW-Authenticate": "Bearer"})


def _names(if_none_match: str, etag: str) -> bool:
    named = [part.strip().removeprefix("W/") for part in if_none_match.split(",")]
    return etag in named or named == ["*"]
