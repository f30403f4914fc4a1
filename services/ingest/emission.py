"""From the outbox to the bus: at once after acceptance; by the relay what was left over or had to wait."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from services.ingest.store import LEASE, Outbox, Outdated
from services.ingest.submissions import Step, release
from shared.bus import Bus, BusUnavailable
from shared.events import PublicationEvent, decode, now
from shared.mongo import StoreUnavailable
from shared.telemetry import log_context, logger

AT_ONCE = 64
"""Publishes under way at the same time: confirms are slow, and many fit on one channel."""
POLL = 0.5
"""Seconds between two looks for what is due or left over."""

_log = logger(__name__)


class Emitter:
    """Emits what was just accepted, without anyone waiting for it."""

    def __init__(self, outbox: Outbox, bus: Bus) -> None:
        self._outbox = outbox
        self._bus = bus
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def soon(self, step: Step) -> None:
        """Emit the step's event as soon as a slot is free."""
        task = asyncio.create_task(self._emit(step.event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _emit(self, event: PublicationEvent) -> None:
        with log_context(event.log_context()):
            try:
                async with self._slots:
                    await self._bus.emit(event)
                await self._outbox.emitted(event.subject, event.id)
            except BusUnavailable as error:
                _log.warning("left to the relay", reason=str(error))
                with suppress(StoreUnavailable):
                    await self._outbox.give_back(event.subject)
            except StoreUnavailable as error:
                _log.warning("emitted, but not marked so; the relay will emit it again", reason=str(error))

    async def finish(self) -> None:
        """Wait for what is under way, but not for a broker that is away."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LEASE.total_seconds())


class Relay:
    """Runs in every process; what one of them has claimed the others leave alone until its lease ends."""

    def __init__(self, outbox: Outbox, bus: Bus, emitter: Emitter) -> None:
        self._outbox = outbox
        self._bus = bus
        self._emitter = emitter

    async def run(self) -> None:
        """Release what is due and emit what was left over, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_again_and_again(self.release_due))
            group.create_task(_again_and_again(self.emit_left_over))

    async def release_due(self) -> None:
        """Release every submission whose hour has come."""
        for stored in await self._outbox.due(now()):
            step = release(stored.submission, at=now())
            with log_context(step.event.log_context()):
                try:
                    await self._outbox.apply(step, stored.version)
                except Outdated:
                    continue  # released by another relay, or revised: it is found again if it is still due
                _log.info("its hour has come", fact=str(step.event.fact))
            self._emitter.soon(step)

    async def emit_left_over(self) -> None:
        """Emit everything that nobody is emitting, several publications at a time."""
        if not await self._bus.connected():
            return
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE // 4):
                group.create_task(self._emit_claimed())

    async def _emit_claimed(self) -> None:
        while (unemitted := await self._outbox.claim()) is not None:
            try:
                for body in unemitted.bodies:
                    event = decode(body)
                    with log_context(event.log_context()):
                        await self._bus.emit_encoded(body, event)
                        await self._outbox.emitted(unemitted.id, event.id)
                        _log.info("relayed")
            except BusUnavailable:
                await self._outbox.give_back(unemitted.id)
                return


async def _again_and_again(work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except* StoreUnavailable as away:
            _log.warning("the relay waits for the database", reason=str(away.exceptions[0]))
        except* Exception:  # noqa: BLE001  # a relay that ends would hold back publications in silence
            _log.exception("the relay stumbled")
        await asyncio.sleep(POLL)
