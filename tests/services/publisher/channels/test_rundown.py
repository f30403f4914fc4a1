"""Television and radio on real servers: the station's mail, its answers, the pages and calendars."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from icalendar import Calendar
from typer.testing import CliRunner

from services.publisher.app import Publisher
from services.publisher.channels import radio, television
from services.publisher.channels.registry import UnknownChannel, open_channel
from services.publisher.channels.rundown.agreements import Agreement
from services.publisher.channels.rundown.channel import RundownChannel
from services.publisher.channels.rundown.commands import kept
from services.publisher.channels.site.settings import SiteSection
from services.publisher.channels.television import TelevisionSection
from services.publisher.settings import PublisherSettings
from shared.bus import Later
from shared.events import DeliveryReported, Outcome, PublicationEvent
from shared.publication import Fact, Publication
from tests.rabbit import empty_queues
from tests.samples import corrected, fact, publication, submission, withdrawn
from tests.services.publisher.conftest import Desk, opened_desk
from tests.services.publisher.stands.television import SECRET
from tests.smtp import MailServer, mail_server
from tests.waiting import eventually

STATION = "ТРК «Аверс»"
EDITORS = "efir@avers.example"
THURSDAY = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
"""11:00 in Kyiv, an hour after the weekly mail was due."""
AIRS = datetime(2026, 11, 30, 17, 30, tzinfo=UTC)


@dataclass
class Studio:
    """A publisher with television on, its clock in the test's hand."""

    publisher: Publisher
    desk: Desk
    server: MailServer
    now: datetime = THURSDAY

    @property
    def channel(self) -> RundownChannel:
        channel = self.publisher.channels["television"]
        assert isinstance(channel, RundownChannel)
        return channel

    async def tend(self) -> None:
        """Look at what is due."""
        await self.channel.mailing.tend(self.now)

    async def told(self, event: PublicationEvent) -> DeliveryReported:
        """Emit an event, and wait for television's report."""
        await self.desk.emit(event)
        return await self.heard(event, 1)

    async def heard(self, event: PublicationEvent, count: int) -> DeliveryReported:
        """The report of that number about one fact."""

        async def found() -> DeliveryReported | None:
            about = [
                report
                for report in await self.desk.heard()
                if report.subject == event.subject
                and report.rank == event.rank
                and report.data.target == "television"
            ]
            return about[count - 1] if len(about) >= count else None

        return await eventually(found)

    def page(self) -> httpx.AsyncClient:
        """A browser in front of the channel's pages."""
        app = FastAPI()
        app.include_router(self.channel.routes(), prefix="/channels/television")
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url=self.publisher.page_url("television", "")
        )

    async def link(self, id: UUID) -> str:
        airing = await self.channel.airings.get(id)
        assert airing is not None
        return self.channel.answer_url(airing)

    async def answer(self, id: UUID, **form: str) -> httpx.Response:
        async with self.page() as browser:
            return await browser.post(await self.link(id), data=form, follow_redirects=True)


@pytest.fixture
async def studio(publisher_settings: PublisherSettings, site_section: SiteSection) -> AsyncIterator[Studio]:
    async with mail_server() as server:
        settings = publisher_settings.model_copy(
            update={"channels": ("television",), "smtp_port": server.port, "smtp_timeout": 5.0}
        )
        await empty_queues(settings)
        section = TelevisionSection(link_secret=SECRET, stations={"ТРК “Аверс”": (EDITORS,)}, look_every=3600)
        publisher = Publisher(settings, [site_section, section], lease=timedelta(seconds=1))
        async with opened_desk(settings) as desk:
            studio = Studio(publisher, desk, server)
            # The channel looks by itself where something changed, and tests look too: two who may send.
            studio.channel.clock = lambda: studio.now
            await studio.channel.mailing.prepare()
            await publisher.start()
            await asyncio.wait_for(publisher.ready(), 20)
            yield studio
            await publisher.stop()


