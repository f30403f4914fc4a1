"""Random lives of publications, decided by ingest and by a plain model; they must agree all along."""

import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from services.ingest.reading import CONTENT
from services.ingest.submissions import Refused, State, Step, accept, release, revise, withdraw
from shared.events import PublicationEvent, new_id, now
from shared.publication import Change, Significance
from tests.samples import TRANSPORT, submission

CHANNELS = ("site", "telegram")
HOURS = st.none() | st.integers(-2, 6)
"""Hours from now on; None for no hour."""
EMBARGO = st.booleans()


@dataclass
class Life:
    """A publication as somebody would keep it on paper: the hour that counts, and what was said of it."""

    revision: int = 1
    public_since: datetime | None = None
    hour: datetime | None = None
    hour_ends_embargo: bool = False
    waits: bool = False
    taken_back: bool = False
    corrections: list[int] = field(default_factory=list)
    said: list[tuple[str, int]] = field(default_factory=list)
    in_advance: bool = False

    def decide(self, at: datetime, hour: datetime | None, *, embargo: bool) -> None:
        """An hour to come is waited for; all else is public now. An hour left out stays as it was."""
        if hour is not None:
            self.hour, self.hour_ends_embargo = hour, embargo
        self.waits = self.hour is not None and self.hour > at
        if not self.waits:
            self.come_out(at)
        elif self.hour_ends_embargo:
            self.in_advance = True
            self.said.append(("advance", self.revision))
        else:
            self.said.append(("scheduled", self.revision))

    def come_out(self, at: datetime) -> None:
        """Public from now on."""
        self.waits = False
        self.public_since = self.public_since or at
        self.said.append(("released", self.revision))

    @property
    def state(self) -> State:
        """The word for it."""
        if self.taken_back:
            return State.WITHDRAWN
        if not self.waits:
            return State.RELEASED
        return State.EMBARGOED if self.hour_ends_embargo else State.SCHEDULED

    def may_name(self, hour: datetime | None, *, embargo: bool) -> bool:
        """Whether a revision of what is public may come with this hour."""
        return hour is None or (hour, embargo) == (self.hour, self.hour_ends_embargo)


@dataclass
class Pair:
    """A publication twice: as ingest has it, and on paper."""

    step: Step
    life: Life
    events: list[PublicationEvent]

    def follow(self, step: Step) -> None:
        """Ingest went on."""
        self.step = step
        self.events.append(step.event)


class Submissions(RuleBasedStateMachine):
    """Departments, and the clock, do what they like."""

    pairs: Bundle[Pair] = Bundle("pairs")

    def __init__(self) -> None:
        super().__init__()
        self.at = now()
        self.all: list[Pair] = []

    def content(self, hour: int | None, *, embargo: bool, kind: str = "news") -> tuple[Any, datetime | None]:
        """Content with this hour, and the hour."""
        when = None if hour is None else self.at + timedelta(hours=hour)
        name = "embargo_until" if embargo else "release_at"
        return CONTENT.validate_python(submission(kind, **{name: when})), when

    @rule(target=pairs, hour=HOURS, embargo=EMBARGO)
    def submit(self, hour: int | None, embargo: bool) -> Pair:
        content, when = self.content(hour, embargo=embargo)
        step = accept(new_id(), content, TRANSPORT, channels=CHANNELS, at=self.at)
        life = Life()
        life.decide(self.at, when, embargo=embargo)
        pair = Pair(step, life, [step.event])
        self.all.append(pair)
        return pair

    @rule(pair=pairs, hour=HOURS, embargo=EMBARGO, major=st.booleans(), same_kind=st.integers(0, 9))
    def revise(self, pair: Pair, hour: int | None, embargo: bool, major: bool, same_kind: int) -> None:
        content, when = self.content(hour, embargo=embargo, kind="news" if same_kind else "announcement")
        change = Change(
            significance=Significance.MAJOR if major else Significance.MINOR, note="Змінено день."
        )
        life = pair.life
        public = life.state is State.RELEASED
        refused = life.taken_back or not same_kind or (public and not life.may_name(when, embargo=embargo))
        try:
            step = revise(pair.step.submission, content, change, channels=CHANNELS, at=self.at)
        except Refused:
            assert refused
            return
        assert not refused
        life.revision += 1
        if public:
            life.corrections.append(life.revision)
            life.hour = when
            life.come_out(self.at)
        else:
            life.decide(self.at, when, embargo=embargo)
        pair.follow(step)

    @rule(pair=pairs)
    def withdraw(self, pair: Pair) -> None:
        life = pair.life
        try:
            step = withdraw(pair.step.submission, "Помилка.", at=self.at)
        except Refused:
            assert life.taken_back
            return
        assert not life.taken_back
        life.taken_back, life.waits = True, False
        life.said.append(("withdrawn", life.revision))
        pair.follow(step)

    @rule(hours=st.integers(1, 3))
    def time_passes(self, hours: int) -> None:
        """And the relay releases what is due, as the outbox's query finds it."""
        self.at += timedelta(hours=hours)
        for pair in self.all:
            due = pair.step.submission.due_at
            if due is not None and due <= self.at:
                pair.follow(release(pair.step.submission, at=self.at))
            if pair.life.waits and pair.life.hour is not None and pair.life.hour <= self.at:
                pair.life.come_out(self.at)

    @invariant()
    def both_agree(self) -> None:
        for pair in self.all:
            life, kept = pair.life, pair.step.submission
            publication = kept.publication
            assert (kept.state, kept.due_at) == (life.state, life.hour if life.waits else None)
            assert publication.revision == life.revision
            assert publication.released_at == life.public_since
            assert [each.revision for each in publication.corrections] == life.corrections
            assert ("advance" in publication.targets) == life.in_advance
            assert (publication.withdrawal is not None) == life.taken_back

    @invariant()
    def the_bus_hears_the_same_story(self) -> None:
        """In order, each fact higher than the one before, and each event whole."""
        for pair in self.all:
            assert [(str(event.fact), event.data.revision) for event in pair.events] == pair.life.said
            ranks = [event.rank for event in pair.events]
            assert ranks == sorted(set(ranks))
            assert pair.events[-1].data == pair.step.submission.publication
            assert len({event.id for event in pair.events}) == len(pair.events)


SOAK = bool(os.environ.get("SOAK"))
TestSubmissions = Submissions.TestCase
TestSubmissions.settings = settings(
    max_examples=2_000 if SOAK else 100,
    stateful_step_count=30,
    deadline=None,
    derandomize=not SOAK,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
