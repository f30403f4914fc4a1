"""The archive's pages for people: the receipt («Квитанція»), and the latest publications."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import ValidationError

from services.archive import wording
from services.archive.api import ReadingPart
from services.archive.listing import BadCursor, ListQuery
from services.archive.precedence import UNRELEASED
from services.archive.reading import Reading
from services.archive.settings import ArchiveSettings
from shared.events import now
from shared.mongo import StoreUnavailable
from shared.vocabulary import KIND_NAMES, SECTION_NAMES, TOPIC_NAMES, URGENCY_NAMES, Urgency
from shared.web import RETRY_AFTER

_HERE = Path(__file__).parent
_STYLE = (_HERE / "static" / "archive.css").read_bytes()
STYLE_ADDRESS = f"/static/archive.{hashlib.sha256(_STYLE).hexdigest()[:12]}.css"
_SCRIPT = (_HERE / "static" / "again.js").read_bytes()
SCRIPT_ADDRESS = f"/static/again.{hashlib.sha256(_SCRIPT).hexdigest()[:12]}.js"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
    "Cache-Control": "no-store",
}
_LASTING = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
FRESH = timedelta(days=1)
"""An id made this lately may belong to a publication that is still on its way to the record."""

_environment = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.globals.update(
    style=STYLE_ADDRESS,
    script=SCRIPT_ADDRESS,
    kinds=KIND_NAMES,
    sections=SECTION_NAMES,
    topics=TOPIC_NAMES,
    urgencies=URGENCY_NAMES,
    routine=Urgency.ROUTINE,
    significances=wording.SIGNIFICANCE_NAMES,
    states=wording.STATE_NAMES,
)
_environment.filters.update(
    moment=wording.moment,
    exact=wording.exact,
    clock=wording.clock,
    day=wording.day,
    web=wording.web_address,
    prose=wording.prose,
    kind_of=wording.kind_of,
)

pages = APIRouter(include_in_schema=False)


@pages.get(STYLE_ADDRESS)
async def style() -> Response:
    """The one style sheet; its address changes with its content."""
    return Response(_STYLE, media_type="text/css", headers=_LASTING)


@pages.get(SCRIPT_ADDRESS)
async def script() -> Response:
    """The one script: it loads a receipt again that is still to change."""
    return Response(_SCRIPT, media_type="text/javascript", headers=_LASTING)


@pages.get("/receipts/{id}")
async def receipt(request: Request, reading: ReadingPart, id: str) -> Response:
    """What became of a publication, for the clerk who handed it in."""
    try:
        publication_id = UUID(id)
    except ValueError:
        return _sorry(request, HTTPStatus.NOT_FOUND)
    return await receipt_page(request, reading, publication_id)


async def receipt_page(
    request: Request,
    reading: Reading,
    publication_id: UUID,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    mistake: object = None,
) -> Response:
    """The receipt's page; `mistake` says why a form on it was not carried out."""
    settings: ArchiveSettings = request.app.state.settings
    try:
        record = await reading.record(publication_id)
    except StoreUnavailable:
        return _sorry(request, HTTPStatus.SERVICE_UNAVAILABLE)
    at = now()
    if record is None:
        return _sorry(request, HTTPStatus.NOT_FOUND, on_its_way=made_lately(publication_id, at))
    return _page(
        request,
        "receipt.html",
        status=status,
        can_settle=bool(settings.operator_key.get_secret_value()),
        mistake=mistake,
        settled=request.query_params.get("settled"),
        record=record,
        publication=record.publication,
        content=record.publication.content,
        headline=wording.headline(record),
        cards=wording.cards(record),
        steps=wording.steps(record),
        revisions=record.revisions(),
        at=at,
        again=wording.look_again(record, at),
        calm=request.query_params.get("refresh") == "0" or mistake is not None,
    )


@pages.get("/")
async def latest(request: Request, reading: ReadingPart) -> Response:
    """The latest public publications, with filters."""
    asked = _asked(request)
    try:
        query = ListQuery.model_validate(
            {name: values if name in _REPEATED else values[-1] for name, values in asked.items()}
        )
        if query.state in UNRELEASED:
            return _sorry(request, HTTPStatus.UNPROCESSABLE_ENTITY)
        listing = await reading.page(query, operator=False)
        departments = await reading.departments()
    except (ValidationError, BadCursor):
        return _sorry(request, HTTPStatus.UNPROCESSABLE_ENTITY)
    except StoreUnavailable:
        return _sorry(request, HTTPStatus.SERVICE_UNAVAILABLE)
    return _page(
        request,
        "latest.html",
        items=listing.items,
        older=None if listing.next is None else _address(asked, after=[listing.next]),
        newest=None if query.after is None else _address(asked, after=[]),
        query=query,
        asked={name: values[-1] for name, values in asked.items()},
        departments=departments,
        of_kind={kind: _address(asked, kind=[kind], after=[]) for kind in KIND_NAMES},
        of_any_kind=_address(asked, kind=[], after=[]),
        filtered=query.fingerprint != ListQuery().fingerprint,
    )


_REPEATED = ("kind", "topic")
_ASKED = ("q", "kind", "section", "department", "topic", "state", "from", "to", "limit", "after")


def _asked(request: Request) -> dict[str, list[str]]:
    """What the address asks for, as it was written."""
    asked = {name: [text for text in request.query_params.getlist(name) if text] for name in _ASKED}
    return {name: texts for name, texts in asked.items() if texts}


def _address(asked: Mapping[str, list[str]], **changed: Sequence[str]) -> str:
    """The address of the same list with something changed."""
    texts = {name: text for name, text in {**asked, **changed}.items() if text}
    return f"/?{urlencode(texts, doseq=True)}" if texts else "/"


def made_lately(publication_id: UUID, at: datetime) -> bool:
    """Whether a UUIDv7 was made within the last day, or a little in the future of this clock."""
    if publication_id.version != 7:  # noqa: PLR2004  # the version
        return False
    made = datetime.fromtimestamp((publication_id.int >> 80) / 1000, UTC)
    return abs(at - made) < FRESH


def _page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: object,
) -> HTMLResponse:
    settings: ArchiveSettings = request.app.state.settings
    text = _environment.get_template(template).render(city=settings.site_name, **values)
    return HTMLResponse(text, status_code=status, headers={**HEADERS, **(headers or {})})


def _sorry(request: Request, status: HTTPStatus, *, on_its_way: bool = False) -> HTMLResponse:
    """A page instead of the one asked for, in words that help."""
    again = on_its_way or status is HTTPStatus.SERVICE_UNAVAILABLE
    return _page(
        request,
        "sorry.html",
        status=status,
        headers={"Retry-After": str(RETRY_AFTER)} if again else None,
        code=int(status),
        on_its_way=on_its_way,
        again=RETRY_AFTER if again else None,
    )
