"""What every channel promises, held on each of them with the stand-in for its outside world.

Nothing appears twice, nothing stays up that was withdrawn, and what nobody can know is said to be unknown.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from services.publisher.app import Publisher
from services.publisher.channels.interface import Posted
from services.publisher.channels.site.settings import SiteSection
from services.publisher.decisions import looked_up
from services.publisher.settings import PublisherSettings
from services.publisher.settling import Doubts
from services.publisher.turn import waited_for
from services.publisher.worker import Worker
from shared.bus import Later
from shared.events import DeliveryReported, Outcome, PublicationEvent
from shared.publication import Fact, Publication
from tests.faults.mortal import Broker, Died, MortalBus, MortalLedger, Process
from tests.platforms.platform import Fault
from tests.rabbit import empty_queues
from tests.samples import corrected, fact, publication, withdrawn
from tests.services.publisher.conftest import Desk, opened_desk
from tests.services.publisher.stands import stands
from tests.services.publisher.stands.interface import ChannelStand
from tests.waiting import eventually

STANDS = stands()
TITLE, NEWER = "Міст на Шевченка відкрито", "Міст на Шевченка відкриють у п’ятницю"
LOST = frozenset({Fault.SERVER_ERROR_AFTER, Fault.CUT_BEFORE, Fault.CUT_AFTER, Fault.HANGS_AFTER})
"""Faults after which nobody but the other side knows whether the call took effect."""
PASSING = frozenset({Fault.THROTTLED, Fault.SERVER_ERROR})
WITHDRAWN_LAST = 2
"""The place of the withdrawal among release, correction, withdrawal."""
HALTING = frozenset({Fault.EXPIRED_TOKEN, Fault.FORBIDDEN})


@pytest.fixture(params=list(STANDS))
def name(request: pytest.FixtureRequest) -> str:
    """Each channel that has a stand."""
    return str(request.param)


@pytest.fixture
async def settings(publisher_settings: PublisherSettings, name: str) -> PublisherSettings:
    on = ("site",) if name == "site" else ("site", name)
    settings = publisher_settings.model_copy(update={"channels": on, "retry_ladder": (0.1, 0.2, 0.4)})
    await empty_queues(settings)
    return settings


class Opened:
    """A stand whose outside world runs, and publishers in front of it."""

    def __init__(self, name: str, stand: ChannelStand, make: Callable[[], Publisher]) -> None:
        self.name = name
        self.stand = stand
        self.make = make

    async def first(self, publisher: Publisher, title: str = TITLE) -> Publication:
        """A publication that the channel takes, not told to it yet."""
        media = await self.stand.media(publisher.media)
        content = {"title": title, "media": [file.id for file in media], **self.stand.content}
        targets = ("site", self.name, "mail") if self.name != "site" else ("site", "mail")
        made = publication(self.stand.kind, content=content, targets=targets, media=media)
        assert publisher.channels[self.name].takes(made) is None
        return made

    async def up(self, *titles: str) -> bool:
        """Whether people see just these, however many each stands for a post."""
        return sorted(self.naming(await self.stand.shown())) == sorted(titles)

    def naming(self, shown: Sequence[str]) -> list[str]:
        return [NEWER if NEWER in text else TITLE for text in shown if NEWER in text or TITLE in text]

    def after_correction(self) -> list[str]:
        return [NEWER] if self.stand.edits else [TITLE, NEWER]

    async def is_gone(self, before: Sequence[str] = ()) -> bool:
        """Whether people see nothing of it but a notice, or what can't be taken down."""
        shown = self.naming(await self.stand.shown())
        if self.stand.removes:
            return len(shown) <= (1 if self.stand.notices else 0)
        return len(shown) == len(before) + (1 if before else 0)


@pytest.fixture
async def opened(
    name: str, settings: PublisherSettings, tmp_path: Path, site_section: SiteSection
) -> AsyncIterator[Opened]:
    folder = tmp_path / "stand"
    folder.mkdir()
    stand = STANDS[name](settings, folder)
    sections = [site_section, *await stand.open()]
    try:
        yield Opened(name, stand, lambda: Publisher(settings, sections, lease=timedelta(seconds=1)))
    finally:
        await stand.close()


