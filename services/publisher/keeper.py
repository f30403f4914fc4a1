"""Keeps one channel's queue open while the channel can work, and shut while it can't: the circuit breaker.

A message that would fail whatever it says is better left in its queue, where it costs no attempt and
nobody waits for it, than carried to a server that isn't there.
"""

import asyncio
from collections.abc import Coroutine
from datetime import datetime, timedelta

from services.publisher.alerts import Alert
from services.publisher.channels.interface import Away, Channel, Halted
from services.publisher.controls import Control, Controls, State
from services.publisher.metrics import CHANNEL_STATE
from shared.bus import BusUnavailable, Permanent, Tap
from shared.events import now
from shared.mongo import StoreUnavailable
from shared.telemetry import logger

TRIPS_AT = 5
"""Calls in a row that found the other side away."""
SHORTEST, LONGEST = 2.0, 300.0
"""Seconds between two tries to make a channel ready; doubled each time."""

TOO_LONG = timedelta(minutes=10)
"""A channel that is away for so long is told of."""

_log = logger(__name__)


class Keeper:
    """Opens and shuts the tap of one channel."""

    def __init__(self, channel: Channel, tap: Tap, controls: Controls, alert: Alert) -> None:
        self._channel = channel
        self._tap = tap
        self._controls = controls
        self._alert = alert
        self._away = 0
        self._tripped = asyncio.Event()
        self._trouble: Exception | None = None
        self._open = asyncio.Event()
        self._state = State.PREPARING
        self._ailment: str | None = None
        self._outside = False
        """Whether what ails the channel is on its other side."""
        self._away_since: datetime | None = None
        self._told_of_absence = False

    async def run(self) -> None:
        """For as long as the service runs."""
        await self._controls.ready()
        pause = SHORTEST
        while True:
            if self._control.paused:
                await self._stand(State.PAUSED, self._control.reason)
                await self._controls.changed()
                continue
            if not await self._made_ready():
                await self._until_next_try(pause)
                pause = min(pause * 2, LONGEST)
                continue
            await self._serve()
            pause = SHORTEST
            if isinstance(self._trouble, Halted):
                await self._halt(self._trouble)
                await self._until_next_try(LONGEST)
            elif self._trouble is not None:
                await self._stand_away(self._trouble)
                await self._until_next_try(pause)

    def notice(self, error: Exception | None) -> None:
        """How a call ended; None where it succeeded."""
        if isinstance(error, Halted):
            self._trip(error)
        elif isinstance(error, Away | TimeoutError):
            self._away += 1
            if self._away >= TRIPS_AT:
                self._trip(error)
        elif error is None or isinstance(error, Permanent):
            # The other side answered. A wait for the page, or for the store, says nothing of it.
            self._away, self._away_since = 0, None

    async def ready(self) -> None:
        """Wait until the queue is consumed."""
        await self._open.wait()

    async def health(self) -> str | None:
        """What keeps the channel from working. A pause is no ailment: somebody wanted it."""
        if self._state in (State.OPEN, State.PAUSED):
            return None
        return self._ailment or "being prepared"

    async def readiness(self) -> str | None:
        """What keeps this process from doing its part: not a platform that is away or has barred us.

        Else one expired token would have the whole publisher taken for ill, and with it what waits for it.
        """
        return None if self._outside else await self.health()

    @property
    def _control(self) -> Control:
        return self._controls.known(self._channel.name)

    def _trip(self, error: Exception) -> None:
        self._trouble = error
        self._tripped.set()

    async def _made_ready(self) -> bool:
        try:
            await self._channel.prepare()
        except Halted as error:
            await self._halt(error)
        except Exception as error:  # noqa: BLE001  # whatever it was: it is told by `health`, and tried again
            _log.warning("the channel is not ready", channel=self._channel.name, reason=_reason(error))
            await self._stand_away(error)
        else:
            return True
        return False

    async def _serve(self) -> None:
        """Consume until a call trips, or an operator wants a pause."""
        self._away, self._trouble = 0, None
        self._tripped.clear()
        try:
            await self._tap.open()
        except BusUnavailable as error:
            self._trouble = error
            return
        await self._stand(State.OPEN, None)
        _log.info("the channel is ready", channel=self._channel.name)
        self._open.set()
        opened = now()
        await self._tell_of_return()
        try:
            while not self._tripped.is_set() and not self._control.paused:
                await _first(self._tripped.wait(), self._controls.changed())
        finally:
            self._open.clear()
            await self._tap.shut()
        if now() - opened > TOO_LONG:
            # Nothing came to prove that it was back; what is wrong now began now.
            self._away_since = None

    async def _until_next_try(self, seconds: float) -> None:
        """Wait, but no longer than until an operator wants something else."""
        if self._away_since is not None and not self._told_of_absence:
            due = (self._away_since + TOO_LONG - now()).total_seconds()
            seconds = min(seconds, max(due, SHORTEST))
        await _first(asyncio.sleep(seconds), self._controls.changed())

    async def _halt(self, error: Halted) -> None:
        self._outside = True
        told = f"{error} {error.remedy}"
        await self._stand(State.HALTED, told)
        await self._alert(f"Канал {self._channel.name} зупинено", told)

    async def _stand_away(self, error: Exception) -> None:
        """Away; the operators hear of it once it lasts."""
        reason = _reason(error)
        self._outside = isinstance(error, Away | TimeoutError)
        await self._stand(State.AWAY, reason)
        self._away_since = self._away_since or now()
        if now() - self._away_since >= TOO_LONG and not self._told_of_absence:
            self._told_of_absence = True
            await self._alert(
                f"Канал {self._channel.name} недоступний",
                f"Довше ніж {TOO_LONG.total_seconds() / 60:.0f} хв.: {reason} Черга чекає, спроби тривають.",
            )

    async def _tell_of_return(self) -> None:
        if self._told_of_absence:
            self._told_of_absence, self._away_since = False, None
            await self._alert(f"Канал {self._channel.name} знову доступний", "Черга рушила.")

    async def _stand(self, state: State, ailment: str | None) -> None:
        self._state, self._ailment = state, ailment
        for each in State:
            CHANNEL_STATE.labels(self._channel.name, each).set(each is state)
        try:
            await self._controls.tell(self._channel.name, state, ailment)
        except StoreUnavailable as error:
            _log.warning("the channel's state could not be kept", reason=str(error))


async def _first(*awaited: Coroutine[object, object, object]) -> None:
    """Wait for whichever ends first, and cancel the others."""
    tasks = [asyncio.ensure_future(each) for each in awaited]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, Away | Halted) else f"{type(error).__name__}: {error}"