def broadcast(title: str = "Бюджет громади", **details: Any) -> Publication:
    given = submission("broadcast")["broadcast"] | {"airs_at": AIRS.isoformat()} | details
    return publication("broadcast", content={"title": title, "broadcast": given}, targets=("television",))


def edited(of: Publication, **details: Any) -> Publication:
    return corrected(of, broadcast=of.content.model_dump(mode="json")["broadcast"] | details)


async def mailed(studio: Studio, count: int) -> None:
    async def enough() -> bool:
        await studio.tend()
        return len(studio.server.to(EDITORS)) >= count

    await eventually(enough)
    await studio.tend()
    assert len(studio.server.to(EDITORS)) == count


async def test_the_rundown_is_no_channel(studio: Studio) -> None:
    with pytest.raises(UnknownChannel):
        open_channel("rundown", studio.publisher)


async def test_a_station_is_mailed_once_a_week_and_again_where_something_changes(studio: Studio) -> None:
    first = broadcast()
    await studio.told(fact(first))
    await mailed(studio, 1)
    told = studio.server.to(EDITORS)[0]
    assert "Бюджет громади" in told.part("plain")
    assert "/channels/television/answer/" in told.part("html")
    (attached,) = told.message.iter_attachments()
    assert str(first.id) in attached.get_content()

    second = edited(first, airs_at=(AIRS + timedelta(days=1)).isoformat())
    await studio.told(fact(second))
    await mailed(studio, 2)
    text = studio.server.to(EDITORS)[1].part("plain")
    assert "Перенесено з 30.11.2026 о 19:30 на 01.12.2026 о 19:30" in text

    third = edited(second, state="cancelled")
    await studio.told(fact(third))
    await mailed(studio, 3)
    assert "Скасовано: 01.12.2026 о 19:30" in studio.server.to(EDITORS)[2].part("plain")
    assert len({mail.message_id for mail in studio.server.to(EDITORS)}) == 3

    studio.now += timedelta(days=7)
    await studio.tend()
    assert len(studio.server.to(EDITORS)) == 3


async def test_with_nothing_to_say_there_is_no_mail(studio: Studio) -> None:
    await studio.tend()
    studio.now += timedelta(days=7)
    await studio.tend()
    assert studio.server.taken == []


async def test_a_withdrawal_is_mailed_without_the_title_and_cancelled_in_the_calendar(
    studio: Studio,
) -> None:
    first = broadcast()
    await studio.told(fact(first))
    await mailed(studio, 1)
    await studio.told(fact(withdrawn(first), Fact.WITHDRAWN))
    await mailed(studio, 2)
    text = studio.server.to(EDITORS)[1].part("plain")
    assert "Знято з програми" in text
    assert "Бюджет" not in text
    airing = await studio.channel.airings.get(first.id)
    assert airing is not None
    async with studio.page() as browser:
        feed = await browser.get(f"/stations/{airing.station_key}.ics")
        assert (await browser.get(f"/programmes/{airing.programme_key}")).status_code == 404
    (event,) = Calendar.from_ical(feed.text).walk("VEVENT")
    assert event["STATUS"] == "CANCELLED"
    assert "Бюджет" not in feed.text


async def test_a_letter_that_may_have_been_sent_is_sent_again_as_it_was(studio: Studio) -> None:
    studio.server.tell(EDITORS, "cut before the answer", "take")
    await studio.told(fact(broadcast()))
    await mailed(studio, 2)
    first, again = studio.server.to(EDITORS)
    assert first.message_id == again.message_id
    assert first.raw == again.raw


async def test_several_processes_send_one_letter(studio: Studio) -> None:
    await studio.told(fact(broadcast()))
    await asyncio.gather(*(studio.tend() for _ in range(8)))
    await mailed(studio, 1)


async def test_a_mail_server_that_is_away_is_waited_for(studio: Studio) -> None:
    await studio.server.stop()
    await studio.told(fact(broadcast()))
    await studio.tend()
    await studio.server.start()
    await mailed(studio, 1)


