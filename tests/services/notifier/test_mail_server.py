"""What the mail server may do to us: errors for now and for good, broken connections, absence."""

import asyncio
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from services.notifier.app import Notifier
from services.notifier.settings import Settings
from shared.bus import NOTIFIER_MAILS, Bus
from shared.bus.parked import ParkedMessages
from shared.events import Delivery, Outcome
from tests.rabbit import depth
from tests.samples import fact, publication
from tests.services.notifier.conftest import Receipts, journalist, outlet, running
from tests.smtp import MailServer
from tests.waiting import eventually

A, B, C = "a@avers.example", "b@avers.example", "c@zamok.example"


def possible_duplicates() -> float:
    return REGISTRY.get_sample_value("visnyk_mail_possible_duplicates_total") or 0


@pytest.fixture
async def three(notifier: Notifier) -> Notifier:
    """Three subscribers to everything."""
    await notifier.people.replace([outlet("avers", journalist(A), journalist(B), journalist(C))])
    return notifier


@pytest.mark.parametrize("step", ["451 4.7.1 greylisted", "DATA 452 full", "421 going away", "DATA 421 bye"])
async def test_a_passing_error_is_tried_again_for_that_recipient_alone(
    three: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts, step: str
) -> None:
    smtp.tell(B, step, "take")
    event = fact(publication())
    await bus.emit(event)
    report = await receipts.final(event)
    assert (report.outcome, report.recipients, report.failed) == (Outcome.PUBLISHED, 3, 0)
    assert smtp.recipients() == {A: 1, B: 1, C: 1}
    assert smtp.attempts[A] == 1
    assert "retrying" in receipts.outcomes()


@pytest.mark.parametrize("step", ["550 5.1.1 no such user", "DATA 554 5.7.1 not wanted"])
async def test_a_lasting_error_is_final_and_on_the_receipt(
    three: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts, step: str
) -> None:
    smtp.tell(B, step)
    event = fact(publication())
    await bus.emit(event)
    report = await receipts.final(event)
    assert (report.outcome, report.recipients, report.failed) == (Outcome.PUBLISHED, 3, 1)
    assert report.reason is not None
    assert step.removeprefix("DATA ")[:3] in report.reason
    assert B not in report.reason, "a receipt is no place for addresses"
    assert smtp.recipients() == {A: 1, C: 1}
    assert smtp.attempts[B] == 1


