"""When a receipt is complete, and which report stands: boundaries, and any order of arrival."""

import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.archive.precedence import State, is_public, place_of_fact, place_of_report, state_of
from services.archive.receipt import Latest, complete, expected, in_order, standing, troubled, waiting
from services.archive.record import Record
from shared.events import Delivery, DeliveryReported, Outcome, PublicationEvent, now
from shared.publication import Fact, rank_of
from tests.samples import corrected, delivery, fact, publication, withdrawn

PUBLICATION = publication()
TERMINAL = (Outcome.PUBLISHED, Outcome.UPDATED, Outcome.REMOVED, Outcome.SKIPPED, Outcome.FAILED)
PASSING = (Outcome.RETRYING, Outcome.UNCONFIRMED)


def latest(
    state: State = State.RELEASED,
    what: Fact = Fact.RELEASED,
    revision: int = 1,
    targets: tuple[str, ...] = ("site", "mail"),
) -> Latest:
    return Latest(state, rank_of(revision, what), targets)


def report(target: str, outcome: Outcome = Outcome.PUBLISHED, **fields: object) -> Delivery:
    return delivery(PUBLICATION, target, outcome, **fields).data


def reports(*given: Delivery) -> dict[str, Delivery]:
    return {one.target: one for one in given}


@pytest.mark.parametrize("outcome", TERMINAL)
def test_complete_when_every_target_has_a_final_outcome(outcome: Outcome) -> None:
    assert complete(latest(), reports(report("site"), report("mail", outcome)))


@pytest.mark.parametrize("outcome", PASSING)
def test_not_complete_while_an_outcome_is_not_final(outcome: Outcome) -> None:
    given = reports(report("site"), report("mail", outcome))
    assert not complete(latest(), given)
    assert waiting(latest(), given) == ()


def test_not_complete_while_a_target_says_nothing() -> None:
    given = reports(report("site"))
    assert not complete(latest(), given)
    assert waiting(latest(), given) == ("mail",)


def test_nothing_reported_yet() -> None:
    assert not complete(latest(), {})
    assert waiting(latest(), {}) == ("site", "mail")


def test_without_targets_the_decision_itself_completes() -> None:
    assert complete(latest(targets=()), {})
    assert not complete(latest(State.SCHEDULED, Fact.SCHEDULED, targets=()), {})


def test_a_report_of_an_earlier_revision_is_not_enough() -> None:
    given = reports(report("site"), report("mail", revision=2))
    assert not complete(latest(revision=2), given)
    assert waiting(latest(revision=2), given) == ("site",)


def test_a_report_of_the_release_is_not_enough_for_the_withdrawal() -> None:
    taken_back = latest(State.WITHDRAWN, Fact.WITHDRAWN)
    given = reports(report("site", Outcome.REMOVED, fact=Fact.WITHDRAWN), report("mail"))
    assert not complete(taken_back, given)
    given["mail"] = report("mail", Outcome.SKIPPED, fact=Fact.WITHDRAWN)
    assert complete(taken_back, given)


def test_a_report_of_a_fact_yet_unknown_here_means_that_more_comes() -> None:
    """The report of revision 2 overtook its event: revision 1 is not the end."""
    given = reports(report("site", revision=2), report("mail", revision=2))
    assert not complete(latest(revision=1), given)


@pytest.mark.parametrize(
    ("state", "what"), [(State.SCHEDULED, Fact.SCHEDULED), (State.EMBARGOED, Fact.ADVANCE)]
)
def test_what_waits_for_its_hour_is_never_complete(state: State, what: Fact) -> None:
    before = latest(state, what, targets=("site", "mail", "advance"))
    given = reports(*(report(target, fact=what) for target in before.targets))
    assert not complete(before, given)


def test_mails_in_advance_are_waited_for_under_embargo_and_not_after() -> None:
    targets = ("site", "mail", "advance")
    embargoed = latest(State.EMBARGOED, Fact.ADVANCE, targets=targets)
    assert waiting(embargoed, {}) == targets
    assert waiting(embargoed, reports(report("advance", fact=Fact.ADVANCE))) == ("site", "mail")
    released = latest(targets=targets)
    given = reports(report("site"), report("mail"), report("advance", Outcome.RETRYING, fact=Fact.ADVANCE))
    assert complete(released, given)


