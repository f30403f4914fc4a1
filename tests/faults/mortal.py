"""Ingest's outbox and the publisher's ledger in processes that die at any step, around real stores."""

from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from functools import partial
from typing import TypeVar
from uuid import UUID

from services.ingest.conditions import Keyed
from services.ingest.store import Outbox, Unemitted
from services.ingest.submissions import Step
from services.publisher.channels.interface import Call, Channel, Posted, Unconfirmed
from services.publisher.decisions import Entry
from services.publisher.ledger import LEASE, Ledger
from shared.bus import Bus, BusUnavailable, Later
from shared.events import DeliveryReported, PublicationEvent, now
from shared.mongo import Database
from shared.preview import Preview
from shared.publication import Publication

T = TypeVar("T")


class Died(BaseException):
    """The process is dead: no handler of failures runs in it, and nothing that it does reaches anybody."""


class Process:
    """Dies at its `cut`-th step from now; each write and each call has one before it and one after it."""

    def __init__(self, cut: int | None = None) -> None:
        self.cut = cut
        self.dead = False

    def step(self) -> None:
        if self.cut == 0:
            self.dead = True
        if self.dead:
            raise Died
        if self.cut is not None:
            self.cut -= 1

    async def mortal(self, call: Callable[[], Awaitable[T]]) -> T:
        self.step()
        result = await call()
        self.step()
        return result


class Clock:
    """The time that ingest sees."""

    def __init__(self) -> None:
        self.at = now()

    def __call__(self) -> datetime:
        return self.at


class MortalOutbox(Outbox):
    """The outbox of a process that may die before and after every write."""

    def __init__(self, database: Database, process: Process) -> None:
        super().__init__(database)
        self._process = process

    async def insert(self, step: Step, keyed: Keyed | None) -> None:
        await self._process.mortal(partial(super().insert, step, keyed))

    async def apply(self, step: Step, version: int, keyed: Keyed | None = None) -> None:
        await self._process.mortal(partial(super().apply, step, version, keyed))

    async def emitted(self, id: UUID, *events: UUID) -> None:
        await self._process.mortal(partial(super().emitted, id, *events))

    async def give_back(self, id: UUID) -> None:
        await self._process.mortal(partial(super().give_back, id))

    async def claim(self) -> Unemitted | None:
        return await self._process.mortal(super().claim)


class MortalLedger(Ledger):
    """The ledger of a process that may die before and after every write.

    Its lease is short where nobody else is at work, so that the next process needn't wait.
    """

    def __init__(self, database: Database, process: Process) -> None:
        super().__init__(database, lease=LEASE if process.cut is None else LEASE / 200)
        self._process = process

    async def claim(self, channel: str, publication_id: UUID, owner: str) -> Entry:
        return await self._process.mortal(partial(super().claim, channel, publication_id, owner))

    async def keep(self, channel: str, publication_id: UUID, owner: str, entry: Entry) -> None:
        await self._process.mortal(partial(super().keep, channel, publication_id, owner, entry))

    async def release(
        self, channel: str, publication_id: UUID, owner: str, entry: Entry | None = None
    ) -> None:
        await self._process.mortal(partial(super().release, channel, publication_id, owner, entry))


class Trouble(Enum):
    """What a call to the outside does instead of succeeding."""

    REFUSED = auto()
    """No effect, and the other side says so."""
    LOST = auto()
    """No effect, and no answer."""
    SILENT = auto()
    """It took effect, and no answer."""


@dataclass
class Broker:
    """What the broker was given, by whichever process."""

    up: bool = True
    troubles: deque[Trouble | None] = field(default_factory=deque)
    events: list[PublicationEvent] = field(default_factory=list)
    reports: list[DeliveryReported] = field(default_factory=list)
    bodies: dict[UUID, set[bytes]] = field(default_factory=dict)
    """All encodings that an event came in."""