async def test_refused_by_everyone_is_a_failure(
    three: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    for address in (A, B, C):
        smtp.tell(address, "550 no")
    event = fact(publication())
    await bus.emit(event)
    report = await receipts.final(event)
    assert (report.outcome, report.recipients, report.failed) == (Outcome.FAILED, 3, 3)


async def test_a_refused_sender_is_nobodys_end(
    three: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    """A 550 that speaks of us must not strike a recipient off: it is tried again."""
    smtp.sender_answer = "550 5.7.1 sender not allowed"
    event = fact(publication())
    await bus.emit(event)

    async def tried() -> bool:
        await receipts.collect()
        return "retrying" in receipts.outcomes()

    await eventually(tried)
    smtp.sender_answer = None
    report = await receipts.final(event)
    if report.outcome is Outcome.FAILED:
        await ParkedMessages(_url(three), [NOTIFIER_MAILS]).retry()
        report = await eventually(lambda: _published(receipts, event.data.id))
    assert (report.outcome, report.failed) == (Outcome.PUBLISHED, 0)
    assert smtp.recipients() == {A: 1, B: 1, C: 1}


async def _published(receipts: Receipts, publication_id: UUID) -> Delivery | None:
    await receipts.collect()
    found = [
        event.data
        for event in receipts.heard
        if event.data.publication_id == publication_id and event.data.outcome is Outcome.PUBLISHED
    ]
    return found[-1] if found else None


def _url(notifier: Notifier) -> str:
    return notifier.bus._settings.amqp_url.get_secret_value()


async def test_a_connection_cut_before_the_mail_was_handed_over_is_no_doubt(
    three: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    before = possible_duplicates()
    smtp.tell(B, "cut before DATA", "cut before DATA", "take")
    event = fact(publication())
    await bus.emit(event)
    await receipts.final(event)
    assert smtp.recipients() == {A: 1, B: 1, C: 1}
    assert possible_duplicates() == before


async def test_a_connection_cut_before_the_answer_may_double_the_mail_and_is_counted(
    three: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    before = possible_duplicates()
    smtp.tell(B, "cut before the answer", "take")
    event = fact(publication())
    await bus.emit(event)
    report = await receipts.final(event)
    assert report.recipients == 3
    assert smtp.recipients() == {A: 1, B: 2, C: 1}
    assert smtp.repeated() == 1, "the second one carries the same Message-ID"
    assert possible_duplicates() - before == 1


async def test_a_connection_cut_after_the_answer_changes_nothing(
    three: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    smtp.tell(B, "cut after the answer")
    event = fact(publication())
    await bus.emit(event)
    await receipts.final(event)
    second = fact(publication())
    await bus.emit(second)
    await receipts.final(second)
    assert smtp.recipients() == {A: 2, B: 2, C: 2}
    assert "retrying" not in receipts.outcomes()


async def test_a_server_that_limits_mails_per_connection_is_nobodys_failure(
    three: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    smtp.most_per_connection = 1
    events = [fact(publication()) for _ in range(6)]
    for event in events:
        await bus.emit(event)
    for event in events:
        await receipts.final(event)
    assert smtp.recipients() == {A: 6, B: 6, C: 6}
    assert "retrying" not in receipts.outcomes()


async def test_connections_are_kept(three: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts) -> None:
    for _ in range(5):
        event = fact(publication())
        await bus.emit(event)
        await receipts.final(event)
    assert smtp.connections <= 4
    assert len(smtp.taken) == 15


async def test_mail_waits_while_the_server_is_away(
    settings: Settings, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    """Down at first, back while the batches climb the ladder: everyone gets one mail."""
    await smtp.stop()
    async with running(settings) as notifier:
        await notifier.people.replace([outlet("avers", journalist(A), journalist(B))])
        event = fact(publication())
        await bus.emit(event)

        async def waits() -> bool:
            await receipts.collect()
            return "retrying" in receipts.outcomes()

        await eventually(waits)
        await smtp.start()
        report = await receipts.final(event)
        if report.outcome is Outcome.FAILED:
            # The test's ladder is short: the command is the last step of it.
            await ParkedMessages(settings.amqp_url.get_secret_value(), [NOTIFIER_MAILS]).retry()
            await eventually(lambda: _published(receipts, event.data.id))
        assert smtp.recipients() == {A: 1, B: 1}


async def test_a_parked_batch_sent_again_completes_the_receipt(
    settings: Settings, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    async with running(settings) as notifier:
        await notifier.people.replace([outlet("avers", journalist(A), journalist(B))])
        smtp.tell(B, "451 later")
        event = fact(publication())
        await bus.emit(event)
        report = await receipts.final(event)
        assert (report.outcome, report.recipients, report.failed) == (Outcome.FAILED, 2, 1)

        async def parked() -> bool:
            return await depth(settings, f"parked.{NOTIFIER_MAILS}") == 1

        await eventually(parked)
        smtp.tell(B, "take")
        command = ParkedMessages(settings.amqp_url.get_secret_value(), [NOTIFIER_MAILS])
        [message] = await command.list()
        assert message.subject == str(event.data.id)
        assert await command.retry([message.id]) == 1
        await eventually(lambda: _published(receipts, event.data.id))
        [last] = [e.data for e in receipts.heard if e.data.outcome is Outcome.PUBLISHED]
        assert (last.recipients, last.failed) == (2, 0)
    assert smtp.recipients() == {A: 1, B: 1}


async def test_the_limit_of_mails_per_second_is_kept(
    settings: Settings, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    """At 20 a second the thirtieth can't come sooner than 29 intervals after the first."""
    clock = asyncio.get_running_loop().time
    people = [journalist(f"j{number}@avers.example") for number in range(30)]
    async with running(settings.model_copy(update={"mails_per_second": 20})) as notifier:
        await notifier.people.replace([outlet("avers", *people)])
        event = fact(publication())
        begun = clock()
        await bus.emit(event)
        report = await receipts.final(event)
    assert report.recipients == 30
    assert clock() - begun >= 29 / 20