async def test_a_station_that_says_it_was_aired_ends_the_receipt(studio: Studio) -> None:
    first = broadcast()
    report = await studio.told(fact(first))
    assert report.data.outcome is Outcome.UNCONFIRMED
    assert report.data.reason is not None
    assert report.data.reason.startswith("Чекаємо підтвердження ефіру")
    async with studio.page() as browser:
        shown = await browser.get(await studio.link(first.id))
    assert "Бюджет громади" in shown.text
    early = await studio.answer(first.id, outcome="aired")
    assert early.status_code == 422

    studio.now = AIRS + timedelta(hours=2)
    answered = await studio.answer(first.id, outcome="aired", remark="<b>Дякуємо</b>")
    assert answered.status_code == 200
    assert "Ваша відповідь не змінює публікації" in answered.text
    assert "<b>Дякуємо" not in answered.text
    settled = await studio.heard(fact(first), 2)
    assert settled.data.outcome is Outcome.PUBLISHED
    assert settled.data.reason is not None
    assert settled.data.reason.startswith("Вийшло в ефір 30.11.2026 о 19:30, ТРК «Аверс»")

    second = corrected(first, title="Бюджет міста")
    after = await studio.told(fact(second))
    assert after.data.outcome is Outcome.UPDATED
    assert "Вийшло в ефір" in str(after.data.reason)


async def test_a_station_that_moves_it_leaves_the_receipt_open_and_gets_no_mail_of_it(studio: Studio) -> None:
    first = broadcast()
    await studio.told(fact(first))
    await mailed(studio, 1)
    await studio.answer(first.id, outcome="moved", date="2026-12-02", hour="20:00")
    settled = await studio.heard(fact(first), 2)
    assert settled.data.outcome is Outcome.UNCONFIRMED
    assert "02.12.2026 о 20:00" in str(settled.data.reason)
    await mailed(studio, 1)

    # The department's later word takes the answer's place.
    await studio.told(fact(edited(first, airs_at="2026-12-03T18:00:00Z")))
    await mailed(studio, 2)
    airing = await studio.channel.airings.get(first.id)
    assert airing is not None
    assert [mark.what for mark in airing.history] == ["planned", "moved", "moved"]
    assert [mark.revision for mark in airing.history] == [1, None, 2]


async def test_a_cancellation_may_still_be_answered_otherwise(studio: Studio) -> None:
    first = broadcast()
    await studio.told(fact(first))
    await studio.answer(first.id, outcome="cancelled", remark="Аварія")
    assert "Ефір скасовано" in str((await studio.heard(fact(first), 2)).data.reason)
    studio.now = AIRS + timedelta(hours=2)
    await studio.answer(first.id, outcome="aired")
    assert "Вийшло в ефір" in str((await studio.heard(fact(first), 3)).data.reason)


