"""Consuming: what every consumer does around its handler, in the same way.

A message is acknowledged after its effect, or after the copy that takes its place (waiting or
parked) is confirmed. So it may come twice, and never not at all.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from faststream.exceptions import RejectMessage
from faststream.rabbit import RabbitBroker, RabbitMessage

from shared.bus.publishing import BusUnavailable, HeaderValue, publish
from shared.bus.topology import parked_name, wait_exchange
from shared.events import Unreadable, now
from shared.mongo import StoreUnavailable
from shared.telemetry import CONSUMED, PARKED, RETRIED, log_context, logger

ATTEMPT = "x-attempt"
"""How often a message was tried before. Our own: RabbitMQ 4 ignores an `x-death` that a client sends."""
REASON = "x-reason"
PARKED_AT = "x-parked-at"
QUEUE = "x-queue"

_log = logger(__name__)


class Readable(Protocol):
    """What a queue carries, once read."""

    def log_context(self) -> dict[str, str]: ...


T = TypeVar("T", bound=Readable)
T_contra = TypeVar("T_contra", contravariant=True)


class Permanent(Exception):
    """A failure that time can't heal: the message is parked at once. The text says why, for a person."""


class Later(Exception):
    """A failure that time can heal: the message takes the next step of the ladder.

    Any other exception of a handler is treated alike. `after`: seconds that the other side asked for;
    the wait is at least that long, as far as the ladder reaches. `counted`: whether it is an attempt at
    all; where it isn't, the message stays on its step of the ladder, and can't come to its end.
    """

    def __init__(self, reason: str, *, after: float = 0, counted: bool = True) -> None:
        super().__init__(reason)
        self.after = after
        self.counted = counted


class Report(Protocol[T_contra]):
    """Told when attempt number `attempt` failed: tried again in `wait` seconds, or parked (`wait` None)."""

    async def __call__(self, message: T_contra, *, reason: str, attempt: int, wait: float | None) -> None: ...


@dataclass(frozen=True)
class Consumption(Generic[T]):
    """One queue's consumer: how to read a message, what to do with it, whom to tell of its failures."""

    queue: str
    read: Callable[[bytes], T]
    """Raises `Unreadable`."""
    handle: Callable[[T], Awaitable[None]]
    report: Report[T] | None = None
    prefetch: int = 20
    """Messages handled at the same time."""
    heeds: tuple[str, ...] = ()
    """Targets whose deliveries the queue gets too; for queues that `Bus.tap` consumes."""
    deadline: float = 60
    """Seconds for one attempt; far below the 30 minutes after which RabbitMQ closes the channel."""
    store_patience: float = field(default=1200, kw_only=True)
    """Seconds that a message is held while the database is away, before the ladder takes it."""


