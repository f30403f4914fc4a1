"""The newspaper: one package an issue, whatever dies; answers that end the receipt's waiting."""

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import docx
import httpx
import pytest
from fastapi import FastAPI

from services.publisher.app import Publisher
from services.publisher.channels.newspaper import NewspaperChannel
from services.publisher.channels.newspaper.issue import State
from services.publisher.settings import PublisherSettings
from shared.events import DeliveryReported, Outcome, decode
from shared.publication import Fact, Publication
from tests.samples import corrected, fact, publication, withdrawn
from tests.services.publisher.stands.newspaper import EDITOR, section_for
from tests.smtp import MailServer, mail_server
from tests.waiting import eventually

MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)
AFTER = datetime(2026, 11, 24, 10, 1, tzinfo=UTC)
"""A minute past noon in Kyiv."""
PRINTED = {"verdict": "printed", "number": "47", "date": "2026-11-26", "page": "3"}


class Newsroom:
    """A publisher with the newspaper alone, its clock in the test's hand."""

    def __init__(self, publisher: Publisher, mail: MailServer) -> None:
        self.publisher = publisher
        self.mail = mail
        channel = publisher.channels["newspaper"]
        assert isinstance(channel, NewspaperChannel)
        self.channel = channel
        self.at(MONDAY)

    def at(self, hour: datetime) -> None:
        self.channel.press.clock = lambda: hour

    async def tell(self, of: Publication, what: Fact = Fact.RELEASED) -> None:
        await self.publisher.workers["newspaper"].handle(fact(of, what))

    async def said(self, of: Publication) -> DeliveryReported:
        entry = await self.publisher.ledger.get("newspaper", of.id)
        assert entry is not None
        assert entry.delivery is not None
        found = decode(entry.delivery)
        assert isinstance(found, DeliveryReported)
        return found

    async def answer(self, of: Publication, issue: str = "2026-11-24", **fields: str) -> httpx.Response:
        app = FastAPI()
        app.include_router(self.channel.routes(), prefix="/channels/newspaper")
        known = await self.channel.issues.get(issue)
        assert known is not None
        address = self.channel.press.answer_at(known)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            if not fields:
                return await client.get(address)
            return await client.post(f"{address}/items/{of.id}", data=fields)

    async def close_issue(self) -> None:
        self.at(AFTER)
        await self.channel.press.look()


@pytest.fixture
async def newsroom(publisher_settings: PublisherSettings) -> AsyncIterator[Newsroom]:
    async with mail_server() as mail:
        settings = publisher_settings.model_copy(
            update={"channels": ("newspaper",), "smtp_port": mail.port, "smtp_host": "127.0.0.1"}
        )
        publisher = Publisher(settings, [section_for()], lease=timedelta(seconds=1))
        await publisher.bus.start()
        await publisher.bus.ready()
        try:
            yield Newsroom(publisher, mail)
        finally:
            await publisher.stop()


def announced(title: str, **fields: object) -> Publication:
    return publication("announcement", content={"title": title, **fields}, targets=("newspaper", "mail"))


async def test_the_package_goes_out_once_with_a_galley_in_ukrainian(newsroom: Newsroom) -> None:
    body = "## Як\n\n1. Перше\n2. **Друге**\n\n| а | б |\n|---|---|\n| 1 | 2 |\n"
    await newsroom.tell(announced("Ремонт моста", body=body))
    await newsroom.close_issue()
    await newsroom.channel.press.look()
    assert newsroom.mail.recipients() == {EDITOR: 1}
    mail = newsroom.mail.taken[0].message
    attached = {part.get_filename(): part for part in mail.iter_attachments()}
    document = docx.Document(io.BytesIO(attached["vypusk-2026-11-26.docx"].get_content()))
    texts = [(str(p.style.name), p.text) for p in document.paragraphs if p.style is not None]
    assert ("Heading 2", "1. Ремонт моста") in texts
    assert ("Heading 4", "Як") in texts
    assert ("List Number", "Друге") in texts
    assert [cell.text for cell in document.tables[0].rows[1].cells] == ["1", "2"]
    assert 'w:lang w:val="uk-UA"' in document.styles.element.xml
    assert "vypusk-2026-11-26.csv" in attached


async def test_a_lost_answer_is_met_with_the_same_message_again(newsroom: Newsroom) -> None:
    await newsroom.tell(announced("Ремонт моста"))
    newsroom.mail.tell(EDITOR, "cut before the answer", "take")
    await newsroom.close_issue()
    await newsroom.channel.press.look()
    await newsroom.channel.press.look()
    assert len({mail.message_id for mail in newsroom.mail.taken}) == 1
    assert len(newsroom.mail.taken) <= 2


