"""Digests: at each outlet's own hour, nothing twice, nothing empty, and caught up after an outage."""

import asyncio
from datetime import UTC, datetime, time, timedelta

from services.notifier.app import Notifier
from services.notifier.digests import _mail
from services.notifier.facts import KYIV
from services.notifier.records import FanOut, Target, digest_id
from services.notifier.settings import Settings
from shared.bus import NOTIFIER_MAILS, Bus
from shared.bus.parked import ParkedMessages
from shared.events import Outcome, PublicationEvent, now
from shared.publication import Fact
from tests.rabbit import depth
from tests.samples import corrected, fact, publication, withdrawn
from tests.services.notifier.conftest import Receipts, journalist, outlet, running
from tests.smtp import MailServer
from tests.waiting import eventually

A, B, C = "a@avers.example", "b@avers.example", "c@zamok.example"


def at(hour: str, days: int) -> datetime:
    """An hour in Kyiv, so many days from now: what the clock shows that a test passes in."""
    day = now().astimezone(KYIV).date() + timedelta(days=days)
    return datetime.combine(day, time.fromisoformat(hour), KYIV).astimezone(UTC)


async def handed_in(bus: Bus, receipts: Receipts, *events: PublicationEvent) -> None:
    """Emit facts, and wait until each has been fanned out."""
    for event in events:
        await bus.emit(event)
        await receipts.final(event)


async def quiet(notifier: Notifier, receipts: Receipts) -> None:
    """Wait until every mail that is on its way has arrived."""

    async def nothing_open() -> bool:
        await receipts.collect()
        return (await notifier.store.open_work())[0] == 0

    await eventually(nothing_open)