@pytest.fixture
async def publisher(opened: Opened) -> AsyncIterator[Publisher]:
    publisher = opened.make()
    await publisher.media.prepare()
    await publisher.start()
    await asyncio.wait_for(publisher.ready(), 30)
    yield publisher
    await publisher.stop()


@pytest.fixture
async def desk(settings: PublisherSettings, publisher: Publisher) -> AsyncIterator[Desk]:
    async with opened_desk(settings) as desk:
        yield desk


async def told(desk: Desk, name: str, event: PublicationEvent) -> list[DeliveryReported]:
    """The channel's reports about one fact, so far."""
    return [
        report
        for report in await desk.heard()
        if report.data.target == name and report.subject == event.subject and report.rank == event.rank
    ]


async def settled(desk: Desk, opened: Opened, event: PublicationEvent) -> DeliveryReported:
    """The channel's last word on one fact; where it can't be asked, that nobody knows is one too."""

    async def last() -> DeliveryReported | None:
        reports = await told(desk, opened.name, event)
        if not reports:
            return None
        outcome = reports[-1].data.outcome
        left_open = outcome is Outcome.UNCONFIRMED and not opened.stand.can_be_asked
        return reports[-1] if outcome.final or left_open else None

    return await eventually(last, within=60)


async def done(desk: Desk, name: str, event: PublicationEvent) -> DeliveryReported:
    """The channel's last word on one fact: a final outcome, or that somebody has to answer first."""

    async def last() -> DeliveryReported | None:
        reports = await told(desk, name, event)
        return reports[-1] if reports and reports[-1].data.outcome is not Outcome.RETRYING else None

    return await eventually(last, within=60)


async def test_what_is_released_corrected_and_withdrawn_is_seen_so(
    opened: Opened, publisher: Publisher, desk: Desk
) -> None:
    first = await opened.first(publisher)
    second = corrected(first, title=NEWER)
    for event, seen in ((fact(first), [TITLE]), (fact(second), opened.after_correction())):
        await desk.emit(event)
        await done(desk, opened.name, event)
        assert await opened.up(*seen), await opened.stand.shown()
    gone = fact(withdrawn(second), Fact.WITHDRAWN)
    await desk.emit(gone)
    report = await done(desk, opened.name, gone)
    assert report.data.outcome is Outcome.REMOVED
    assert await opened.is_gone(opened.after_correction()), await opened.stand.shown()


async def test_a_fact_that_comes_again_changes_nothing(
    opened: Opened, publisher: Publisher, desk: Desk
) -> None:
    first = await opened.first(publisher)
    second = corrected(first, title=NEWER)
    for event in (fact(first), fact(second)):
        await desk.emit(event)
        before = await done(desk, opened.name, event)
        seen = list(await opened.stand.shown())
        await desk.emit(event, event)

        async def repeated(event: PublicationEvent = event) -> bool:
            return len(await told(desk, opened.name, event)) >= 3

        await eventually(repeated)
        reports = await told(desk, opened.name, event)
        assert {report.id for report in reports[-3:]} == {before.id}, "the very same report"
        assert list(await opened.stand.shown()) == seen


async def test_the_newest_fact_wins_in_whatever_order_they_come(opened: Opened) -> None:
    """Redelivered messages overtake each other: a withdrawal its release, a correction what it corrects."""
    process, broker = Process(), Broker()
    publisher = opened.make()
    await publisher.media.prepare()
    try:
        channel = publisher.channels[opened.name]
        await channel.prepare()
        ledger, bus = MortalLedger(publisher.mongo.database, process), MortalBus(broker, process)
        worker = Worker(channel, ledger, bus)
        for number, order in enumerate(itertools.permutations(range(3))):
            title, newer = f"{TITLE} № {number}", f"{NEWER} № {number}"
            first = await opened.first(publisher, title)
            second = corrected(first, title=newer)
            events = [fact(first), fact(second), fact(withdrawn(second), Fact.WITHDRAWN)]
            seen: list[str] = []
            for index in order:
                await until_handled(worker, events[index])
                shown = [text for text in await opened.stand.shown() if title in text or newer in text]
                if WITHDRAWN_LAST not in order[: order.index(index) + 1]:
                    seen = shown
                    assert newer in seen[-1] or index == 0, (order, seen)
            kept = 0 if opened.stand.removes else len(seen)
            notice = opened.stand.notices or (not opened.stand.removes and bool(seen))
            assert len(shown) <= kept + notice, (order, shown)
    finally:
        await publisher.stop()


