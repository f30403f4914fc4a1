"""What is due on a channel, against a plain model: whatever comes, in whatever order, cut off wherever."""

import os
from dataclasses import dataclass, field
from enum import Enum, auto

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.publisher.channels.interface import Posted
from services.publisher.decisions import (
    Entry,
    Lease,
    LookUp,
    Nothing,
    Order,
    Publish,
    Remember,
    Repeat,
    Skip,
    Update,
    Wait,
    Withdraw,
    begun,
    decide,
    failed,
    looked_up,
    outcome_of,
    recorded,
    unconfirmed,
)
from shared.events import Outcome
from shared.publication import Fact, rank_of

OWNER = "me"
HELD = {"lease": Lease.model_validate({"owner": OWNER, "until": "2026-11-22T12:00:00Z"})}


def released(revision: int, *, targeted: bool = True, refusal: str | None = None) -> Order:
    return Order(
        rank=rank_of(revision, Fact.RELEASED),
        withdrawn=False,
        targeted=targeted,
        was_released=True,
        refusal=refusal,
    )


def withdrawal(revision: int, *, targeted: bool = True, was_released: bool = True) -> Order:
    return Order(
        rank=rank_of(revision, Fact.WITHDRAWN), withdrawn=True, targeted=targeted, was_released=was_released
    )


@dataclass
class Post:
    """One post as people see it on the channel."""

    id: int
    says: int
    """The rank of the fact it shows."""


class Again(Exception):
    """The attempt ended without an outcome: the message comes again."""


class Fault(Enum):
    """What a call does instead of answering."""

    NONE = auto()
    REFUSED = auto()
    """No effect, and the channel says so."""
    LOST = auto()
    """No effect, and no answer."""
    SILENT = auto()
    """It took effect, and no answer."""


@dataclass
class World:
    """A channel, the ledger, and a worker that may die between any two steps."""

    repeatable: bool
    entry: Entry = field(default_factory=Entry)
    posts: list[Post] = field(default_factory=list)
    made: int = 0
    told: list[tuple[int, Outcome, bytes]] = field(default_factory=list)
    """What was reported: rank, outcome, the report's identity."""
    cut: list[bool] = field(default_factory=list)
    """Whether to die at each coming step; past its end nobody dies."""
    faults: list[Fault] = field(default_factory=list)
    """What goes wrong with each coming call; past its end all is well."""

    def step(self) -> None:
        if self.cut and self.cut.pop(0):
            raise Again

    def handle(self, order: Order) -> None:
        """What `Turn` does, without its servers: each write and call may be the last."""
        entry = self.entry
        action = decide(entry, order, owner=OWNER, repeatable=self.repeatable)
        if isinstance(action, LookUp):
            found = Posted(remote={"id": self.posts[0].id}) if self.posts else None
            self.step()
            entry = looked_up(entry, found)
            action = decide(entry, order, owner=OWNER, repeatable=self.repeatable)
        if isinstance(action, Nothing):
            return
        if isinstance(action, Repeat):
            self.tell(order, None, action.delivery)
            return
        if isinstance(action, Remember):
            self.entry = recorded(entry, order, action, None)
            return
        left: Posted | None = None
        if isinstance(action, Skip):
            outcome: Outcome = Outcome.SKIPPED
        else:
            assert isinstance(action, Publish | Update | Withdraw)
            self.step()
            self.entry = entry = begun(entry, order, action, b"event")
            self.step()
            left = self.faulty_call(action, order)
            self.step()
            outcome, _ = outcome_of(entry, action, left)
        delivery = f"{order.rank} {outcome}".encode()
        self.entry = recorded(entry, order, action, left).model_copy(update={"delivery": delivery})
        self.step()
        self.tell(order, outcome, delivery)

    def faulty_call(self, action: Publish | Update | Withdraw, order: Order) -> Posted | None:
        fault = self.faults.pop(0) if self.faults else Fault.NONE
        if fault is Fault.NONE:
            return self.call(action, order)
        if fault is Fault.SILENT:
            self.call(action, order)
        self.entry = failed(self.entry) if fault is Fault.REFUSED else unconfirmed(self.entry, None)
        raise Again

    def call(self, action: Publish | Update | Withdraw, order: Order) -> Posted | None:
        if isinstance(action, Withdraw):
            gone = action.posted.remote["id"] if action.posted else None
            self.posts = [] if self.repeatable else [post for post in self.posts if post.id != gone]
            return None
        if isinstance(action, Update) or (self.repeatable and self.posts):
            post = self.posts[0]
            post.says = order.rank
        else:
            self.made += 1
            post = Post(self.made, order.rank)
            self.posts.append(post)
        return Posted(remote={"id": post.id})

    def tell(self, order: Order, outcome: Outcome | None, delivery: bytes) -> None:
        self.told.append((order.rank, outcome or Outcome(delivery.split()[1].decode()), delivery))


