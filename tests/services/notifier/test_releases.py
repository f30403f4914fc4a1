"""From a fact on the bus to mails in mailboxes and an entry on the receipt."""

import asyncio
from datetime import timedelta

import pytest

from services.notifier.app import Notifier
from services.notifier.settings import Settings
from shared.bus import Bus
from shared.events import Outcome, PublicationEvent, now
from shared.publication import Fact, Publication
from tests.samples import corrected, fact, publication, withdrawn
from tests.services.notifier.conftest import Receipts, journalist, outlet, running
from tests.smtp import MailServer
from tests.waiting import eventually

A, B, C = "a@avers.example", "b@avers.example", "c@zamok.example"


def embargoed(**content: object) -> Publication:
    """Under embargo until tomorrow."""
    until = now() + timedelta(days=1)
    return publication(
        "press_release",
        content={"embargo_until": until.isoformat()} | content,
        targets=("site", "mail", "advance"),
        released_at=None,
    )


def released(of: Publication) -> Publication:
    """The same, its hour come."""
    return of.model_copy(update={"released_at": now()})


async def subscribe(notifier: Notifier, *addresses: str, **fields: object) -> None:
    """An outlet of these journalists, who get everything at once."""
    await notifier.people.replace([outlet("avers", *(journalist(one, **fields) for one in addresses))])


