"""Where the editors answer: a page for each issue, reached by the signed link in its mail.

Reading changes nothing, for mail scanners follow links; only a form that is sent does.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.publisher.channels.newspaper.answering import answered, read_form
from services.publisher.channels.newspaper.contents import Piece, contents
from services.publisher.channels.newspaper.issue import Answer, Issue, Role
from services.publisher.channels.newspaper.issues import Issues
from services.publisher.channels.newspaper.links import Links
from services.publisher.channels.newspaper.press import Press
from services.publisher.channels.newspaper.settings import NewspaperSection
from shared.publication import Publication

_FOLDER = Path(__file__).parent / "templates"
_LONGEST_FORM = 64 * 1024
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
    "Cache-Control": "no-store",
}
Refute = Callable[[UUID, Publication, str], Awaitable[None]]


@dataclass(frozen=True)
class _Attempt:
    """A form that was sent and isn't right."""

    publication_id: UUID
    fields: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


class Pages:
    """The router, and what it needs."""

    def __init__(self, issues: Issues, press: Press, section: NewspaperSection, refute: Refute) -> None:
        self._issues = issues
        self._press = press
        self._section = section
        self._refute = refute
        self._links = Links(section.secret)
        self._templates = Environment(
            loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self.router = APIRouter()
        self.router.add_api_route("/newspaper.css", self._style, methods=["GET"])
        self.router.add_api_route("/issues/{token}", self._show, methods=["GET"], response_model=None)
        self.router.add_api_route(
            "/issues/{token}/items/{id}", self._answer, methods=["POST"], response_model=None
        )

    async def _style(self) -> Response:
        return Response((_FOLDER / "newspaper.css").read_text(encoding="utf-8"), media_type="text/css")

    async def _show(self, token: str) -> Response:
        issue = await self._issue(token)
        return _sorry() if issue is None else self._page(issue)

    async def _answer(self, token: str, id: UUID, request: Request) -> Response:
        issue = await self._issue(token)
        if issue is None or issue.item(id) is None:
            return _sorry()
        body = await _body(request)
        if body is None:
            return HTMLResponse("Забагато даних.", 413, _HEADERS)
        fields = dict(parse_qsl(body, keep_blank_values=True))
        answer = read_form(fields, issue, self._press.clock())
        if not isinstance(answer, Answer):
            return self._page(issue, _Attempt(id, fields, answer), status=422)
        changed = await self._issues.change(issue, lambda it: answered(it, id, answer))
        if changed is None:
            return _sorry()
        await self._follow(changed, id, answer)
        return RedirectResponse(f"{self._press.answer_at(changed)}#item-{id}", 303, _HEADERS)

    async def _follow(self, issue: Issue, id: UUID, answer: Answer) -> None:
        """What an answer entails: a refutation of what was withdrawn, the receipt."""
        item = issue.item(id)
        if item is not None and item.stopped and answer.printed:
            await self._refute(id, item.content, item.reason or "")
        if item is not None and item.dropped and item.role is Role.STORY:
            await self._nothing_to_correct(id)
        if item is not None and not item.settled:
            await self._press.report(issue, id)

    async def _nothing_to_correct(self, id: UUID) -> None:
        """An erratum that waits for the next issue is the text itself, where that was never printed."""

        def as_story(issue: Issue) -> Issue | None:
            item = issue.item(id)
            if not issue.open or item is None or item.role is not Role.ERRATUM:
                return None
            return issue.put(item.model_copy(update={"role": Role.STORY}))

        for issue in await self._issues.of_publication(id):
            await self._issues.change(issue, as_story)

    async def _issue(self, token: str) -> Issue | None:
        id = self._links.read(token)
        issue = None if id is None else await self._issues.get(id)
        return None if issue is None or issue.open else issue

    def _page(self, issue: Issue, attempt: _Attempt | None = None, status: int = 200) -> HTMLResponse:
        html = self._templates.get_template("issue.html").render(
            title=self._section.title,
            expected=self._press.letters.expected(issue),
            pieces=contents(issue),
            left=len(issue.unanswered),
            action=f"{self._press.answer_at(issue)}/items",
            style=self._press.answer_at(issue).rsplit("/issues/", 1)[0] + "/newspaper.css",
            attempt=attempt,
            fields=_fields(attempt),
        )
        return HTMLResponse(html, status, _HEADERS)


def _fields(attempt: _Attempt | None) -> Callable[[Piece], Mapping[str, str]]:
    """What stands in an item's form: what was just sent, else the last answer."""

    def of(piece: Piece) -> Mapping[str, str]:
        empty = dict.fromkeys(("verdict", "number", "date", "page", "remark"), "")
        if attempt is not None and attempt.publication_id == piece.publication.id:
            return empty | dict(attempt.fields)
        answer = piece.item.answer
        if answer is None:
            return empty
        return {
            "verdict": str(answer.verdict),
            "number": answer.number or "",
            "date": answer.day or "",
            "page": str(answer.page or ""),
            "remark": answer.remark or "",
        }

    return of


async def _body(request: Request) -> str | None:
    body = b""
    async for block in request.stream():
        body += block
        if len(body) > _LONGEST_FORM:
            return None
    return body.decode("utf-8", "replace")


def _sorry() -> HTMLResponse:
    text = "<!doctype html><html lang=uk><title>Посилання не діє</title><h1>Посилання не діє</h1>"
    return HTMLResponse(
        f"{text}<p>Скопіюйте його з листа цілком або зверніться до пресслужби.</p></html>", 404, _HEADERS
    )
