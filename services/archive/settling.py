"""A person's word on a call in doubt, from the receipt's page to the publisher.

The receipt may be read by whoever has its address; what is sent again can't be taken back, so this asks
for the operator's key. It stands in the form alone: nothing that a browser sends by itself opens this.
"""

import hmac
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from services.archive.api import ReadingPart
from services.archive.pages import receipt_page
from services.archive.settings import ArchiveSettings
from shared.bus import PUBLISHER_SETTLEMENTS, Bus, BusUnavailable
from shared.events import new_id
from shared.settlement import SettlementOrder
from shared.telemetry import logger

_log = logger(__name__)

settling = APIRouter(include_in_schema=False)


class Verdict(StrEnum):
    """The two buttons."""

    THERE = "there"
    AGAIN = "again"


@dataclass(frozen=True)
class Mistake:
    """Why a form was not carried out, in Ukrainian, beside the form it belongs to."""

    channel: str
    text: str
    url: str = ""


_WRONG_KEY = "Ключ оператора не підходить."
_NO_URL = "Вкажіть адресу допису, як її видно в браузері: за нею канал знайде допис для виправлень."
_AWAY = "Зараз передати не вдалося. Спробуйте за хвилину."


@settling.post("/receipts/{id}/settlement")
async def settle(request: Request, reading: ReadingPart, id: UUID) -> Response:
    """Carry out a form of the receipt's page; then back to the receipt."""
    settings: ArchiveSettings = request.app.state.settings
    bus: Bus = request.app.state.archive.bus
    form = {name: str(value) for name, value in (await request.form()).items()}
    channel, url = form.get("channel", ""), form.get("url", "").strip()
    key = settings.operator_key.get_secret_value()
    if not key or not hmac.compare_digest(form.get("key", "").encode(), key.encode()):
        mistake = Mistake(channel, _WRONG_KEY, url)
        return await receipt_page(request, reading, id, status=HTTPStatus.FORBIDDEN, mistake=mistake)
    try:
        order = SettlementOrder(
            publication_id=id, channel=channel, there=form.get("verdict") == Verdict.THERE, url=url or None
        )
    except ValidationError:
        order = None
    if order is None or (order.there and not (order.url or "").startswith(("https://", "http://"))):
        mistake = Mistake(channel, _NO_URL, url)
        return await receipt_page(
            request, reading, id, status=HTTPStatus.UNPROCESSABLE_ENTITY, mistake=mistake
        )
    try:
        await bus.send(PUBLISHER_SETTLEMENTS, order.encode(), message_id=str(new_id()))
    except BusUnavailable:
        mistake = Mistake(channel, _AWAY, url)
        return await receipt_page(
            request, reading, id, status=HTTPStatus.SERVICE_UNAVAILABLE, mistake=mistake
        )
    _log.info("a person settled a call in doubt", there=order.there, **order.log_context())
    return RedirectResponse(f"/receipts/{id}?settled={channel}", status_code=HTTPStatus.SEE_OTHER)