def test_digests_are_not_waited_for() -> None:
    assert expected(latest(targets=("site", "digest"))) == ("site",)
    given = reports(report("site"), report("digest", Outcome.RETRYING))
    assert complete(latest(targets=("site", "digest")), given)


def test_a_target_beyond_the_list_is_shown_and_not_waited_for() -> None:
    given = reports(report("telegram", Outcome.RETRYING), report("mail"), report("site"))
    assert complete(latest(), given)
    assert [one.target for one in in_order(latest(), given)] == ["site", "mail", "telegram"]


def test_a_target_named_twice_is_one() -> None:
    assert expected(latest(targets=("site", "site"))) == ("site",)


def test_trouble_is_a_failure_a_doubt_or_a_refused_mail() -> None:
    assert troubled(report("site", Outcome.FAILED))
    assert troubled(report("site", Outcome.UNCONFIRMED, in_doubt=True))
    assert not troubled(report("newspaper", Outcome.UNCONFIRMED)), "an editor answers in days"
    assert troubled(report("mail", recipients=3, failed=1))
    assert not troubled(report("mail", recipients=3, failed=0))
    assert not troubled(report("site", Outcome.RETRYING))


AT = now()
LATER = AT + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("stands", "falls"),
    [
        ((2, Fact.RELEASED, Outcome.RETRYING, AT), (1, Fact.RELEASED, Outcome.PUBLISHED, LATER)),
        ((1, Fact.WITHDRAWN, Outcome.RETRYING, AT), (1, Fact.RELEASED, Outcome.PUBLISHED, LATER)),
        ((1, Fact.RELEASED, Outcome.PUBLISHED, AT), (1, Fact.RELEASED, Outcome.RETRYING, LATER)),
        ((1, Fact.RELEASED, Outcome.FAILED, AT), (1, Fact.RELEASED, Outcome.UNCONFIRMED, LATER)),
        ((1, Fact.RELEASED, Outcome.PUBLISHED, LATER), (1, Fact.RELEASED, Outcome.FAILED, AT)),
        ((1, Fact.RELEASED, Outcome.RETRYING, LATER), (1, Fact.RELEASED, Outcome.RETRYING, AT)),
        ((10, Fact.RELEASED, Outcome.PUBLISHED, AT), (9, Fact.RELEASED, Outcome.PUBLISHED, LATER)),
        ((1_000, Fact.SCHEDULED, Outcome.RETRYING, AT), (999, Fact.WITHDRAWN, Outcome.REMOVED, LATER)),
    ],
    ids=[
        "higher revision",
        "higher fact",
        "final before passing",
        "failed is final, doubt is not",
        "later final",
        "later attempt",
        "tens are above nines",
        "thousands are above hundreds",
    ],
)
def test_of_two_reports_one_stands(
    stands: tuple[int, Fact, Outcome, object], falls: tuple[int, Fact, Outcome, object]
) -> None:
    def made(of: tuple[int, Fact, Outcome, object]) -> DeliveryReported:
        revision, what, outcome, at = of
        return delivery(PUBLICATION, "site", outcome, revision=revision, fact=what, at=at)

    higher, lower = made(stands), made(falls)
    assert place_of_report(lower) < place_of_report(higher)
    assert standing([lower, higher]) == standing([higher, lower]) == {"site": higher.data}


def test_facts_are_placed_by_rank() -> None:
    first = publication()
    facts = [
        fact(first, Fact.SCHEDULED),
        fact(first, Fact.ADVANCE),
        fact(first),
        fact(withdrawn(first), Fact.WITHDRAWN),
        fact(corrected(first)),
    ]
    places = [place_of_fact(event) for event in facts]
    assert places == sorted(places)


@pytest.mark.parametrize("what", list(Fact))
def test_only_what_has_been_released_is_for_everyone(what: Fact) -> None:
    never = publication(released_at=None)
    assert not is_public(never, state_of(what))
    assert is_public(publication(), state_of(what)) is (what in (Fact.RELEASED, Fact.WITHDRAWN))