async def test_a_release_reaches_each_matching_subscriber_once(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    await notifier.people.replace(
        [
            outlet("avers", journalist(A), journalist(B, topics=["tariffs"])),
            outlet("zamok", journalist(C, kinds=["news"], topics=["transport"])),
        ]
    )
    event = fact(publication())
    await bus.emit(event)
    report = await receipts.final(event)
    assert smtp.recipients() == {A: 1, C: 1}
    assert (report.outcome, report.recipients, report.failed) == (Outcome.PUBLISHED, 2, 0)


async def test_several_matching_subscriptions_make_one_mail(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    twice = journalist(A) | {"subscriptions": [{"kinds": ["news"]}, {"topics": ["transport"]}, {}]}
    await notifier.people.replace([outlet("avers", twice)])
    event = fact(publication())
    await bus.emit(event)
    await receipts.final(event)
    assert smtp.recipients() == {A: 1}


async def test_redelivered_facts_and_batches_send_nothing_again(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    await subscribe(notifier, A, B, C)
    event = fact(publication())
    await asyncio.gather(*(bus.emit(event) for _ in range(5)))
    await receipts.final(event)
    for _ in range(3):
        await bus.emit(event)
    marker = fact(publication())
    await bus.emit(marker)
    await receipts.final(marker)
    assert smtp.recipients() == {A: 2, B: 2, C: 2}
    assert smtp.repeated() == 0
    finals = {e.id for e in receipts.heard if e.data.publication_id == event.data.id}
    assert len(finals) == 1, "a re-emitted report keeps its id"


async def test_nobody_wants_it(notifier: Notifier, bus: Bus, receipts: Receipts) -> None:
    await subscribe(notifier, A, topics=["tariffs"])
    event = fact(publication())
    await bus.emit(event)
    report = await receipts.final(event)
    assert report.outcome is Outcome.SKIPPED
    assert report.reason == "Жоден підписник не обрав таких публікацій."


async def test_a_major_correction_goes_to_those_who_got_the_original(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    await subscribe(notifier, A, B)
    original = publication()
    first, second = fact(original), fact(corrected(original, title="Тролейбус № 5 їде як завжди"))
    await bus.emit(first)
    await receipts.final(first)
    await subscribe(notifier, A, B, C)
    await bus.emit(second)
    report = await receipts.final(second)
    assert (report.outcome, report.recipients) == (Outcome.UPDATED, 2)
    assert smtp.to(C) == []
    [original_mail, correction] = smtp.to(A)
    assert correction.subject == "ВИПРАВЛЕННЯ: Тролейбус № 5 їде як завжди"
    assert correction.message["In-Reply-To"] == original_mail.message_id
    assert "Уточнено час." in correction.part("plain")


async def test_a_minor_correction_is_not_mailed(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    await subscribe(notifier, A)
    original = publication()
    first, second = fact(original), fact(corrected(original, significance="minor"))
    await bus.emit(first)
    await receipts.final(first)
    await bus.emit(second)
    report = await receipts.final(second)
    assert (report.outcome, report.reason) == (
        Outcome.SKIPPED,
        "Незначне виправлення: повторно не розсилається.",
    )
    assert smtp.recipients() == {A: 1}


async def test_a_correction_that_comes_first_is_the_original_for_everyone(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    await subscribe(notifier, A)
    original = publication()
    first, second = fact(original), fact(corrected(original, title="Нова назва"))
    await bus.emit(second)
    report = await receipts.final(second)
    await bus.emit(first)
    marker = fact(publication())
    await bus.emit(marker)
    await receipts.final(marker)
    assert report.outcome is Outcome.PUBLISHED
    assert [mail.subject for mail in smtp.to(A)] == ["Нова назва", marker.data.content.title]


async def test_a_withdrawal_goes_to_everyone_who_got_it(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    await subscribe(notifier, A)
    original = publication()
    first, last = fact(original), fact(withdrawn(original), Fact.WITHDRAWN)
    await bus.emit(first)
    await receipts.final(first)
    await subscribe(notifier, A, B)
    await bus.emit(last)
    report = await receipts.final(last)
    assert (report.outcome, report.recipients) == (Outcome.REMOVED, 1)
    assert [mail.subject for mail in smtp.to(A)][1].startswith("ВІДКЛИКАНО: ")
    assert "Дані не підтвердилися." in smtp.to(A)[1].part("plain")
    assert smtp.to(B) == []


async def test_a_withdrawal_that_overtakes_the_release_leaves_nothing_to_send(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    await subscribe(notifier, A)
    original = publication()
    last = fact(withdrawn(original), Fact.WITHDRAWN)
    await bus.emit(last)
    report = await receipts.final(last)
    await bus.emit(fact(original))
    marker = fact(publication())
    await bus.emit(marker)
    await receipts.final(marker)
    assert report.outcome is Outcome.SKIPPED
    assert smtp.recipients() == {A: 1}


async def test_an_advance_goes_to_the_accredited_alone_and_is_unmistakable(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    await notifier.people.replace([outlet("avers", journalist(A, accredited=True), journalist(B))])
    event = fact(embargoed(), Fact.ADVANCE)
    await bus.emit(event)
    report = await receipts.final(event, "advance")
    assert (report.outcome, report.recipients) == (Outcome.PUBLISHED, 1)
    assert smtp.recipients() == {A: 1}
    [mail] = smtp.to(A)
    assert mail.subject.startswith("ЕМБАРГО до ")
    assert mail.part("plain").startswith("ЕМБАРГО до ")


async def test_a_release_spares_those_who_have_the_text_in_advance(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    await notifier.people.replace([outlet("avers", journalist(A, accredited=True), journalist(B))])
    early = embargoed()
    advance, release = fact(early, Fact.ADVANCE), fact(released(early))
    await bus.emit(advance)
    await receipts.final(advance, "advance")
    await bus.emit(release)
    report = await receipts.final(release)
    assert (report.outcome, report.recipients) == (Outcome.PUBLISHED, 1)
    assert smtp.recipients() == {A: 1, B: 1}


async def test_an_embargoed_text_that_changes_is_sent_in_advance_again(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    await subscribe(notifier, A, accredited=True)
    early = embargoed()
    changed = early.model_copy(
        update={"revision": 2, "content": early.content.model_copy(update={"title": "Нова назва"})}
    )
    first, second, third = fact(early, Fact.ADVANCE), fact(changed, Fact.ADVANCE), fact(released(changed))
    for event in (first, second):
        await bus.emit(event)
        await receipts.final(event, "advance")
    await bus.emit(third)
    report = await receipts.final(third)
    assert report.outcome is Outcome.SKIPPED
    assert [mail.subject.partition(" — ")[2] for mail in smtp.to(A)] == [
        early.content.title,
        "ОНОВЛЕНО: Нова назва",
    ]


async def test_an_advance_taken_back_before_its_hour_is_told_to_those_who_have_it(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    await notifier.people.replace([outlet("avers", journalist(A, accredited=True), journalist(B))])
    early = embargoed()
    advance, last = fact(early, Fact.ADVANCE), fact(withdrawn(early), Fact.WITHDRAWN)
    await bus.emit(advance)
    await receipts.final(advance, "advance")
    await bus.emit(last)
    assert (await receipts.final(last)).outcome is Outcome.REMOVED
    assert (await receipts.final(last, "advance")).outcome is Outcome.REMOVED
    assert smtp.recipients() == {A: 2}


async def test_an_advance_overtaken_by_the_release_is_reported_and_not_sent(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    await subscribe(notifier, A, accredited=True)
    early = embargoed()
    advance, release = fact(early, Fact.ADVANCE), fact(released(early))
    await bus.emit(release)
    await receipts.final(release)
    await bus.emit(advance)
    report = await receipts.final(advance, "advance")
    assert report.outcome is Outcome.SKIPPED
    assert [mail.subject for mail in smtp.to(A)] == [early.content.title]


async def test_what_waits_for_the_mail_server_gives_way_to_what_is_newer(
    settings: Settings, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    """The original was never sent: its recipient gets the corrected text as the original."""
    settings = settings.model_copy(update={"retry_ladder": (0.1, 0.3)})
    async with running(settings) as notifier:
        await subscribe(notifier, A, B)
        smtp.tell(A, "451 later")
        original = publication()
        first, second = fact(original), fact(corrected(original, title="Нова назва"))
        await bus.emit(first)
        assert (await receipts.final(first)).outcome is Outcome.FAILED
        smtp.tell(A, "take")
        await bus.emit(second)
        report = await receipts.final(second)
    assert (report.outcome, report.recipients) == (Outcome.UPDATED, 2)
    assert [mail.subject for mail in smtp.to(A)] == ["Нова назва"]
    assert [mail.subject for mail in smtp.to(B)] == [original.content.title, "ВИПРАВЛЕННЯ: Нова назва"]


async def test_mails_on_the_wire_arrive_before_the_correction(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    await subscribe(notifier, A)
    smtp.tell(A, 1.5, "take")
    original = publication()
    first, second = fact(original), fact(corrected(original, title="Нова назва"))
    await bus.emit(first)

    async def on_the_wire() -> bool:
        return smtp.attempts[A] == 1

    await eventually(on_the_wire)
    await bus.emit(second)
    await receipts.final(second)
    assert [mail.subject for mail in smtp.to(A)] == [original.content.title, "ВИПРАВЛЕННЯ: Нова назва"]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 0, 3, 2), (2, 3, 1, 0), (2, 0, 1, 3)])
async def test_in_whatever_order_they_come_the_newest_stands(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts, order: tuple[int, ...]
) -> None:
    """Four revisions, each also redelivered: the last mail that each subscriber got carries the newest."""
    await subscribe(notifier, A, B, C)
    revisions = [publication(content={"title": "Редакція 1"})]
    for number in (2, 3, 4):
        revisions.append(corrected(revisions[-1], title=f"Редакція {number}"))
    events: list[PublicationEvent] = [fact(revision) for revision in revisions]
    for place in order:
        await bus.emit(events[place])
        await bus.emit(events[order[0]])
    await receipts.final(events[3])
    marker = fact(publication())
    await bus.emit(marker)
    await receipts.final(marker)
    for address in (A, B, C):
        about = [mail.subject for mail in smtp.to(address) if "Редакція" in mail.subject]
        assert about[-1].removeprefix("ВИПРАВЛЕННЯ: ") == "Редакція 4"
        assert not about[0].startswith("ВИПРАВЛЕННЯ")
        assert len(set(about)) == len(about)
    assert smtp.repeated() == 0
