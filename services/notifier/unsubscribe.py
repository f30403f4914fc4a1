"""Unsubscribing by a link (RFC 8058): opening it only asks, since mail scanners open links too."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as InPath
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.notifier.settings import Settings
from services.notifier.subscribers import SubscriberStore

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
)
_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
_DONE = (
    "Вас відписано",
    "Ми більше не надсилатимемо листів на {address}. Щоб поновити розсилку, напишіть до пресслужби.",
)
_ASK = (
    "Відписатися від розсилки?",
    "На адресу {address} більше не надходитимуть публікації, дайджести, виправлення й відкликання.",
)
_UNKNOWN = (
    "Посилання недійсне",
    "Такої підписки немає. Перевірте, чи скопійовано адресу з листа повністю.",
)

Token = Annotated[str, InPath(max_length=100)]


def routes(settings: Settings, store: SubscriberStore) -> APIRouter:
    """The page that asks, and what acts."""
    router = APIRouter(prefix="/unsubscribe", default_response_class=HTMLResponse, include_in_schema=False)

    def page(
        words: tuple[str, str], address: str = "", *, ask: bool = False, status: int = 200
    ) -> HTMLResponse:
        heading, text = words
        rendered = _TEMPLATES.get_template("unsubscribe.html").render(
            heading=heading, text=text.format(address=address), ask=ask, sender_name=settings.sender_name
        )
        return HTMLResponse(rendered, status_code=status, headers=_HEADERS)

    @router.get("/{token}")
    async def ask(token: Token) -> HTMLResponse:
        recipient = await store.by_token(token)
        if recipient is None:
            return page(_UNKNOWN, status=404)
        address = masked(recipient.address)
        if recipient.unsubscribed_at is not None:
            return page(_DONE, address)
        return page(_ASK, address, ask=True)

    @router.post("/{token}")
    async def act(token: Token) -> HTMLResponse:
        # The body is not read: `List-Unsubscribe=One-Click` and the form's own mean the same.
        recipient = await store.unsubscribe(token)
        if recipient is None:
            return page(_UNKNOWN, status=404)
        return page(_DONE, masked(recipient.address))

    return router


def masked(address: str) -> str:
    """`k…@avers.example`: enough for its owner, little for whoever got a forwarded mail."""
    name, _, domain = address.rpartition("@")
    return f"{name[:1]}…@{domain}"