@st.composite
def histories(draw: st.DrawFn) -> list[Order]:
    """The facts of one publication, as ingest decides them."""
    revisions = draw(st.integers(1, 4))
    orders = [
        released(
            revision,
            targeted=draw(st.sampled_from((True, True, True, False))),
            refusal=draw(st.sampled_from((None, None, None, "задовге"))),
        )
        for revision in range(1, revisions + 1)
    ]
    if draw(st.booleans()):
        orders.append(withdrawal(revisions, targeted=draw(st.booleans())))
    return orders


@settings(max_examples=20_000 if os.environ.get("SOAK") else 300, deadline=None)
@given(
    histories(),
    st.data(),
    st.booleans(),
    st.lists(st.booleans(), max_size=25),
    st.lists(st.sampled_from(Fault), max_size=8),
)
def test_the_newest_fact_stands_once_whatever_happens(
    history: list[Order], data: st.DataObject, repeatable: bool, cut: list[bool], faults: list[Fault]
) -> None:
    """Duplicates, any order, crashes, calls that fail or never answer: one post at most, the newest."""
    waiting = [order for order in history for _ in range(data.draw(st.integers(1, 2)))]
    world = World(repeatable, cut=cut, faults=faults)
    while waiting:
        order = waiting.pop(data.draw(st.integers(0, len(waiting) - 1)))
        try:
            world.handle(order)
        except Again:
            waiting.append(order)
        assert len(world.posts) <= 1, "posted twice"
        if world.entry.rank == history[-1].rank:
            assert all(post.says == history[-1].rank for post in world.posts)

    last = history[-1]
    if last.withdrawn or last.refusal is not None:
        assert world.posts == []
    elif last.targeted:
        assert [post.says for post in world.posts] == [last.rank]
    else:
        assert all(post.says == last.rank for post in world.posts)
    told_last = [(outcome, delivery) for rank, outcome, delivery in world.told if rank == last.rank]
    if last.targeted:
        assert told_last, "the receipt waits for the newest fact"
    assert len(set(told_last)) <= 1, "a redelivery must send the same report again"


@given(st.permutations([released(1), released(2), withdrawal(2)]), st.booleans())
def test_every_order_of_release_correction_and_withdrawal_ends_with_nothing_up(
    orders: list[Order], repeatable: bool
) -> None:
    world = World(repeatable)
    for order in orders:
        world.handle(order)
    assert world.posts == []
    assert world.entry.rank == rank_of(2, Fact.WITHDRAWN)


@given(st.permutations([released(1), released(2), released(3)]))
def test_an_older_revision_never_overwrites_a_newer_one(orders: list[Order]) -> None:
    world = World(repeatable=False)
    highest = 0
    for order in orders:
        world.handle(order)
        highest = max(highest, order.rank)
        assert [post.says for post in world.posts] == [highest]


@given(st.booleans())
@example(repeatable=False)
def test_what_was_never_public_is_skipped_with_its_reason(repeatable: bool) -> None:
    action = decide(Entry(), withdrawal(1, was_released=False), owner=OWNER, repeatable=repeatable)
    assert isinstance(action, Skip)
    assert action.reason.startswith("Відкликано до оприлюднення")


def test_a_channel_that_is_no_target_does_nothing_but_remembers_what_could_be_overtaken() -> None:
    first = decide(Entry(), released(1, targeted=False), owner=OWNER, repeatable=True)
    assert first == Nothing()
    second = decide(Entry(), released(2, targeted=False), owner=OWNER, repeatable=True)
    assert second == Remember()
    entry = recorded(Entry(), released(2, targeted=False), Remember(), None)
    assert decide(entry, released(1), owner=OWNER, repeatable=True) == Nothing()


