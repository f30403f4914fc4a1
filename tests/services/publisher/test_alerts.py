"""What the operators are told of, and how often."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from email.header import decode_header, make_header
from email.utils import formataddr

import pytest
from aiohttp import web
from pydantic import SecretStr
from structlog.testing import capture_logs

from services.publisher import alerts, keeper
from services.publisher.alerts import Alerts
from services.publisher.app import Publisher
from services.publisher.channels.interface import Away
from services.publisher.channels.site.settings import SiteSection
from services.publisher.settings import PublisherSettings
from tests.samples import fact
from tests.services.publisher.board import Board, Fault, posted_on_board
from tests.services.publisher.conftest import Desk
from tests.waiting import eventually

# Apprise's mail plugin imports it, where it is there still.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@dataclass
class Duty:
    """The operators' end: a server that Apprise's `json://` posts to."""

    address: str = ""
    heard: list[tuple[str, str]] = field(default_factory=list)
    """Title and text."""
    status: int = 200

    async def hears(self, subject: str) -> str:
        """Wait until somebody tells of it; return the text."""

        async def told() -> str | None:
            return next((text for title, text in self.heard if title == f"Вісник: {subject}"), None)

        return await eventually(told)


@pytest.fixture
async def duty() -> AsyncIterator[Duty]:
    duty = Duty()

    async def take(request: web.Request) -> web.Response:
        said = json.loads(await request.text())
        duty.heard.append((said["title"], said["message"]))
        return web.Response(status=duty.status)

    app = web.Application()
    app.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    duty.address = f"json://127.0.0.1:{runner.addresses[0][1]}"
    yield duty
    await runner.cleanup()


@pytest.fixture
def settings(settings: PublisherSettings, duty: Duty) -> PublisherSettings:
    """The publisher's, with somebody to tell."""
    return settings.model_copy(update={"alert_urls": SecretStr(duty.address)})


def told_at(*addresses: str) -> Alerts:
    return Alerts(PublisherSettings(alert_urls=SecretStr(", ".join(addresses))))


async def test_every_address_is_told(duty: Duty) -> None:
    alerts = told_at(f"{duty.address}/one", f"{duty.address}/two")
    await alerts.tell("Канал зупинено", "Оновіть ключ.")
    await alerts.close()
    assert duty.heard == [("Вісник: Канал зупинено", "Оновіть ключ.")] * 2


async def test_the_same_subject_is_told_once_an_hour_and_then_says_how_often_it_was_kept_back(
    duty: Duty, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = told_at(duty.address)
    for _ in range(3):
        await told.tell("Канал зупинено", "Оновіть ключ.")
    await told.tell("Інший канал зупинено", "Оновіть ключ.")
    await told.close()
    assert len(duty.heard) == 2

    monkeypatch.setattr(alerts, "SAME_AGAIN", timedelta(0))
    await told.tell("Канал зупинено", "Оновіть ключ.")
    await told.close()
    assert duty.heard[-1][1].startswith("Оновіть ключ.\n")
    assert duty.heard[-1][1].endswith("ще: 2.")


async def test_nothing_that_goes_wrong_reaches_whoever_tells(duty: Duty) -> None:
    duty.status = 500
    for address in (duty.address, "json://127.0.0.1:1", "нісенітниця", ""):
        told = told_at(address)
        await told.tell("Канал зупинено", "Оновіть ключ.")
        await told.close()


async def test_an_address_that_is_not_understood_is_told_of_without_its_password(
    duty: Duty, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as logs:
        told_at(duty.address, "unheardof://clerk:pa55word@mail.example")
    assert [line["event"] for line in logs] == ["an address in ALERT_URLS is not understood"]
    assert logs[0]["understood"] == 1
    assert "pa55word" not in str(logs) + caplog.text


async def test_an_absence_is_told_of_when_it_lasts_and_so_is_its_end(
    settings: PublisherSettings,
    board: Board,
    site_section: SiteSection,
    duty: Duty,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeper, "SHORTEST", 0.01)
    monkeypatch.setattr(keeper, "TOO_LONG", timedelta(seconds=0.1))
    gone = [Away("До дошки не дістатися.")] * 1000
    board.ailments.extend(gone)
    publisher = Publisher(settings, [site_section])
    await publisher.start()
    try:
        assert "До дошки не дістатися." in await duty.hears("Канал board недоступний")
        board.ailments.clear()
        await duty.hears("Канал board знову доступний")
    finally:
        await publisher.stop()
    assert len(duty.heard) == 2


async def test_a_short_absence_is_nobodys_business(
    settings: PublisherSettings,
    board: Board,
    site_section: SiteSection,
    duty: Duty,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeper, "SHORTEST", 0.01)
    board.ailments.extend([Away("До дошки не дістатися.")] * 3)
    publisher = Publisher(settings, [site_section])
    await publisher.start()
    try:
        await publisher.ready()
    finally:
        await publisher.stop()
    assert duty.heard == []


async def test_a_stop_is_told_of_with_its_remedy(
    publisher: Publisher, reports: Desk, board: Board, duty: Duty
) -> None:
    board.faults.append(Fault.LOCKED)
    await reports.emit(fact(posted_on_board()))
    assert await duty.hears("Канал board зупинено") == "Дошку замкнено. Відчиніть її."


async def test_what_is_parked_is_told_of(
    publisher: Publisher, reports: Desk, board: Board, duty: Duty
) -> None:
    board.faults.append(Fault.REFUSED)
    event = fact(posted_on_board())
    await reports.emit(event)
    text = await duty.hears("Канал board: публікації відкладено")
    assert str(event.subject) in text
    assert "Дошка не приймає такого тексту." in text


async def test_a_call_that_waits_for_a_person_is_told_of(
    publisher: Publisher, reports: Desk, board: Board, duty: Duty
) -> None:
    board.can_be_asked = False
    board.faults.append(Fault.CUT_AFTER)
    event = fact(posted_on_board())
    await reports.emit(event)
    title = event.data.content.title
    assert "подивіться самі" in await duty.hears(f"Канал board: невідомо, чи вийшло «{title}»")
    await reports.reported(2)
    assert [report.data.in_doubt for report in reports.reports] == [False, True]
    assert len(duty.heard) == 1


def test_mail_is_written_as_if_alerts_had_none_to_write(publisher_settings: PublisherSettings) -> None:
    """Apprise's plugin for mail would have names in headers torn apart, in the whole process."""
    before = formataddr(("Пресслужба міської ради, відділ Ткачук", "press@rada.example"))
    Alerts(publisher_settings.model_copy(update={"alert_urls": SecretStr("mailto://user:pass@example.com")}))
    assert formataddr(("Пресслужба міської ради, відділ Ткачук", "press@rada.example")) == before
    assert str(make_header(decode_header(before))).startswith("Пресслужба міської ради, відділ Ткачук")
