"""Sends batches of mails: the consumer of `notifier.mails`.

A mail is recorded as `sending` before it goes on the wire and as `sent` or `refused` right after the
answer, so that a crash leaves in doubt only what was on the wire. Sending outlives its handler: a
lost connection to the broker cancels the handler, but never a dialogue with the mail server.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from services.notifier.composing import Composing
from services.notifier.metrics import MAILS, POSSIBLE_DUPLICATES
from services.notifier.pace import Pace
from services.notifier.presence import Presence
from services.notifier.records import Mail, MailBatch, MailState, read_batch
from services.notifier.reporting import Reporting
from services.notifier.settings import Settings
from services.notifier.smtp import Answer, ServerTrouble, SmtpPool, Verdict
from services.notifier.store import Claimed, Store
from services.notifier.subscribers import SubscriberStore
from shared.bus import NOTIFIER_MAILS, Bus, Consumption, Later
from shared.events import PublicationEvent, new_id, now
from shared.mongo import StoreUnavailable
from shared.telemetry import logger

AT_ONCE = 8
"""Batches that a process works on at the same time."""
BUDGET = 120.0
"""Seconds after which a batch that isn't through goes back to the end of the queue."""
DEADLINE = 600.0
"""Seconds for a handler; the budget ends it long before, this is for a fault of our own."""
STOP_AFTER = 6
"""Broken connections in a row, without one answer between, after which a batch is left for later."""
LOOK_EVERY = 0.5
"""Seconds for which the newest rank of a publication is taken to stand."""

Message = bytes | MailState
"""A mail as it goes on the wire, or the state that it ends in instead."""
Make = Callable[[Mail], Awaitable[Message]]

_STATE_OF = {
    Verdict.SENT: MailState.SENT,
    Verdict.REFUSED: MailState.REFUSED,
    Verdict.DEFERRED: MailState.QUEUED,
}
_log = logger(__name__)


@dataclass
class _Run:
    """One handler's work on the mails that it claimed."""

    until: float
    make: Make
    tasks: list[asyncio.Task[None]]
    stopped: str | None = None
    """Why no further mail is begun."""
    failures: list[str] = field(default_factory=list)
    """Why mails must be tried again."""
    broken: int = 0
    """Connections lost in a row."""