async def test_a_digest_carries_what_waited_at_the_outlets_own_hour(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    await notifier.people.replace(
        [
            outlet("avers", journalist(A, mode="digest"), journalist(B, mode="digest", topics=["tariffs"])),
            outlet("zamok", journalist(C, mode="digest"), digest_hour="09:30"),
        ]
    )
    await notifier.digests.make_due(at("08:00", 2))
    events = [fact(publication(content={"title": title})) for title in ("Перша", "Друга")]
    await handed_in(bus, receipts, *events)
    assert [e.data.outcome for e in receipts.heard] == [Outcome.SKIPPED] * 2
    assert smtp.taken == []

    await notifier.digests.make_due(at("09:30", 2))
    await quiet(notifier, receipts)
    assert smtp.recipients() == {C: 1}
    await notifier.digests.make_due(at("17:00", 2))
    await quiet(notifier, receipts)
    assert smtp.recipients() == {A: 1, C: 1}
    [mail] = smtp.to(A)
    assert mail.subject.startswith("Дайджест за ")
    assert mail.subject.endswith(": 2 публікації")
    text = mail.part("plain")
    assert text.index("Перша") < text.index("Друга")
    report = await receipts.final(events[0], "digest")
    assert (report.outcome, report.recipients) == (Outcome.PUBLISHED, 2)


async def test_a_digest_never_repeats_and_is_never_empty(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    await notifier.people.replace([outlet("avers", journalist(A, mode="digest"))])
    await handed_in(bus, receipts, fact(publication()))
    for _ in range(3):
        await notifier.digests.make_due(at("17:00", 1))
    await notifier.digests.make_due(at("17:00", 2))
    await quiet(notifier, receipts)
    assert smtp.recipients() == {A: 1}


async def test_after_an_outage_one_digest_carries_everything(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    await notifier.people.replace([outlet("avers", journalist(A, mode="digest"))])
    await handed_in(bus, receipts, *(fact(publication()) for _ in range(3)))
    await notifier.digests.make_due(at("03:00", 5))
    await quiet(notifier, receipts)
    [mail] = smtp.to(A)
    assert mail.subject.endswith(": 3 публікації")
    await notifier.digests.make_due(at("16:59", 5))
    assert len(smtp.to(A)) == 1


async def test_a_digest_carries_the_latest_revision_and_nothing_withdrawn(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    await notifier.people.replace([outlet("avers", journalist(A, mode="digest"))])
    wrong, gone = publication(content={"title": "Помилка"}), publication(content={"title": "Відкликана"})
    await handed_in(
        bus,
        receipts,
        fact(wrong),
        fact(gone),
        fact(corrected(wrong, title="Виправлено")),
        fact(withdrawn(gone), Fact.WITHDRAWN),
    )
    await notifier.digests.make_due(at("17:00", 1))
    await quiet(notifier, receipts)
    [mail] = smtp.to(A)
    text = mail.part("plain")
    assert "Виправлено" in text
    assert "Помилка" not in text
    assert "Відкликана" not in text


async def test_a_digest_of_withdrawn_publications_alone_is_not_sent(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    await notifier.people.replace([outlet("avers", journalist(A, mode="digest"))])
    gone = publication()
    await handed_in(bus, receipts, fact(gone), fact(withdrawn(gone), Fact.WITHDRAWN))
    await notifier.digests.make_due(at("17:00", 1))
    await quiet(notifier, receipts)
    assert smtp.taken == []


async def test_who_read_it_in_a_digest_hears_of_corrections_and_the_withdrawal(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    await notifier.people.replace([outlet("avers", journalist(A, mode="digest"))])
    original = publication()
    await handed_in(bus, receipts, fact(original))
    await notifier.digests.make_due(at("17:00", 1))
    await quiet(notifier, receipts)
    second = corrected(original)
    await handed_in(bus, receipts, fact(second), fact(withdrawn(second), Fact.WITHDRAWN))
    assert [mail.subject.partition(":")[0] for mail in smtp.to(A)][1:] == ["ВИПРАВЛЕННЯ", "ВІДКЛИКАНО"]


async def test_an_emergency_does_not_wait_for_the_digest(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    await notifier.people.replace([outlet("avers", journalist(A, mode="digest"))])
    await handed_in(bus, receipts, fact(publication(content={"urgency": "emergency"})))
    await notifier.digests.make_due(at("17:00", 1))
    await quiet(notifier, receipts)
    [mail] = smtp.to(A)
    assert mail.message["Importance"] == "high"
    assert not mail.subject.startswith("Дайджест")


async def test_an_hour_that_passed_before_the_outlet_was_listed_is_not_its_own(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    await notifier.people.replace([outlet("avers", journalist(A, mode="digest"))])
    await handed_in(bus, receipts, fact(publication()))
    await notifier.digests.make_due(now())
    assert (await notifier.store.open_work())[0] == 0
    assert smtp.taken == []


async def test_two_processes_make_one_digest(
    notifier: Notifier, settings: Settings, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    await notifier.people.replace(
        [outlet("avers", *(journalist(f"j{n}@avers.example", mode="digest") for n in range(60)))]
    )
    await handed_in(bus, receipts, fact(publication()), fact(publication()))
    async with running(settings) as other:
        due = at("17:00", 1)
        await asyncio.gather(*(one.digests.make_due(due) for one in (notifier, other) * 3))
        await quiet(notifier, receipts)
    assert len(smtp.taken) == 60
    assert set(smtp.recipients().values()) == {1}


async def test_a_digest_that_a_process_died_over_is_finished_by_another(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    """It died when one of four items was marked; what it would have left is laid here by hand."""
    await notifier.people.replace(
        [outlet("avers", journalist(A, mode="digest"), journalist(B, mode="digest"))]
    )
    await handed_in(bus, receipts, fact(publication()), fact(publication()))
    due = at("17:00", 1)
    left = FanOut(
        id=digest_id("avers", due.astimezone(KYIV).date().isoformat()), target=Target.DIGEST, owner="died"
    )
    await notifier.store.open_fanout(left)
    [one] = [one for one in await notifier.people.active() if one.address == A]
    mail = _mail(left, one)
    await notifier.store.insert_mails([mail])
    [first, _] = await notifier.items.pending([one.id])
    await notifier.items.assign([first.id], mail=mail.id, fanout=left.id)

    await notifier.digests.make_due(due)
    await quiet(notifier, receipts)
    assert smtp.recipients() == {A: 1, B: 1}
    assert all(mail.subject.endswith(": 2 публікації") for mail in smtp.taken)


async def test_a_digest_that_has_to_wait_is_made_up_anew(
    notifier: Notifier, settings: Settings, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    """Parked while the server is out of order, it then carries what is newest, and nothing twice."""
    await notifier.people.replace([outlet("avers", journalist(A, mode="digest"))])
    original = publication(content={"title": "Помилка"})
    await handed_in(bus, receipts, fact(original))
    smtp.tell(A, "451 later")
    await notifier.digests.make_due(at("17:00", 1))

    async def parked() -> bool:
        return await depth(settings, f"parked.{NOTIFIER_MAILS}") == 1

    await eventually(parked)
    second = fact(corrected(original, title="Виправлено"))
    await handed_in(bus, receipts, second)
    smtp.tell(A, "take")
    await ParkedMessages(settings.amqp_url.get_secret_value(), [NOTIFIER_MAILS]).retry()
    await quiet(notifier, receipts)
    [mail] = smtp.to(A)
    assert "Виправлено" in mail.part("plain")
    report = await receipts.final(second, "digest")
    assert report.outcome is Outcome.PUBLISHED