def test_what_was_posted_is_corrected_and_withdrawn_even_where_it_is_no_target_any_more() -> None:
    posted = Posted(remote={"id": 1})
    entry = recorded(Entry(), released(1), Publish(), posted)
    assert decide(entry, released(2, targeted=False), owner=OWNER, repeatable=False) == Update(posted)
    assert decide(entry, withdrawal(1, targeted=False), owner=OWNER, repeatable=False) == Withdraw(posted)


def test_the_lease_of_another_is_waited_for() -> None:
    held = Entry.model_validate(HELD)
    assert decide(held, released(1), owner="another", repeatable=True) == Wait()
    assert decide(held, released(1), owner=OWNER, repeatable=True) == Publish()


def test_a_call_in_doubt_is_looked_up_unless_it_may_be_repeated() -> None:
    calling = begun(Entry(), released(1), Publish(), b"event")
    assert decide(calling, released(1), owner=OWNER, repeatable=False) == LookUp()
    assert decide(calling, released(1), owner=OWNER, repeatable=True) == Publish()
    doubtful = unconfirmed(calling, None)
    assert decide(doubtful, withdrawal(1), owner=OWNER, repeatable=False) == LookUp()


def test_a_call_that_certainly_failed_is_made_again_and_still_holds_back_what_is_older() -> None:
    refused = failed(begun(Entry(), released(2), Publish(), b"event"))
    assert decide(refused, released(2), owner=OWNER, repeatable=False) == Publish()
    assert decide(refused, released(1), owner=OWNER, repeatable=False) == Nothing()


def test_what_a_call_remembered_is_there_for_its_next_try() -> None:
    calling = begun(Entry(), released(1), Publish(), b"event")
    assert calling.call is not None
    uploading = calling.model_copy(
        update={"call": calling.call.model_copy(update={"remembered": {"upload": "address"}})}
    )
    again = begun(looked_up(uploading, None), released(2), Publish(), b"event")
    assert again.call is not None
    assert again.call.remembered == {"upload": "address"}
    edit = begun(uploading, released(3), Update(Posted()), b"event")
    assert edit.call is not None
    assert edit.call.remembered == {}


def test_a_doubt_on_a_repeatable_channel_outlives_a_failed_withdrawal() -> None:
    """Nobody looks there, so that only a withdrawal that worked ends the doubt."""
    calling = begun(Entry(), released(1), Publish(), b"event")
    refused = released(2, refusal="задовге")
    step = decide(calling, refused, owner=OWNER, repeatable=True)
    assert isinstance(step, Withdraw)
    tried = failed(begun(calling, refused, step, b"event"))
    assert isinstance(decide(tried, refused, owner=OWNER, repeatable=True), Withdraw)


def test_an_outcome_still_awaited_is_unconfirmed_with_what_is_awaited() -> None:
    left = Posted(awaiting="Чекаємо на відповідь редакції.")
    outcome = outcome_of(Entry(), Publish(), left)
    assert outcome == (Outcome.UNCONFIRMED, "Чекаємо на відповідь редакції.")


def test_what_may_have_been_taken_down_is_not_edited_before_someone_looked() -> None:
    """A revision that the channel refused took it down, perhaps; the next one puts it up again."""
    posted = Posted(remote={"id": 1})
    up = recorded(Entry(), released(1), Publish(), posted)
    refused = released(2, refusal="задовге")
    step = decide(up, refused, owner=OWNER, repeatable=False)
    assert step == Withdraw(posted, "задовге")
    calling = begun(up, refused, step, b"event")
    assert decide(calling, refused, owner=OWNER, repeatable=False) == step, "a withdrawal may be repeated"
    assert decide(calling, released(3), owner=OWNER, repeatable=False) == LookUp()
    assert decide(calling, released(3), owner=OWNER, repeatable=True) == Publish()
    gone = looked_up(calling, None)
    assert decide(gone, released(3), owner=OWNER, repeatable=False) == Publish()
    still_there = looked_up(calling, posted)
    assert decide(still_there, released(3), owner=OWNER, repeatable=False) == Update(posted)