async def test_a_correction_replaces_before_the_deadline_and_is_an_erratum_after(newsroom: Newsroom) -> None:
    first = announced("Ремонт моста")
    second = corrected(first, title="Ремонт двох мостів")
    await newsroom.tell(first)
    await newsroom.tell(second)
    issue = await newsroom.channel.issues.get("2026-11-24")
    assert issue is not None
    assert [item.role for item in issue.items] == ["story"]
    await newsroom.close_issue()
    await newsroom.tell(corrected(second, title="Ремонт трьох мостів"))
    following = await newsroom.channel.issues.get("2026-12-01")
    assert following is not None
    assert [item.role for item in following.items] == ["erratum"]


async def test_an_answer_ends_the_waiting_and_may_be_changed(newsroom: Newsroom) -> None:
    first = announced("Ремонт моста")
    await newsroom.tell(first)
    assert (await newsroom.said(first)).data.outcome is Outcome.UNCONFIRMED
    await newsroom.close_issue()
    page = await newsroom.answer(first)
    assert page.status_code == 200
    assert "Ремонт моста" in page.text
    wrong = await newsroom.answer(first, **(PRINTED | {"page": "0"}))
    assert wrong.status_code == 422
    assert "Вкажіть сторінку" in wrong.text
    dropped = await newsroom.answer(first, verdict="dropped", remark="Немає місця")
    assert dropped.status_code == 303
    assert (await newsroom.said(first)).data.outcome is Outcome.SKIPPED
    assert (await newsroom.answer(first, **PRINTED)).status_code == 303
    said = (await newsroom.said(first)).data
    assert said.outcome is Outcome.PUBLISHED
    assert said.reason == "Випуск № 47 від 26.11.2026, с. 3"


async def test_what_is_withdrawn_too_late_is_stopped_or_refuted(newsroom: Newsroom) -> None:
    waiting, printed = announced("Ремонт моста"), announced("Ярмарок")
    for each in (waiting, printed):
        await newsroom.tell(each)
    await newsroom.close_issue()
    await newsroom.answer(printed, **PRINTED)
    for each in (waiting, printed):
        await newsroom.tell(withdrawn(each), Fact.WITHDRAWN)
    assert [mail.subject for mail in newsroom.mail.taken[1:]] == ["НЕ ДРУКУВАТИ: Ремонт моста"]
    following = await newsroom.channel.issues.get("2026-12-01")
    assert following is not None
    assert [(item.publication_id, item.role) for item in following.items] == [(printed.id, "refutation")]


async def test_editors_who_do_not_answer_are_reminded_once(newsroom: Newsroom) -> None:
    await newsroom.tell(announced("Ремонт моста"))
    await newsroom.close_issue()
    newsroom.at(datetime(2026, 11, 29, 8, tzinfo=UTC))
    await newsroom.channel.press.look()
    await newsroom.channel.press.look()
    assert [mail.subject[:11] for mail in newsroom.mail.taken] == ["Матеріали д", "Нагадування"]


async def test_an_empty_issue_sends_nothing(newsroom: Newsroom) -> None:
    first = announced("Ремонт моста")
    await newsroom.tell(first)
    await newsroom.tell(withdrawn(first), Fact.WITHDRAWN)
    await newsroom.close_issue()
    assert newsroom.mail.taken == []


async def test_of_several_processes_one_sends(newsroom: Newsroom) -> None:
    await newsroom.tell(announced("Ремонт моста"))
    newsroom.at(AFTER)
    await asyncio.gather(*(newsroom.channel.press.look() for _ in range(5)))
    assert newsroom.mail.recipients() == {EDITOR: 1}


async def test_what_a_process_closed_before_it_died_is_sent_by_the_next(newsroom: Newsroom) -> None:
    await newsroom.tell(announced("Ремонт моста"))
    issues = newsroom.channel.issues
    issue = await issues.get("2026-11-24")
    assert issue is not None
    await issues.change(issue, lambda it: it.model_copy(update={"state": State.CLOSED, "closed_at": AFTER}))
    assert await issues.claim(issue.id, "who died", timedelta(milliseconds=1))
    newsroom.at(AFTER)

    async def sent() -> bool:
        await newsroom.channel.press.look()
        return bool(newsroom.mail.taken)

    await eventually(sent)
    await newsroom.channel.press.look()
    assert newsroom.mail.recipients() == {EDITOR: 1}


async def test_a_printed_act_is_officially_published(newsroom: Newsroom) -> None:
    act = publication("regulatory_act", targets=("newspaper", "mail"))
    await newsroom.tell(act)
    await newsroom.close_issue()
    await newsroom.answer(act, **PRINTED)
    said = (await newsroom.said(act)).data
    assert said.reason == "Офіційно оприлюднено: випуск № 47 від 26.11.2026, с. 3"
