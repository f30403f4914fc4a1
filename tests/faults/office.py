"""A department and its ingest, which dies in the middle of requests, beside what they'd keep on paper."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fastapi import Request, Response

from services.ingest.desk import UNEMITTED_MOST, Desk
from services.ingest.emission import Emitter, Relay
from services.ingest.media.records import Records
from services.ingest.settings import IngestSettings
from services.ingest.store import LEASE
from shared.mongo import Mongo
from shared.web import Problem
from tests.faults.mortal import Broker, Clock, Died, MortalBus, MortalOutbox, Process
from tests.samples import TRANSPORT, submission
from tests.unit.test_ingest_outbox_model import Life


@dataclass(frozen=True)
class Submit:
    hour: int | None
    embargo: bool


@dataclass(frozen=True)
class Revise:
    which: int
    hour: int | None
    embargo: bool
    outdated: bool


@dataclass(frozen=True)
class Withdraw:
    which: int


@dataclass(frozen=True)
class Wait:
    """The clock goes on, and the relay does its round."""

    hours: int


@dataclass(frozen=True)
class Switch:
    """The broker goes away, or comes back."""

    up: bool


Operation = Submit | Revise | Withdraw | Wait | Switch


@dataclass
class Kept:
    """A publication as the department knows it, beside its life on paper."""

    id: UUID
    life: Life
    titles: dict[int, str] = field(default_factory=dict)


class Office:
    """The department, and an ingest that is started again whenever it died."""

    def __init__(self, mongo: Mongo, clock: Clock, broker: Broker) -> None:
        self._mongo = mongo
        self._clock = clock
        self._broker = broker
        self._asked = 0
        self.kept: list[Kept] = []

    async def start(self) -> None:
        """A new process."""
        self.process = Process()
        self.outbox = MortalOutbox(self._mongo.database, self.process)
        await self.outbox.prepare()
        bus = MortalBus(self._broker, self.process)
        self.emitter = Emitter(self.outbox, bus)
        self.relay = Relay(self.outbox, bus, self.emitter)
        configured = IngestSettings.model_validate({"channels": ("screen",)})
        self.desk = Desk(configured, self.outbox, self.emitter, Records(self._mongo.database), bus)

    async def do(self, operation: Operation, cut: int | None, *, twice: bool) -> None:
        """Carry an operation out, in the office and on paper."""
        if isinstance(operation, Switch):
            self._broker.up = operation.up
        elif isinstance(operation, Wait):
            self._clock.at += timedelta(hours=operation.hours) + LEASE
            await self.release(cut)
            await self.unless_dead(self.relay.emit_left_over)
        elif isinstance(operation, Submit):
            await self._submit(operation, cut, twice=twice)
        elif self.kept:
            await self._change(operation, cut, twice=twice)

    async def release(self, cut: int | None) -> None:
        """The relay releases what is due, and the next process what this one didn't come to."""
        for publication in self.kept:
            life = publication.life
            if life.waits and life.hour is not None and life.hour <= self._clock.at:
                life.come_out(self._clock.at)
        self.process.cut = cut
        if not await self.unless_dead(self.relay.release_due):
            await self.release(None)

    async def unless_dead(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Do it and all that follows from it; False where the process died of it and a new one runs."""
        try:
            await work()
        except* Died:
            pass
        await self.emitter.finish()
        alive = not self.process.dead
        self.process.cut = None
        if not alive:
            await self.start()
        return alive

    async def _submit(self, operation: Submit, cut: int | None, *, twice: bool) -> None:
        body, hour = self._body(operation.hour, embargo=operation.embargo)
        answer = await self._ask(lambda request: self.desk.submit(request, TRANSPORT), body, {}, cut, twice)
        assert isinstance(answer, dict), answer
        life = Life()
        life.decide(self._clock.at, hour, embargo=operation.embargo)
        self.kept.append(Kept(UUID(answer["id"]), life, {1: body["title"]}))

    async def _change(self, operation: Revise | Withdraw, cut: int | None, *, twice: bool) -> None:
        publication = self.kept[operation.which % len(self.kept)]
        id, life = publication.id, publication.life
        if isinstance(operation, Withdraw):
            answer = await self._ask(
                lambda request: self.desk.withdraw(request, TRANSPORT, id),
                {"reason": "Помилка."},
                {},
                cut,
                twice,
            )
            if self._refused(answer, publication, 409 if life.taken_back else None):
                return
            life.taken_back, life.waits = True, False
            life.said.append(("withdrawn", life.revision))
            return
        body, hour = self._body(operation.hour, embargo=operation.embargo)
        body["change"] = {"significance": "minor", "note": "Уточнено."}
        public = not life.waits and not life.taken_back
        wrong: int | None = None
        if operation.outdated:
            wrong = 412
        elif life.taken_back:
            wrong = 409
        elif public and not life.may_name(hour, embargo=operation.embargo):
            wrong = 422
        seen = {"If-Match": f'"{life.revision - operation.outdated}"'}
        answer = await self._ask(
            lambda request: self.desk.revise(request, TRANSPORT, id), body, seen, cut, twice
        )
        if self._refused(answer, publication, wrong):
            return
        life.revision += 1
        assert isinstance(answer, dict)
        assert answer["revision"] == life.revision
        publication.titles[life.revision] = body["title"]
        if public:
            life.hour = hour
            life.come_out(self._clock.at)
        else:
            life.decide(self._clock.at, hour, embargo=operation.embargo)

    def _refused(self, answer: dict[str, Any] | int, publication: Kept, wrong: int | None) -> bool:
        """Whether nothing was changed; refused are what is wrong, and what would be too much to keep."""
        if answer == 503:
            assert wrong is None
            assert len(publication.life.said) >= UNEMITTED_MOST
            return True
        assert (answer if isinstance(answer, int) else None) == wrong
        return wrong is not None

    def _body(self, hour: int | None, *, embargo: bool) -> tuple[dict[str, Any], datetime | None]:
        self._asked += 1
        when = None if hour is None else self._clock.at + timedelta(hours=hour)
        name = "embargo_until" if embargo else "release_at"
        hours = {} if when is None else {name: when.isoformat()}
        return submission(title=f"Назва {self._asked}", channels=["screen"], **hours), when

    async def _ask(
        self,
        route: Callable[[Request], Awaitable[Response]],
        body: dict[str, Any],
        headers: dict[str, str],
        cut: int | None,
        twice: bool,
    ) -> dict[str, Any] | int:
        """Ask with a key until there is an answer, its status if that is a refusal; perhaps once more."""
        self._asked += 1
        key = {"Idempotency-Key": f"key-{self._asked}"}
        answers: list[dict[str, Any] | int] = []

        async def once() -> None:
            try:
                response = await route(request(body, headers | key))
            except Problem as problem:
                answers.append(problem.status)
            else:
                answers.append(json.loads(bytes(response.body)))

        self.process.cut = cut
        while not answers:
            await self.unless_dead(once)
        if twice:
            await self.unless_dead(once)
        assert answers == [answers[0]] * len(answers)
        return answers[0]

    async def emit_all(self) -> None:
        """All is well again: whatever was accepted comes to the bus."""
        self._broker.up = True
        self._broker.troubles.clear()
        self._clock.at += LEASE
        await self.release(None)
        await self.relay.emit_left_over()
        assert await self.outbox.oldest_unemitted() is None


def request(body: dict[str, Any], headers: dict[str, str]) -> Request:
    """A request as the server hands it to a route."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

    sent = {"Content-Type": "application/json", **headers}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
    }
    return Request(scope, receive)
