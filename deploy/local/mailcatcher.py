"""A mail server that keeps every mail and delivers none, with a page to read them.

    python -m deploy.local.mailcatcher --folder .local/mail --smtp-port 1025 --http-port 8025

The page is for people; below /api/v1 stands the part of Mailpit's API that reads and deletes.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, cast

import typer
import uvicorn
from aiosmtpd.smtp import SMTP, Envelope, Session
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

from deploy.local.mail_pages import pages
from deploy.local.mailbox import Mailbox, MailNotFoundError
from deploy.local.mailpit_api import message_api, messages_api
from deploy.local.ports import LOOPBACK

LARGEST_MAIL = 32 * 1024 * 1024


class Catcher:
    """What aiosmtpd hands every mail to."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    # The name is aiosmtpd's.
    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802
        """Keep it, then say so."""
        mail_id = self._mailbox.add(
            envelope.mail_from or "", envelope.rcpt_tos, cast("bytes", envelope.original_content)
        )
        return f"250 2.0.0 kept as {mail_id}"


async def listen(mailbox: Mailbox, host: str, port: int) -> asyncio.Server:
    """Open the SMTP port; whoever calls it closes the server again."""

    def session() -> SMTP:
        return SMTP(
            Catcher(mailbox),
            data_size_limit=LARGEST_MAIL,
            enable_SMTPUTF8=True,
            ident="Visnyk's mail catcher",
            loop=asyncio.get_running_loop(),
        )

    return await asyncio.get_running_loop().create_server(session, host, port)


def make_app(mailbox: Mailbox, smtp: tuple[str, int] | None = None) -> FastAPI:
    """The page and the API; with ``smtp`` (host, port) the mail server beside them."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        server = await listen(mailbox, *smtp) if smtp else None
        yield
        if server:
            server.close()
            await server.wait_closed()

    app = FastAPI(title="Visnyk's mail catcher", lifespan=lifespan, redoc_url=None)
    for router in (pages(mailbox), messages_api(mailbox), message_api(mailbox)):
        app.include_router(router)

    @app.exception_handler(MailNotFoundError)
    async def not_found(_: Request, error: Exception) -> Response:
        return PlainTextResponse(f"no mail {error.args[0]}", status_code=404)

    @app.get("/health/ready", include_in_schema=False)
    async def ready() -> dict[str, str]:
        return {"status": "ready"}

    return app


def main(
    folder: Annotated[Path, typer.Option(help="Where the mails are kept.")] = Path(".local/mail"),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = LOOPBACK,
    smtp_port: Annotated[int, typer.Option(help="Port that takes mails.")] = 1025,
    http_port: Annotated[int, typer.Option(help="Port of the page.")] = 8025,
) -> None:
    """Catch mails until stopped."""
    app = make_app(Mailbox(folder), (host, smtp_port))
    uvicorn.run(app, host=host, port=http_port, access_log=False, server_header=False)


if __name__ == "__main__":
    typer.run(main)