@st.composite
def life(draw: st.DrawFn) -> list[PublicationEvent | DeliveryReported]:
    """Events that ingest and the targets could make about one publication."""
    current = publication(released_at=None)
    events: list[PublicationEvent | DeliveryReported] = []
    if draw(st.booleans()):
        events.append(fact(current, draw(st.sampled_from([Fact.SCHEDULED, Fact.ADVANCE]))))
    current = current.model_copy(update={"released_at": now()})
    events.append(fact(current))
    for _ in range(draw(st.integers(0, 3))):
        current = corrected(current, title=draw(st.sampled_from(["Перший", "Другий", "Третій"])))
        events.append(fact(current))
    if draw(st.booleans()):
        current = withdrawn(current)
        events.append(fact(current, Fact.WITHDRAWN))
    for _ in range(draw(st.integers(0, 12))):
        about = draw(st.sampled_from([event for event in events if not isinstance(event, DeliveryReported)]))
        events.append(
            delivery(
                about.data,
                draw(st.sampled_from(["site", "mail", "digest"])),
                draw(st.sampled_from(list(Outcome))),
                fact=about.fact,
                at=AT + timedelta(milliseconds=draw(st.integers(0, 3))),
            )
        )
    return events


@given(life(), st.data())
def test_any_order_and_repetition_give_the_same_record(
    events: list[PublicationEvent | DeliveryReported], data: st.DataObject
) -> None:
    """State, receipt, revisions and timeline: as if each event had come once and in order."""
    arrivals = events + data.draw(st.lists(st.sampled_from(events), max_size=20))
    data.draw(st.randoms(use_true_random=False)).shuffle(arrivals)
    expected_record, record = Record.of(events), Record.of(arrivals)
    assert record is not None
    assert expected_record is not None
    page = "https://archive.example/receipts/1"
    assert record.state is expected_record.state
    assert record.publication == expected_record.publication
    assert record.receipt(page) == expected_record.receipt(page)
    assert record.revisions() == expected_record.revisions()


@given(life(), st.randoms(use_true_random=False))
def test_the_state_only_moves_up(
    events: list[PublicationEvent | DeliveryReported], chance: random.Random
) -> None:
    """However they arrive, the fact that stands never gives way to one of a lower rank."""
    chance.shuffle(events)
    ranks = [
        record.latest.rank
        for count in range(1, len(events) + 1)
        if (record := Record.of(events[:count])) is not None
    ]
    assert ranks == sorted(ranks)


def test_reports_alone_are_no_record() -> None:
    assert Record.of([delivery(PUBLICATION, "site", Outcome.PUBLISHED)]) is None
    assert Record.of([]) is None


def test_revisions_carry_what_they_changed() -> None:
    first = publication()
    second = corrected(first, title="Уточнена назва")
    record = Record.of([fact(second), fact(first)])
    assert record is not None
    original, correction = record.revisions()
    assert (original.revision, original.title, original.change) == (1, first.content.title, None)
    assert original.at == first.accepted_at
    assert (correction.revision, correction.title) == (2, "Уточнена назва")
    assert correction.change is not None
    assert correction.change.note == "Уточнено час."


def test_a_revision_before_the_release_is_no_correction() -> None:
    first = publication(released_at=None)
    second = first.model_copy(update={"revision": 2, "released_at": now()})
    record = Record.of([fact(first, Fact.SCHEDULED), fact(second)])
    assert record is not None
    assert [revision.change for revision in record.revisions()] == [None, None]


def test_a_withdrawal_that_came_alone_still_tells_when_its_revision_was_made() -> None:
    first = publication(submitted_at=AT - timedelta(hours=2), accepted_at=AT - timedelta(hours=2))
    alone = Record.of([fact(withdrawn(first), Fact.WITHDRAWN)])
    assert alone is not None
    assert [revision.at for revision in alone.revisions()] == [first.submitted_at]
    second = corrected(first)
    late = Record.of([fact(withdrawn(second), Fact.WITHDRAWN)])
    assert late is not None
    assert [revision.at for revision in late.revisions()] == [second.corrections[0].at]


def test_the_timeline_tells_decisions_before_their_outcomes() -> None:
    first = publication()
    released = fact(first).model_copy(update={"time": AT})
    published = delivery(first, "site", Outcome.PUBLISHED, at=AT, url="https://rada.example/1")
    retried = delivery(
        first, "mail", Outcome.RETRYING, at=LATER, attempt=1, reason="Поштовий сервер зайнятий."
    )
    record = Record.of([retried, published, released])
    assert record is not None
    decided, shown, again = record.timeline()
    assert (decided.fact, decided.target) == (Fact.RELEASED, None)
    assert (shown.target, shown.url) == ("site", "https://rada.example/1")
    assert (again.outcome, again.attempt, again.reason) == (Outcome.RETRYING, 1, "Поштовий сервер зайнятий.")
