"""The catcher's pages for people: the list of mails, and one mail."""

from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from deploy.local.mailbox import Mailbox, headers_of, text_of

PAGE_SIZE = 50
KYIV = ZoneInfo("Europe/Kyiv")
# A mail is foreign content: no scripts, nothing loaded but pictures; its links open in a tab of their own.
MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; "
    "default-src 'none'; img-src * data:; style-src 'unsafe-inline'"
)


def _mails(count: int) -> str:
    """«1 лист», «2 листи», «5 листів»."""
    tens, ones = count % 100, count % 10
    if ones == 1 and tens != 11:  # noqa: PLR2004 - eleven is counted like five
        return f"{count} лист"
    if ones in {2, 3, 4} and tens not in {12, 13, 14}:
        return f"{count} листи"
    return f"{count} листів"


def _hour(at: str) -> str:
    return datetime.fromisoformat(at).astimezone(KYIV).strftime("%d.%m.%Y, %H:%M:%S")


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(hour=_hour, mails=_mails)
    return environment


def pages(mailbox: Mailbox) -> APIRouter:
    """``/`` lists the mails, ``/mails/{id}`` shows one."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    environment = _environment()

    @router.get("/")
    async def listed(q: str = "", start: Annotated[int, Query(ge=0)] = 0) -> str:
        found = mailbox.newest(words=q)
        count = len(mailbox)
        if q:
            matching = list(found)
            found, count = iter(matching), len(matching)
        return environment.get_template("mails.html").render(
            mails=list(islice(found, start, start + PAGE_SIZE)),
            count=count,
            query=q,
            start=start,
            page_size=PAGE_SIZE,
        )

    @router.get("/mails/{mail_id}")
    async def shown(mail_id: str) -> str:
        return environment.get_template("mail.html").render(
            mail=mailbox.open(mail_id), headers=headers_of(mailbox.parsed(mail_id))
        )

    @router.get("/mails/{mail_id}/html")
    async def body(mail_id: str) -> HTMLResponse:
        html = '<base target="_blank">' + text_of(mailbox.parsed(mail_id), "html")
        return HTMLResponse(html, headers={"Content-Security-Policy": MAIL_POLICY})

    return router
