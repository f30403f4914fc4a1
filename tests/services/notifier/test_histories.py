"""Random histories of publications, delivered in any order and more than once, to a mail server in a mood.

Two notifiers share the work. Whatever happens, what each subscriber has read last must be what stands.
"""

import asyncio
import random
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from services.notifier.settings import Settings
from shared.bus import NOTIFIER_MAILS, Bus
from shared.bus.parked import ParkedMessages
from shared.events import Outcome, PublicationEvent, now
from shared.publication import Fact, Significance
from tests.samples import corrected, fact, publication, withdrawn
from tests.services.notifier.conftest import Receipts, journalist, outlet, running
from tests.smtp import MailServer, Step
from tests.waiting import eventually

PEOPLE = [f"j{number}@avers.example" for number in range(6)]
ACCREDITED = PEOPLE[:3]
MOODS: list[Step] = [
    "451 later",
    "DATA 452 full",
    "cut before DATA",
    "421 bye",
    0.05,
    0.2,
    "cut after the answer",
]


@dataclass
class History:
    """The facts of one publication, in the order in which they were decided."""

    number: int
    events: list[PublicationEvent] = field(default_factory=list)
    released_at_first: int = 1
    """The revision that was the first public one."""

    @property
    def newest(self) -> PublicationEvent:
        return self.events[-1]

    @property
    def withdrawn(self) -> bool:
        return self.newest.fact is Fact.WITHDRAWN

    @property
    def enough(self) -> int:
        """The oldest revision with which nobody needs to be told of a newer one."""
        changes = self.newest.data.corrections
        major = [one.revision for one in changes if one.significance is Significance.MAJOR]
        return max(major, default=self.released_at_first)

    def title(self, revision: int) -> str:
        return f"Публікація {self.number}, редакція {revision}"


def decided(chance: random.Random, number: int) -> History:
    """Maybe under embargo first, then public and corrected, then maybe taken back."""
    made = History(number)
    latest = publication(content={"title": made.title(1)})
    if chance.random() < 0.5:
        until = (now() + timedelta(days=1)).isoformat()
        latest = publication(
            content={"title": made.title(1), "embargo_until": until},
            targets=("mail", "advance"),
            released_at=None,
        )
        made.events.append(fact(latest, Fact.ADVANCE))
        for revision in range(2, chance.randint(2, 4)):
            content = latest.content.model_copy(update={"title": made.title(revision)})
            latest = latest.model_copy(update={"revision": revision, "content": content})
            made.events.append(fact(latest, Fact.ADVANCE))
        made.released_at_first = latest.revision
        latest = latest.model_copy(update={"released_at": now()})
    made.events.append(fact(latest))
    for _ in range(chance.randint(0, 3)):
        significance = chance.choice(["minor", "major", "major"])
        latest = corrected(latest, significance=significance, title=made.title(latest.revision + 1))
        made.events.append(fact(latest))
    if chance.random() < 0.4:
        made.events.append(fact(withdrawn(latest), Fact.WITHDRAWN))
    return made


def shuffled(chance: random.Random, histories: list[History]) -> list[PublicationEvent]:
    """All facts, some of them twice, each a few places from where it belongs."""
    facts = [event for one in histories for event in one.events]
    facts += chance.sample(facts, len(facts) // 2)
    return sorted(facts, key=lambda event: event.rank + chance.uniform(0, 8))


def check(history: History, address: str, subjects: list[str]) -> None:
    """What one subscriber was told about one publication, in the order in which it came."""
    if history.withdrawn:
        assert not subjects or subjects[-1].startswith("ВІДКЛИКАНО: ")
        subjects = subjects[:-1]
    else:
        assert subjects, "everyone subscribes to everything"
        assert revision_of(subjects[-1]) >= history.enough
    assert not any(one.startswith("ВІДКЛИКАНО") for one in subjects)
    assert address in ACCREDITED or not any(one.startswith("ЕМБАРГО") for one in subjects)
    revisions = [revision_of(one) for one in subjects]
    assert revisions == sorted(set(revisions)), "each text once, and none after a newer one"
    told_as_new = ["ВИПРАВЛЕННЯ: " not in one and "ОНОВЛЕНО: " not in one for one in subjects]
    assert told_as_new == [place == 0 for place in range(len(subjects))]


def revision_of(subject: str) -> int:
    return int(subject.rsplit(" ", 1)[1])


@pytest.mark.parametrize("seed", range(5))
async def test_what_each_subscriber_read_last_is_what_stands(
    settings: Settings, bus: Bus, smtp: MailServer, receipts: Receipts, seed: int
) -> None:
    chance = random.Random(seed)
    histories = [decided(chance, number) for number in range(8)]
    settings = settings.model_copy(update={"retry_ladder": (0.1, 0.3)})
    for address in PEOPLE:
        smtp.tell(address, *chance.choices(MOODS, k=3), "take")
    async with running(settings) as notifier, running(settings):
        people = [journalist(one, accredited=one in ACCREDITED) for one in PEOPLE]
        await notifier.people.replace([outlet("avers", *people)])
        for event in shuffled(chance, histories):
            await bus.emit(event)
            await asyncio.sleep(chance.uniform(0, 0.05))
        command = ParkedMessages(settings.amqp_url.get_secret_value(), [NOTIFIER_MAILS])

        async def settled() -> bool:
            await receipts.collect()
            await command.retry()
            told = {
                (event.data.publication_id, event.data.rank)
                for event in receipts.heard
                if event.data.outcome.final and event.data.outcome is not Outcome.FAILED
            }
            return {(one.newest.data.id, one.newest.rank) for one in histories} <= told and (
                await notifier.store.open_work()
            )[0] == 0

        await eventually(settled, within=60)
    assert smtp.repeated() == 0
    for one in histories:
        for address in PEOPLE:
            about = [mail.subject for mail in smtp.to(address) if f"Публікація {one.number}," in mail.subject]
            check(one, address, about)
