"""Unsubscribing by the link in every mail."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from services.notifier.app import Notifier, build
from services.notifier.settings import Settings
from shared.bus import Bus
from tests.samples import fact, publication
from tests.services.notifier.conftest import Receipts, journalist, outlet
from tests.smtp import MailServer

A, B = "a@avers.example", "b@avers.example"


@dataclass
class City:
    """Two subscribers, and what they see of the service."""

    notifier: Notifier
    bus: Bus
    smtp: MailServer
    receipts: Receipts
    client: httpx.AsyncClient

    async def release(self) -> None:
        event = fact(publication())
        await self.bus.emit(event)
        await self.receipts.final(event)

    async def link(self) -> str:
        """The unsubscribe link in the first mail that A gets."""
        await self.release()
        [mail] = self.smtp.to(A)
        found = re.fullmatch(r"<(http://[^>]+)>", str(mail.message["List-Unsubscribe"]))
        assert found is not None
        assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert found[1] in mail.part("plain")
        assert found[1] in mail.part("html")
        return found[1]


@pytest.fixture
async def city(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts, settings: Settings
) -> AsyncIterator[City]:
    """The browser, or mail program, is at another process of the same service."""
    await notifier.people.replace([outlet("avers", journalist(A), journalist(B))])
    other = build(settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(other), base_url=settings.url) as client:
        yield City(notifier, bus, smtp, receipts, client)
    other.state.notifier.mongo.close()


async def test_opening_the_link_asks_and_never_acts(city: City) -> None:
    link = await city.link()
    for _ in range(3):
        page = await city.client.get(link)
        assert page.status_code == 200
        assert "Відписатися від розсилки?" in page.text
        assert A not in page.text
    await city.release()
    assert len(city.smtp.to(A)) == 2


@pytest.mark.parametrize("body", ["List-Unsubscribe=One-Click", ""])
async def test_posting_acts_at_once_and_again(city: City, body: str) -> None:
    """One click of a mail program, or the page's own form; without cookies, login or redirect."""
    link = await city.link()
    for _ in range(2):
        answer = await city.client.post(
            link, content=body, headers={"Content-Type": "application/x-www-form-urlencoded"}
        )
        assert answer.status_code == 200
        assert "Вас відписано" in answer.text
    assert "Вас відписано" in (await city.client.get(link)).text
    await city.release()
    assert (len(city.smtp.to(A)), len(city.smtp.to(B))) == (1, 2)


async def test_an_unknown_token_is_not_found(city: City) -> None:
    for method in ("GET", "POST"):
        answer = await city.client.request(method, "/unsubscribe/nobody")
        assert answer.status_code == 404
        assert "Посилання недійсне" in answer.text


async def test_an_import_does_not_subscribe_anybody_again(city: City) -> None:
    await city.client.post(await city.link())
    await city.notifier.people.replace([outlet("avers", journalist(A), journalist(B))])
    await city.release()
    assert len(city.smtp.to(A)) == 1
    assert await city.notifier.people.resubscribe(A.upper())
    await city.release()
    assert len(city.smtp.to(A)) == 2


async def test_health_says_what_ails(city: City) -> None:
    """The second process was never started: no bus, no loops."""
    assert (await city.client.get("/health/live")).status_code == 200
    answer = await city.client.get("/health/ready")
    assert answer.status_code == 503
    assert set(answer.json()["ailing"]) == {"bus", "loops"}
    assert "visnyk_mail_possible_duplicates_total" in (await city.client.get("/metrics")).text
