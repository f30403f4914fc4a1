"""Mailpit's API (version 1) over the caught mails, as far as it reads and deletes."""

from itertools import islice
from typing import Annotated, cast

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field

from deploy.local.mailbox import Mailbox, attachments_of, headers_of
from deploy.local.mailpit import Mail, MailSummary


class MailList(BaseModel):
    """A part of the mailbox, newest first."""

    total: int
    unread: int
    count: int = Field(description="The same as messages_count, as Mailpit has it.")
    messages_count: int = Field(description="How many mails there are to page through.")
    start: int
    tags: list[str] = []
    messages: list[MailSummary]


class Selection(BaseModel):
    """Which mails to delete; none named means all."""

    model_config = ConfigDict(populate_by_name=True)

    ids: list[str] = Field(default=[], alias="IDs")


def messages_api(mailbox: Mailbox) -> APIRouter:
    """``/api/v1/messages``: all mails."""
    router = APIRouter(prefix="/api/v1")

    @router.get("/messages")
    async def messages(
        start: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=0)] = 50
    ) -> MailList:
        page = list(islice(mailbox.newest(), start, start + limit))
        count = len(mailbox)
        return MailList(
            total=count,
            unread=mailbox.unread,
            count=count,
            messages_count=count,
            start=start,
            messages=page,
        )

    @router.delete("/messages")
    async def delete(selection: Selection | None = None) -> PlainTextResponse:
        mailbox.delete(selection.ids if selection and selection.ids else None)
        return PlainTextResponse("ok")

    return router


def message_api(mailbox: Mailbox) -> APIRouter:
    """``/api/v1/message/{id}``: one mail; the id ``latest`` is the newest."""
    router = APIRouter(prefix="/api/v1/message")

    @router.get("/{mail_id}")
    async def message(mail_id: str) -> Mail:
        return mailbox.open(mail_id)

    @router.get("/{mail_id}/headers")
    async def headers(mail_id: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, value in headers_of(mailbox.parsed(mail_id)):
            found.setdefault(name, []).append(value)
        return dict(sorted(found.items()))

    @router.get("/{mail_id}/raw")
    async def raw(mail_id: str) -> Response:
        return Response(mailbox.raw(mail_id), media_type="text/plain")

    @router.get("/{mail_id}/part/{part_id}")
    async def part(mail_id: str, part_id: str) -> Response:
        for attachment, content in attachments_of(mailbox.parsed(mail_id)):
            if attachment["PartID"] == part_id:
                headers = {"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}
                decoded = cast("bytes", content.get_payload(decode=True))
                return Response(decoded, media_type=attachment["ContentType"], headers=headers)
        raise HTTPException(404, "no such part")

    return router