async def until_handled(worker: Worker, event: PublicationEvent) -> None:
    """Deliver it as the bus would: again, as long as it asks for that."""
    for _ in range(20):
        try:
            await worker.handle(event)
        except Later as later:
            await asyncio.sleep(min(later.after, 0.2))
        else:
            return
    raise AssertionError("never handled")


def with_faults(faults: frozenset[Fault]) -> pytest.MarkDecorator:
    """Run for every channel and each of these faults that its outside world may have."""
    pairs = [
        pytest.param(name, fault, id=f"{name}-{fault.name}")
        for name, stand in STANDS.items()
        for fault in sorted(stand.faults & faults, key=lambda fault: fault.name)
    ]
    return pytest.mark.parametrize(("name", "fault"), pairs, indirect=["name"])


@with_faults(PASSING)
async def test_a_passing_fault_is_waited_out(
    fault: Fault, opened: Opened, publisher: Publisher, desk: Desk
) -> None:
    first = await opened.first(publisher)
    second = corrected(first, title=NEWER)
    gone = withdrawn(second)
    events = (fact(first), fact(second), fact(gone, Fact.WITHDRAWN))
    for event in events:
        opened.stand.script(fault)
        await desk.emit(event)
        report = await settled(desk, opened, event)
        assert report.data.outcome is not Outcome.FAILED, report.data.reason
        if event is events[1]:
            assert await opened.up(*opened.after_correction()), await opened.stand.shown()
    assert await opened.is_gone(opened.after_correction()), await opened.stand.shown()


@with_faults(LOST)
async def test_a_release_in_doubt_is_never_seen_twice(
    fault: Fault, opened: Opened, publisher: Publisher, desk: Desk, settings: PublisherSettings
) -> None:
    first = await opened.first(publisher)
    event = fact(first)
    opened.stand.script(fault)
    await desk.emit(event)
    report = await done(desk, opened.name, event)
    if report.data.outcome is Outcome.UNCONFIRMED:
        await settled_by_whoever_knows(opened, settings, desk, event)
    assert await opened.up(TITLE), await opened.stand.shown()
    gone = fact(withdrawn(first), Fact.WITHDRAWN)
    await desk.emit(gone)
    await done(desk, opened.name, gone)
    assert await opened.is_gone([TITLE]), await opened.stand.shown()


async def settled_by_whoever_knows(
    opened: Opened, settings: PublisherSettings, desk: Desk, event: PublicationEvent
) -> None:
    """The channel finds out by itself, or a person who looks says what is there."""

    async def published() -> bool:
        reports = await told(desk, opened.name, event)
        return bool(reports) and (reports[-1].data.outcome.final or not opened.stand.can_be_asked)

    await eventually(published, within=60)
    if opened.stand.can_be_asked:
        return
    doubts = Doubts(settings)

    async def waits() -> bool:
        return bool(await doubts.lines())

    await eventually(waits)
    remote = await opened.stand.remote_of(TITLE)
    if remote is None:
        assert await doubts.again(opened.name, event.subject)
    else:
        assert await doubts.there(opened.name, event.subject, url=None, remote=json.dumps(remote))

    async def final() -> bool:
        return (await told(desk, opened.name, event))[-1].data.outcome.final

    await eventually(final)


