"""A person's word on a call in doubt: from the receipt's page to the publisher's queue."""

import json
from typing import Any

import httpx
import pytest
from lxml import html
from pydantic import SecretStr

from services.archive.settings import ArchiveSettings
from shared.bus import PUBLISHER_SETTLEMENTS
from shared.events import Outcome
from shared.publication import Publication
from tests.rabbit import depth, take
from tests.samples import delivery, fact, publication
from tests.services.archive.conftest import OPERATOR_KEY, Running, run_archive


async def doubted(archive: Running, *, in_doubt: bool = True) -> Publication:
    """A publication of which nobody knows whether Telegram shows it."""
    released = publication(targets=("site", "telegram"))
    events = (
        fact(released),
        delivery(released, "telegram", Outcome.UNCONFIRMED, in_doubt=in_doubt, reason="Невідомо, чи є."),
    )
    await archive.emit(*events)
    await archive.recorded(events)
    return released


async def receipt(archive: Running, of: Publication, query: str = "") -> html.HtmlElement:
    answer = await archive.client.get(f"/receipts/{of.id}{query}")
    assert answer.status_code == 200
    return html.document_fromstring(answer.text)


async def send(archive: Running, of: Publication, **fields: str) -> httpx.Response:
    """Send the form as a browser does, with what the page put into it."""
    (form,) = (await receipt(archive, of)).xpath("//form[contains(@action, '/settlement')]")
    hidden = {each.get("name"): each.get("value") for each in form.xpath(".//input[@type='hidden']")}
    given: dict[str, Any] = {**hidden, "key": OPERATOR_KEY, **fields}
    return await archive.client.post(form.get("action"), data=given)


async def test_the_two_buttons_reach_the_publisher(
    archive: Running, archive_settings: ArchiveSettings
) -> None:
    released = await doubted(archive)
    answer = await send(archive, released, verdict="there", url="https://t.me/city/17")
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/receipts/{released.id}?settled=telegram"
    answer = await send(archive, released, verdict="again", url="")
    assert answer.status_code == 303
    orders = []
    while (message := await take(archive_settings, PUBLISHER_SETTLEMENTS)) is not None:
        orders.append(json.loads(message.body))
    common = {"publication_id": str(released.id), "channel": "telegram"}
    assert orders == [
        {**common, "there": True, "url": "https://t.me/city/17"},
        {**common, "there": False},
    ]
    after = await receipt(archive, released, "?settled=telegram")
    assert after.xpath("//*[@role='status']")
    assert not after.xpath("//form")


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"key": "guessed", "verdict": "again"}, 403, "Ключ оператора не підходить"),
        ({"verdict": "there", "url": ""}, 422, "Вкажіть адресу"),
        ({"verdict": "there", "url": "javascript:alert(1)"}, 422, "Вкажіть адресу"),
        ({"verdict": "again", "channel": "<b>"}, 422, ""),
    ],
)
async def test_a_form_that_is_not_carried_out_says_why_and_sends_nothing(
    archive: Running, archive_settings: ArchiveSettings, fields: dict[str, str], status: int, words: str
) -> None:
    released = await doubted(archive)
    answer = await send(archive, released, **fields)
    assert answer.status_code == status
    told: Any = html.document_fromstring(answer.text).xpath("//*[@role='alert']")
    assert words in " ".join(str(each.text_content()) for each in told)
    assert OPERATOR_KEY not in answer.text
    assert await depth(archive_settings, PUBLISHER_SETTLEMENTS) == 0


async def test_what_is_only_awaited_has_no_buttons_and_alarms_nobody(archive: Running) -> None:
    """An editor's answer may take days: that is no doubt."""
    page = await receipt(archive, await doubted(archive, in_doubt=False))
    assert not page.xpath("//form")
    assert "Не все вдалося" not in page.text_content()


async def test_without_an_operators_key_nobody_settles_here(archive_settings: ArchiveSettings) -> None:
    settings = archive_settings.model_copy(update={"operator_key": SecretStr("")})
    async with run_archive(settings) as archive:
        released = await doubted(archive)
        assert not (await receipt(archive, released)).xpath("//form")
        answer = await archive.client.post(
            f"/receipts/{released.id}/settlement", data={"key": "", "channel": "telegram", "verdict": "again"}
        )
        assert answer.status_code == 403