async def test_an_answer_that_the_receipt_missed_is_told_at_the_next_look(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process died between the answer's record and the receipt."""
    first = broadcast()
    await studio.told(fact(first))
    airing = await studio.channel.airings.get(first.id)
    assert airing is not None
    slot = airing.now.model_copy(update={"state": "cancelled"})
    heard: list[UUID] = []

    async def die(channel: str, id: UUID, settlement: object) -> None:
        heard.append(id)
        raise Later("died")

    alive = studio.publisher.settle
    monkeypatch.setattr(studio.publisher, "settle", die)
    with pytest.raises(Later):
        await studio.channel.answer(first.id, slot, None)
    monkeypatch.setattr(studio.publisher, "settle", alive)
    assert heard == [first.id]
    studio.channel._look.set()
    assert "Ефір скасовано" in str((await studio.heard(fact(first), 2)).data.reason)


@pytest.mark.parametrize("token", ["", "x", "InRlc3Qi.aaaa.bbbb"])
async def test_a_link_that_was_not_signed_here_opens_nothing(studio: Studio, token: str) -> None:
    async with studio.page() as browser:
        assert (await browser.get(f"/answer/{token}")).status_code == 404
        assert (await browser.post(f"/answer/{token}", data={"outcome": "aired"})).status_code == 404


async def test_the_page_and_the_calendar_tell_of_a_programme(studio: Studio) -> None:
    first = broadcast("Тарифи <1>")
    await studio.told(fact(first))
    await studio.told(fact(edited(first, guests=[{"name": "Олег Коваль", "faction": "За Луцьк"}])))
    airing = await studio.channel.airings.get(first.id)
    assert airing is not None
    await studio.channel.agreements.put(
        Agreement.model_validate(
            {
                "station": STATION,
                "series": "Відкрита влада. МІСТО",
                "contract": "17/2026",
                "since": "2026-01-01",
                "until": "2026-12-31",
                "number": 21,
            }
        )
    )
    async with studio.page() as browser:
        index = await browser.get("/")
        page = await browser.get(f"/programmes/{airing.programme_key}")
        feed = await browser.get(f"/programmes/{airing.programme_key}.ics")
    assert f"/programmes/{airing.programme_key}" in index.text
    assert "Тарифи &lt;1&gt;" in page.text
    assert "Олег Коваль, За Луцьк" in page.text
    assert "Вийшло 0 із 21, заплановано 1, скасовано 0, перенесено 0" in page.text
    (event,) = Calendar.from_ical(feed.text).walk("VEVENT")
    assert event["SEQUENCE"] == 2
    assert str(event["UID"]).startswith(str(first.id))
    assert event.decoded("dtstart") == AIRS
    assert "LAST-MODIFIED" in event
    assert "REFRESH-INTERVAL;VALUE=DURATION:PT1H" in feed.text
    ((agreement, counted),) = await kept(studio.publisher.database, "television")
    assert (agreement.number, counted.planned) == (21, 1)


async def test_radio_and_other_kinds_are_not_televisions(studio: Studio) -> None:
    assert studio.channel.takes(broadcast(medium="radio")) is not None
    assert studio.channel.takes(publication()) is not None
    assert studio.channel.takes(broadcast()) is None
    preview = studio.channel.preview(broadcast(station="12 канал"))
    assert "Бюджет громади" in preview.pieces[0].text
    assert any("12 канал" in problem for problem in preview.problems)


async def test_a_letter_whose_process_died_before_sending_is_sent_by_another(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands written, under a lease that ends."""
    tries: list[str] = []

    async def die(message: EmailMessage) -> None:
        tries.append(str(message["Message-ID"]))
        raise RuntimeError("killed")

    alive = studio.publisher.mail
    studio.channel.mailing._lease = timedelta(0)
    monkeypatch.setattr(studio.publisher, "mail", die)
    await studio.told(fact(broadcast()))

    async def tried() -> bool:
        return bool(tries)

    await eventually(tried)
    assert studio.server.taken == []
    monkeypatch.setattr(studio.publisher, "mail", alive)
    await mailed(studio, 1)
    assert {mail.message_id for mail in studio.server.taken} == set(tries)


def test_agreements_are_added_and_listed_by_command(
    publisher_settings: PublisherSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONGO_URL", publisher_settings.mongo_url.get_secret_value())
    given = {
        "station": STATION,
        "series": "Відкрита влада. МІСТО",
        "contract": "17/2026",
        "since": "2026-01-01",
        "until": "2026-12-31",
        "number": "21",
    }
    options = [part for name, value in given.items() for part in (f"--{name}", value)]
    for module in (television, radio):
        for _ in range(2):
            added = CliRunner().invoke(module.commands, ["agreements", "add", *options])
            assert added.exit_code == 0, added.output
        listed = CliRunner().invoke(module.commands, ["agreements", "list"])
        assert listed.output.count("Вийшло 0 із 21") == 1
    turned = [*options[:-4], "--until", "2025-01-01", "--number", "21"]
    assert CliRunner().invoke(television.commands, ["agreements", "add", *turned]).exit_code == 1