@with_faults(LOST)
async def test_a_correction_or_withdrawal_in_doubt_is_made_until_it_stands(
    fault: Fault, opened: Opened, publisher: Publisher, desk: Desk
) -> None:
    first = await opened.first(publisher)
    second = corrected(first, title=NEWER)
    await desk.emit(fact(first))
    await done(desk, opened.name, fact(first))
    for event in (fact(second), fact(withdrawn(second), Fact.WITHDRAWN)):
        if opened.stand.edits:
            opened.stand.script(fault)
        await desk.emit(event)

        async def final(event: PublicationEvent = event) -> bool:
            reports = await told(desk, opened.name, event)
            return bool(reports) and reports[-1].data.outcome is not Outcome.RETRYING

        await eventually(final, within=60)
        if event.fact is Fact.RELEASED:
            assert await opened.up(*opened.after_correction()), await opened.stand.shown()
    assert await opened.is_gone(opened.after_correction()), await opened.stand.shown()


@with_faults(HALTING)
async def test_a_channel_that_needs_an_operator_keeps_what_comes(
    fault: Fault, opened: Opened, publisher: Publisher, desk: Desk
) -> None:
    first = await opened.first(publisher)
    opened.stand.script(fault)
    event = fact(first)
    await desk.emit(event)

    async def halted() -> bool:
        return await publisher.keepers[opened.name].health() is not None

    await eventually(halted)
    await publisher.controls.resume(opened.name)
    report = await done(desk, opened.name, event)
    assert report.data.outcome is not Outcome.FAILED, report.data.reason
    assert await opened.up(TITLE), await opened.stand.shown()


@with_faults(frozenset({Fault.REFUSED}))
async def test_content_that_is_refused_is_parked_with_the_reason(
    fault: Fault, opened: Opened, publisher: Publisher, desk: Desk
) -> None:
    event = fact(await opened.first(publisher))
    opened.stand.script(fault)
    await desk.emit(event)
    report = await done(desk, opened.name, event)
    assert report.data.outcome is Outcome.FAILED
    assert report.data.reason is not None
    assert "потрібне рішення людини" in report.data.reason
    assert await opened.up(), await opened.stand.shown()


async def test_a_process_that_dies_at_any_step_leaves_nothing_twice(
    opened: Opened, settings: PublisherSettings
) -> None:
    """Before and after each write to the ledger and each report; then another process goes on."""
    publisher = opened.make()
    await publisher.media.prepare()
    try:
        for cut in itertools.count():
            title, newer = f"{TITLE} № {cut:03d}", f"{NEWER} № {cut:03d}"
            first = await opened.first(publisher, title)
            second = corrected(first, title=newer)
            lived = await handled(publisher, opened, [fact(first), fact(second)], cut)
            seen = [text for text in await opened.stand.shown() if title in text or newer in text]
            assert len(seen) == len(opened.after_correction()), (cut, seen)
            assert newer in seen[-1], cut
            lived &= await handled(publisher, opened, [fact(withdrawn(second), Fact.WITHDRAWN)], cut)
            left = [text for text in await opened.stand.shown() if title in text or newer in text]
            assert len(left) <= (len(seen) + 1 if not opened.stand.removes else opened.stand.notices), cut
            if lived:
                return
    finally:
        await publisher.stop()


async def handled(publisher: Publisher, opened: Opened, events: list[PublicationEvent], cut: int) -> bool:
    """Handle events in a process that dies at its `cut`-th step, then in one that lives; whether it lived."""
    broker, process, lived = Broker(), Process(cut), True
    channel = publisher.channels[opened.name]
    await channel.prepare()
    waiting = list(events)
    while waiting:
        bus = MortalBus(broker, process)
        worker = Worker(channel, MortalLedger(publisher.mongo.database, process), bus)
        try:
            await until_handled(worker, waiting[0])
        except Died:
            lived, process = False, Process()
        else:
            if await settled_by_a_look(publisher, opened, waiting[0]):
                continue
            waiting.pop(0)
    return lived


async def settled_by_a_look(publisher: Publisher, opened: Opened, event: PublicationEvent) -> bool:
    """Have a person look where the channel can't be asked; whether there was something in doubt."""
    if opened.stand.can_be_asked:
        return False
    async with waited_for(publisher.ledger, opened.name, event.subject) as (owner, entry):
        if not (entry.in_doubt or entry.perhaps_gone):
            return False
        remote = await opened.stand.remote_of(event.data.content.title)
        posted = None if remote is None else Posted(remote=remote)
        await publisher.ledger.keep(opened.name, event.subject, owner, looked_up(entry, posted))
        return True
