"""From the outbox to the bus: at once after acceptance; by the relay what was left over or had to wait."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from services.ingest.store import LEASE, Outbox, Outdated, Unemitted
from services.ingest.submissions import Step, release
from shared.bus import Bus, BusUnavailable
from shared.events import PublicationEvent, Unreadable, decode, now
from shared.mongo import StoreUnavailable
from shared.telemetry import log_context, logger

AT_ONCE = 64
"""Publishes under way at the same time: confirms are slow, and many fit on one channel."""
QUEUE_MOST = 2_000
"""Events that wait in memory for a slot; what comes beyond them waits in the outbox for the relay."""
POLL = 0.5
"""Seconds between two looks for what is due or left over."""
DUE_AT_ONCE = 100

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
        if len(self._tasks) >= QUEUE_MOST:
            return
        task = asyncio.create_task(self._emit(step.event, step.body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _emit(self, event: PublicationEvent, body: bytes) -> None:
        try:
            async with self._slots:
                await self._bus.emit_encoded(body, event)
            await self._outbox.emitted(event.subject, event.id)
        except BusUnavailable as error:
            _log.warning("left to the relay", reason=str(error), **event.log_context())
            with suppress(StoreUnavailable):
                await self._outbox.give_back(event.subject)
        except StoreUnavailable as error:
            _log.warning("the relay will emit it again", reason=str(error), **event.log_context())
        except Exception:  # noqa: BLE001  # the relay tries again, and says it again
            _log.exception("left to the relay", **event.log_context())

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
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Release what is due and emit what was left over, until told to stop."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._again_and_again(self.release_due))
            group.create_task(self._again_and_again(self.emit_left_over))

    def stop(self) -> None:
        """Claim nothing more: what is cut off while it is claimed waits for the end of its lease."""
        self._stopping.set()

    async def release_due(self) -> None:
        """Release every submission whose hour has come."""
        found = DUE_AT_ONCE
        while found == DUE_AT_ONCE:
            due = await self._outbox.due(now(), most=DUE_AT_ONCE)
            found = len(due)
            for stored in due:
                step = release(stored.submission, at=now())
                with log_context(step.event.log_context()):
                    try:
                        await self._outbox.apply(step, stored.version)
                    except Outdated:
                        continue  # released by another relay, or revised: found again if it is still due
                    _log.info("its hour has come", fact=str(step.event.fact))
                self._emitter.soon(step)

    async def emit_left_over(self) -> None:
        """Emit everything that nobody is emitting, several publications at a time."""
        if not await self._bus.connected():
            return
        first = await self._outbox.claim()
        if first is None or not await self._emit(first):
            return
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE // 4):
                group.create_task(self._emit_claimed())

    async def _emit_claimed(self) -> None:
        while not self._stopping.is_set() and (unemitted := await self._outbox.claim()) is not None:
            if not await self._emit(unemitted):
                return

    async def _emit(self, unemitted: Unemitted) -> bool:
        """Emit a publication's events in their order; False where the broker doesn't take them now."""
        for body in unemitted.bodies:
            try:
                event = decode(body)
            except Unreadable as unreadable:
                # Written by a newer version, or damaged: it stays, and the gauge of the oldest shows it.
                _log.error("it can't be read", publication_id=str(unemitted.id), reason=str(unreadable))
                continue
            with log_context(event.log_context()):
                try:
                    await self._bus.emit_encoded(body, event)
                except BusUnavailable as error:
                    _log.warning("the broker does not take it", reason=str(error))
                    await self._outbox.give_back(unemitted.id)
                    return False
                await self._outbox.emitted(unemitted.id, event.id)
                _log.info("relayed")
        return True

    async def _again_and_again(self, work: Callable[[], Awaitable[None]]) -> None:
        while not self._stopping.is_set():
            try:
                await work()
            except* StoreUnavailable as away:
                _log.warning("the relay waits for the database", reason=str(away.exceptions[0]))
            except* Exception:  # noqa: BLE001  # a relay that ends would hold back publications in silence
                _log.exception("the relay stumbled")
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL):
                    await self._stopping.wait()