class Consumer(Generic[T]):
    """Runs one `Consumption` against messages as they come."""

    def __init__(self, consumption: Consumption[T], publisher: RabbitBroker, ladder: Sequence[float]) -> None:
        self._consumption = consumption
        self._publisher = publisher
        self._ladder = ladder

    async def __call__(self, raw: RabbitMessage) -> None:
        """Handle one delivery; returning means acknowledge.

        Raises `RejectMessage(requeue=True)` where neither the effect nor the copy succeeded.
        """
        queue = self._consumption.queue
        try:
            message = self._consumption.read(raw.body)
        except Unreadable as error:
            await self._park(raw, reason=str(error), attempt=_attempts(raw))
            CONSUMED.labels(queue, "unreadable").inc()
            return
        with log_context({**message.log_context(), "queue": queue}):
            await self._attempt(raw, message)

    async def _attempt(self, raw: RabbitMessage, message: T) -> None:
        attempt = _attempts(raw) + 1
        queue = self._consumption.queue
        try:
            await self._handle(message)
        except Permanent as error:
            await self._give_up(raw, message, str(error), attempt)
        except Exception as error:  # noqa: BLE001  # any failure takes the ladder, none is swallowed
            reason = str(error) or type(error).__name__
            if isinstance(error, Later | StoreUnavailable | BusUnavailable | TimeoutError):
                _log.warning("attempt failed", attempt=attempt, reason=reason)
            else:
                _log.exception("attempt failed unexpectedly", attempt=attempt)
                reason = f"{type(error).__name__}: {reason}"
            asked, counted = (error.after, error.counted) if isinstance(error, Later) else (0, True)
            wait = self._wait(attempt if counted else min(attempt, len(self._ladder)), asked)
            if wait is None:
                await self._give_up(raw, message, f"tried {attempt} times: {reason}", attempt)
            else:
                made = attempt if counted else attempt - 1
                await self._postpone(raw, message, reason, made, wait)
        else:
            CONSUMED.labels(queue, "done").inc()

    async def _handle(self, message: T) -> None:
        """Call the handler; hold the message, not the ladder, while the database is away."""
        consumption = self._consumption
        loop = asyncio.get_running_loop()
        until = loop.time() + consumption.store_patience
        pause = 0.2
        while True:
            try:
                async with asyncio.timeout(consumption.deadline):
                    await consumption.handle(message)
            except StoreUnavailable as error:
                if loop.time() > until:
                    raise
                _log.warning("waiting for the database", reason=str(error))
                await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311  # jitter, not a secret
                pause = min(pause * 2, 5)
            else:
                return

    def _wait(self, attempt: int, asked: float) -> float | None:
        """Seconds until the next attempt; None at the ladder's end."""
        steps = self._ladder[attempt - 1 :]
        if not steps:
            return None
        return next((step for step in steps if step >= asked), steps[-1])

    async def _postpone(self, raw: RabbitMessage, message: T, reason: str, attempt: int, wait: float) -> None:
        queue = self._consumption.queue
        await self._tell(message, reason=reason, attempt=attempt, wait=wait)
        await self._copy(raw, {ATTEMPT: attempt, REASON: reason[:1000]}, wait=wait)
        RETRIED.labels(queue).inc()
        CONSUMED.labels(queue, "retried").inc()

    async def _give_up(self, raw: RabbitMessage, message: T, reason: str, attempt: int) -> None:
        await self._tell(message, reason=reason, attempt=attempt, wait=None)
        await self._park(raw, reason=reason, attempt=attempt)
        CONSUMED.labels(self._consumption.queue, "parked").inc()

    async def _tell(self, message: T, *, reason: str, attempt: int, wait: float | None) -> None:
        if self._consumption.report is not None:
            with _requeued_on_failure():
                await self._consumption.report(message, reason=reason, attempt=attempt, wait=wait)

    async def _park(self, raw: RabbitMessage, *, reason: str, attempt: int) -> None:
        _log.error("parked", reason=reason, attempt=attempt, queue=self._consumption.queue)
        headers: dict[str, HeaderValue] = {
            ATTEMPT: attempt,
            REASON: reason[:1000],
            PARKED_AT: now().isoformat(),
            QUEUE: self._consumption.queue,
        }
        await self._copy(raw, headers, wait=None)
        PARKED.labels(self._consumption.queue).inc()

    async def _copy(self, raw: RabbitMessage, headers: dict[str, HeaderValue], *, wait: float | None) -> None:
        queue = self._consumption.queue
        with _requeued_on_failure():
            await publish(
                self._publisher,
                raw.body,
                exchange=None if wait is None else wait_exchange(wait),
                routing_key=parked_name(queue) if wait is None else queue,
                content_type=raw.content_type or "application/octet-stream",
                message_id=raw.message_id,
                headers=headers,
            )


class _requeued_on_failure:  # noqa: N801  # reads as a context manager
    """The copy, or its report, failed: the original goes back to its queue, which counts the delivery."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, BusUnavailable | StoreUnavailable | TimeoutError):
            _log.warning("back to the queue", reason=str(error))
            raise RejectMessage(requeue=True) from error


def _attempts(raw: RabbitMessage) -> int:
    value = raw.headers.get(ATTEMPT, 0)
    return value if isinstance(value, int) and value >= 0 else 0