class Mailing:
    """Sends mails, each batch under a claim of its own."""

    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        subscribers: SubscriberStore,
        composing: Composing,
        presence: Presence,
        reporting: Reporting,
        pool: SmtpPool,
        bus: Bus,
    ) -> None:
        self._store = store
        self._subscribers = subscribers
        self._composing = composing
        self._presence = presence
        self._reporting = reporting
        self._pool = pool
        self._bus = bus
        self._pace = Pace(settings.mails_per_second)
        # Beyond what is on the wire: while mails wait for a connection their `sending` is recorded,
        # many in one write. More would leave more in doubt after a crash.
        self._window = asyncio.Semaphore(settings.smtp_connections * 4)
        self._live: set[str] = set()
        self._claims = asyncio.Lock()
        self._claiming_now: set[asyncio.Task[Claimed]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    def consumption(self) -> Consumption[MailBatch]:
        """How the queue is consumed."""
        return Consumption(
            NOTIFIER_MAILS,
            read=read_batch,
            handle=self.handle,
            report=self.report,
            prefetch=AT_ONCE,
            deadline=DEADLINE,
        )

    async def handle(self, batch: MailBatch) -> None:
        """Send what is unsent of a batch.

        Raises `Later` where some of it has to be tried again, after everything else was tried.
        """
        self._presence.require()
        loop = asyncio.get_running_loop()
        until = loop.time() + BUDGET
        dead: list[str] = []
        while True:
            with self._claiming() as (claim, tasks):
                claimed = await self._claim(batch.mails, claim, dead)
                if claimed.mails:
                    run = _Run(until, await self._maker(claimed.mails), tasks)
                    await self._send_all(run, claimed.mails)
                    if run.stopped is not None:
                        await self._bus.send(NOTIFIER_MAILS, batch.encode(), message_id=batch.message_id)
                        return
            if not claimed.held:
                break
            if loop.time() > until:
                raise Later(f"{len(claimed.held)} mails are held by another process")
            dead = await self._presence.dead(mail.owner for mail in claimed.held)
            if not dead:
                await asyncio.sleep(0.3)
        fanout = await self._store.batch_ended(batch.fanout, batch.batch)
        await self._reporting.settle(fanout)

    async def report(self, message: MailBatch, *, reason: str, attempt: int, wait: float | None) -> None:
        """Tell the receipt that mails wait, or that they are parked.

        `reason` quotes the server, and so maybe an address: it is for the log, not for the receipt.
        """
        _log.info("mails wait", reason=reason, attempt=attempt, wait=wait)
        fanout = await self._store.find_fanout(message.fanout)
        if fanout is None:
            return
        if wait is not None:
            await self._reporting.trouble(fanout, attempt=attempt, wait=wait)
            return
        await self._store.park(message.mails)
        await self._reporting.settle(await self._store.batch_ended(fanout.id, message.batch, parked=True))

    def stop(self) -> None:
        """Begin no further mail; batches under way go back to the queue."""
        self._stopping = True

    async def drain(self, within: float = 10) -> None:
        """Let the mails on the wire end, and record how they did."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within)
        for task in self._tasks:
            task.cancel()

    async def _claim(self, ids: Sequence[str], claim: str, dead: Sequence[str]) -> Claimed:
        """Claim, one at a time and to the end.

        A claim takes what no live one holds: one that began before another, or that ran on after its
        handler was cancelled, would take the other's mails for abandoned.
        """

        async def alone() -> Claimed:
            async with self._claims:
                return await self._store.claim(
                    ids, owner=self._presence.id, claim=claim, dead=dead, live=self._live
                )

        task = asyncio.create_task(alone())
        self._claiming_now.add(task)
        task.add_done_callback(self._claiming_now.discard)
        return await asyncio.shield(task)

    @contextmanager
    def _claiming(self) -> Iterator[tuple[str, list[asyncio.Task[None]]]]:
        """A new claim, live until the last of its tasks has ended, which may be after its handler."""
        claim = str(new_id())
        tasks: list[asyncio.Task[None]] = []
        self._live.add(claim)
        try:
            yield claim, tasks
        finally:
            if all(task.done() for task in tasks):
                self._live.discard(claim)
            else:
                rest = asyncio.gather(*tasks, return_exceptions=True)
                rest.add_done_callback(lambda _: self._live.discard(claim))

    async def _send_all(self, run: _Run, mails: Sequence[Mail]) -> None:
        """Try every mail once. Raises `Later`, or whatever a mail failed with unexpectedly."""
        run.tasks.extend(asyncio.create_task(self._deliver(run, mail)) for mail in mails)
        self._tasks.update(run.tasks)
        for task in run.tasks:
            task.add_done_callback(self._tasks.discard)
        try:
            await asyncio.wait(run.tasks)
        except asyncio.CancelledError:
            run.stopped = "cancelled"
            raise
        for task in run.tasks:
            task.result()
        if run.failures:
            raise Later(f"{len(run.failures)} of {len(mails)} mails, the first: {run.failures[0]}")

    async def _deliver(self, run: _Run, mail: Mail) -> None:
        """Send one mail and record how it ended; put it back where it isn't begun."""
        try:
            async with self._window:
                if not self._to_stop(run):
                    await self._pace.wait()
                if self._to_stop(run):
                    await self._record(mail, MailState.QUEUED)
                    return
                answer = await self._try(run, mail)
        except StoreUnavailable:
            run.stopped = "the database is away"
            raise
        except Exception:
            await self._record(mail, MailState.QUEUED)
            raise
        if isinstance(answer, MailState):
            await self._record(mail, answer)
            return
        MAILS.labels(mail.purpose, answer.verdict).inc()
        await self._record(
            mail,
            _STATE_OF[answer.verdict],
            code=answer.code,
            answer=answer.text[:300],
            uncertain=mail.uncertain or answer.uncertain,
        )

    async def _try(self, run: _Run, mail: Mail) -> Answer | MailState:
        message = await run.make(mail)
        if isinstance(message, MailState):
            return message
        await self._store.note(mail, MailState.SENDING)
        try:
            answer = await self._pool.send(mail.address, message)
        except ServerTrouble as trouble:
            run.stopped = str(trouble)
            run.failures.append(str(trouble))
            return MailState.QUEUED
        if mail.uncertain:
            POSSIBLE_DUPLICATES.inc()
        run.broken = run.broken + 1 if answer.code is None else 0
        if run.broken >= STOP_AFTER:
            run.stopped = answer.text
        if answer.verdict is Verdict.DEFERRED:
            run.failures.append(f"{answer.code or ''} {answer.text}".strip())
        return answer

    def _to_stop(self, run: _Run) -> bool:
        if run.stopped is None:
            if self._stopping:
                run.stopped = "shutting down"
            elif not self._presence.valid:
                run.stopped = "others may have taken over"
            elif asyncio.get_running_loop().time() > run.until:
                run.stopped = "out of time"
        return run.stopped is not None

    async def _record(self, mail: Mail, state: MailState, **fields: object) -> None:
        """Record where a mail has come to, however long that takes: the answer is known only here."""
        pause = 0.1
        while True:
            try:
                await self._store.note(mail, state, claim=None, owner=None, at=now(), **fields)
            except StoreUnavailable as error:
                _log.warning("an answer waits for the database", mail=mail.id, reason=str(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5)
            else:
                return

    async def _maker(self, mails: Sequence[Mail]) -> Make:
        """How the bytes of these mails, all of one fan-out, are made."""
        silent = await self._subscribers.silent([mail.recipient for mail in mails])
        newest = None if mails[0].publication is None else await self._newest(mails[0])

        async def make(mail: Mail) -> Message:
            if mail.recipient in silent:
                return MailState.CANCELLED
            if newest is None:
                letter = await self._composing.digest(mail)
                return MailState.CANCELLED if letter is None else letter.filled(mail)
            event = await newest()
            if event.rank > mail.rank:
                return MailState.SUPERSEDED
            return self._composing.letter(mail, event).filled(mail)

        return make

    async def _newest(self, mail: Mail) -> Callable[[], Awaitable[PublicationEvent]]:
        """The newest fact about a mail's publication, looked up again now and then."""
        if mail.publication is None:
            raise ValueError("a digest is about many publications")
        publication = mail.publication
        [event] = await self._store.events([publication])
        clock = asyncio.get_running_loop().time
        seen = clock()

        async def look() -> PublicationEvent:
            nonlocal event, seen
            if clock() - seen > LOOK_EVERY:
                seen = clock()
                ranks = await self._store.ranks([publication])
                if ranks[publication] != event.rank:
                    [event] = await self._store.events([publication])
            return event

        return look