class MortalBus(Bus):
    """A process's way to that broker."""

    def __init__(self, broker: Broker, process: Process) -> None:
        self._broker = broker
        self._process = process

    async def connected(self) -> bool:
        return self._broker.up

    async def emit_encoded(self, body: bytes, event: PublicationEvent | DeliveryReported) -> None:
        self._process.step()
        broker = self._broker
        trouble = broker.troubles.popleft() if broker.troubles else None
        if not broker.up or trouble in (Trouble.REFUSED, Trouble.LOST):
            raise BusUnavailable("away")
        broker.bodies.setdefault(event.id, set()).add(body)
        if isinstance(event, DeliveryReported):
            broker.reports.append(event)
        else:
            broker.events.append(event)
        if trouble is Trouble.SILENT:
            raise BusUnavailable("no confirm")
        self._process.step()


@dataclass
class Screen:
    """A channel's far side: what people see there, and what was ever done to it."""

    titles: dict[int, str] = field(default_factory=dict)
    whose: dict[int, UUID] = field(default_factory=dict)
    troubles: deque[Trouble | None] = field(default_factory=deque)
    effects: Counter[tuple[UUID, int, str]] = field(default_factory=Counter)
    """How often each thing was done for a revision of a publication."""
    looked_up: int = 0
    """How often somebody had to look what was there."""

    def of(self, id: UUID) -> list[str]:
        """What people see of a publication."""
        return [title for number, title in self.titles.items() if self.whose[number] == id]

    def put_up(self, id: UUID) -> int:
        """How often something was put up for a publication."""
        return list(self.whose.values()).count(id)


class ScreenChannel(Channel):
    """A process's way to the screen, where what is put up twice is seen twice."""

    name = "screen"
    repeatable = False
    deadline = 30.0
    concurrency = 10

    def __init__(self, screen: Screen, process: Process) -> None:
        self._screen = screen
        self._process = process

    async def prepare(self) -> None: ...

    async def close(self) -> None: ...

    def preview(self, publication: Publication) -> Preview:
        return Preview(channel=self.name)

    def takes(self, publication: Publication) -> str | None:
        return None

    async def publish(self, publication: Publication, call: Call) -> Posted:
        screen = self._screen

        def put_up() -> None:
            number = len(screen.whose) + 1
            screen.whose[number] = publication.id
            screen.titles[number] = publication.content.title

        self._do(put_up, publication, "publish")
        return Posted(remote={"number": len(screen.whose)})

    async def update(self, publication: Publication, posted: Posted, call: Call) -> Posted:
        number = _number(posted)

        def change() -> None:
            assert number in self._screen.titles, "nothing of it hangs there"
            self._screen.titles[number] = publication.content.title

        self._do(change, publication, "update")
        return posted

    async def withdraw(self, publication: Publication, posted: Posted | None, call: Call) -> Posted | None:
        def take_down() -> None:
            if posted is not None:
                self._screen.titles.pop(_number(posted), None)

        self._do(take_down, publication, "withdraw")
        return None

    async def find(self, publication: Publication) -> Posted | None:
        self._process.step()
        self._screen.looked_up += 1
        found = [
            number
            for number, id in self._screen.whose.items()
            if id == publication.id and number in self._screen.titles
        ]
        return Posted(remote={"number": found[0]}) if found else None

    def _do(self, effect: Callable[[], None], publication: Publication, what: str) -> None:
        self._process.step()
        trouble = self._screen.troubles.popleft() if self._screen.troubles else None
        if trouble is Trouble.REFUSED:
            raise Later("Екран зайнятий.")
        if trouble is Trouble.LOST:
            raise Unconfirmed("Зв’язок обірвався.")
        effect()
        self._screen.effects[publication.id, publication.revision, what] += 1
        if trouble is Trouble.SILENT:
            raise Unconfirmed("Зв’язок обірвався.")
        self._process.step()


def _number(posted: Posted) -> int:
    number = posted.remote["number"]
    assert isinstance(number, int)
    return number
