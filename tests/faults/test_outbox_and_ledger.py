"""From a department's request to what people see on a channel, through processes that die at any step.

Ingest's desk, outbox and relay and the publisher's worker and ledger are the real ones, on a real database;
the broker and the channel are in the test's hands. What comes of it must be what a plain model says.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.publisher.ledger import Ledger
from services.publisher.worker import Worker
from shared.bus import Later
from shared.events import DeliveryReported, Outcome, PublicationEvent
from shared.mongo import Mongo
from shared.publication import Fact
from tests.faults.conftest import SOAK
from tests.faults.mortal import (
    Broker,
    Clock,
    Died,
    MortalBus,
    MortalLedger,
    Process,
    Screen,
    ScreenChannel,
    Trouble,
)
from tests.faults.office import Kept, Office, Operation, Revise, Submit, Switch, Wait, Withdraw

EXAMPLES = 1_000 if SOAK else 40
DATABASE = "test_outbox_and_ledger"


@dataclass(frozen=True)
class Plan:
    """All that is to happen in one example."""

    operations: Sequence[tuple[Operation, int | None, bool]]
    """What is done, at which of its steps the process dies, and whether the department asks twice."""
    broker: Sequence[Trouble | None]
    """What becomes of each publish; past its end all is well."""
    screen: Sequence[Trouble | None]
    """The same of each call of the channel."""
    order: Sequence[tuple[int, bool, int | None]]
    """Which message comes next, whether it comes again later, and where its process dies."""
    at_once: int
    """Messages handled at the same time while nobody dies."""


HOUR = st.none() | st.integers(-1, 4)
CUT = st.none() | st.integers(0, 8)
TROUBLES = st.lists(st.none() | st.sampled_from(Trouble), min_size=8, max_size=8)
WHICH = st.integers(0, 5)
CHANGES: st.SearchStrategy[Operation] = st.one_of(
    st.builds(Submit, HOUR, st.booleans()),
    st.builds(Revise, WHICH, HOUR, st.booleans(), st.booleans()),
    st.builds(Revise, WHICH, HOUR, st.booleans(), st.just(value=False)),
    st.builds(Revise, WHICH, st.none(), st.just(value=False), st.just(value=False)),
    st.builds(Withdraw, WHICH),
    st.builds(Wait, st.integers(0, 4)),
    st.builds(Wait, st.integers(0, 1)),
    st.builds(Switch, st.booleans()),
)


def steps(
    operations: st.SearchStrategy[Operation], count: int
) -> st.SearchStrategy[list[tuple[Operation, int | None, bool]]]:
    return st.lists(st.tuples(operations, CUT, st.booleans()), min_size=count, max_size=count)


def messages(cut: st.SearchStrategy[int | None]) -> st.SearchStrategy[list[tuple[int, bool, int | None]]]:
    return st.lists(st.tuples(st.integers(0, 50), st.booleans(), cut), min_size=10, max_size=10)


# Of fixed lengths: Hypothesis likes lists so short that nothing happens in them.
PLANS = st.builds(
    Plan,
    operations=st.tuples(steps(st.builds(Submit, HOUR, st.booleans()), 3), steps(CHANGES, 9)).map(
        lambda parts: [*parts[0], *parts[1]]
    ),
    broker=TROUBLES,
    screen=TROUBLES | st.just([]),
    order=messages(CUT) | messages(st.none()),
    at_once=st.integers(1, 3),
)


async def deliver(mongo: Mongo, plan: Plan, broker: Broker, screen: Screen) -> int:
    """Bring what was emitted to the channel, out of order and more than once; return how many died of it."""
    waiting = [event for event in broker.events if event.fact in (Fact.RELEASED, Fact.WITHDRAWN)]
    order = deque(plan.order)
    died = 0

    async def handle(event: PublicationEvent, cut: int | None) -> None:
        nonlocal died
        process = Process(cut)
        worker = Worker(
            ScreenChannel(screen, process),
            MortalLedger(mongo.database, process),
            MortalBus(broker, process),
        )
        try:
            await worker.handle(event)
        except (Died, Later):
            died += process.dead
            waiting.append(event)

    while waiting:
        place, again, cut = order.popleft() if order else (0, False, None)
        place %= len(waiting)
        taken = waiting[place : place + (plan.at_once if cut is None else 1)]
        del waiting[place : place + len(taken)]
        await asyncio.gather(*(handle(event, cut) for event in taken))
        waiting += taken[:1] if again else []
    return died


def check_emitted(kept: Kept, broker: Broker) -> None:
    """Everything that was decided is on the bus, each fact as one event, however often it came."""
    events = {event.id: event for event in broker.events if event.subject == kept.id}
    told = sorted(events.values(), key=lambda event: event.rank)
    assert [(str(event.fact), event.data.revision) for event in told] == kept.life.said
    assert all(len(broker.bodies[event.id]) == 1 for event in told)
    facts = [event.fact for event in told]
    assert [event.data.was_released for event in told] == [
        Fact.RELEASED in facts[: place + 1] for place in range(len(facts))
    ]
    assert [event.data.content.title for event in told] == [
        kept.titles[event.data.revision] for event in told
    ]


def check_shown(kept: Kept, broker: Broker, screen: Screen, *, calm: bool) -> None:
    """The channel shows what stands, made once; the receipt was told of it by one report."""
    life = kept.life
    shown = life.public_since is not None and not life.taken_back
    assert screen.of(kept.id) == ([kept.titles[life.revision]] if shown else [])
    assert screen.put_up(kept.id) <= 1
    done = {what: times for what, times in screen.effects.items() if what[0] == kept.id}
    assert not calm or set(done.values()) <= {1}
    assert not calm or not screen.looked_up, "there was no doubt"
    reports = [report for report in broker.reports if report.subject == kept.id]
    assert all(len(broker.bodies[report.id]) == 1 for report in reports)
    of_rank: dict[int, set[UUID]] = {}
    for report in reports:
        of_rank.setdefault(report.rank, set()).add(report.id)
    assert all(len(ids) == 1 for ids in of_rank.values()), "one outcome, one report"
    if life.public_since is not None or life.taken_back:
        assert reports, "the receipt waits"
        last: DeliveryReported = max(reports, key=lambda report: report.rank)
        assert (str(last.data.fact), last.data.revision) == life.said[-1]
        assert last.data.outcome in (
            (Outcome.REMOVED, Outcome.SKIPPED) if life.taken_back else (Outcome.PUBLISHED, Outcome.UPDATED)
        )


async def play(plan: Plan, mongo: Mongo, clock: Clock) -> None:
    """Carry the plan out on an empty database, and compare."""
    await mongo.database.client.drop_database(DATABASE)
    await Ledger(mongo.database).prepare()
    broker = Broker(troubles=deque(plan.broker))
    office = Office(mongo, clock, broker)
    await office.start()
    for operation, cut, twice in plan.operations:
        await office.do(operation, cut, twice=twice)
    await office.emit_all()
    for kept in office.kept:
        check_emitted(kept, broker)
    screen = Screen(troubles=deque(plan.screen))
    died = await deliver(mongo, plan, broker, screen)
    calm = not died and not any(plan.screen)
    for kept in office.kept:
        check_shown(kept, broker, screen, calm=calm)


@pytest.mark.timeout(3600 if SOAK else 180)
def test_what_people_see_is_what_the_department_said_last(
    mongo_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random submissions, revisions, withdrawals, repeats and hours; crashes, outages, copies, any order."""
    clock = Clock()
    for module in ("store", "desk", "emission"):
        monkeypatch.setattr(f"services.ingest.{module}.now", clock)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=not SOAK,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(PLANS)
    def run(plan: Plan) -> None:
        runner.run(play(plan, mongo, clock))

    with asyncio.Runner() as runner:
        mongo = runner.run(_connected(mongo_url))
        try:
            run()
        finally:
            mongo.close()


async def _connected(url: str) -> Mongo:
    return Mongo(url, DATABASE)
