"""What operators want of the channels, and what the channels say of themselves.

Collection `controls`, one document a channel. Every publisher process reads it each second: a pause given
by a command reaches all of them, and outlives a restart.
"""

import asyncio
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from shared.events import now
from shared.mongo import Database, StoreUnavailable, store_failures
from shared.telemetry import logger

LOOK_EVERY = 1.0

_log = logger(__name__)


class State(StrEnum):
    """What a channel's queue waits for, if for anything."""

    PREPARING = "preparing"
    OPEN = "open"
    AWAY = "away"
    """The other side isn't there; tried again by itself."""
    HALTED = "halted"
    """An operator has to do something; tried again by itself, more rarely."""
    PAUSED = "paused"
    """An operator wanted it so."""


class Control(BaseModel):
    """One channel's document."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    paused: bool = False
    reason: str | None = None
    """Why an operator paused it."""
    resumed: int = 0
    """How often it was resumed: a channel that waits for its next try tries at once when this grows."""
    state: State = State.PREPARING
    ailment: str | None = None
    """Why the state is what it is, and what would help; in Ukrainian."""
    since: datetime | None = None


class Controls:
    """The documents of all channels."""

    def __init__(self, database: Database) -> None:
        self._controls = database["controls"]
        self._known: dict[str, Control] = {}
        self._changed = asyncio.Event()
        self._read = asyncio.Event()

    async def ready(self) -> None:
        """Wait until they were read once: a paused channel must not open for a moment at a start."""
        await self._read.wait()

    def known(self, channel: str) -> Control:
        """What was read last."""
        return self._known.get(channel, Control())

    async def changed(self) -> None:
        """Wait until something an operator wants is different."""
        await self._changed.wait()

    async def watch(self) -> None:
        """Read again and again, for as long as the service runs."""
        while True:
            try:
                await self.read()
            except StoreUnavailable as error:
                _log.warning("what operators want could not be read", reason=str(error))
            await asyncio.sleep(LOOK_EVERY)

    async def read(self) -> dict[str, Control]:
        """The documents as they are now, by channel."""
        with store_failures():
            documents = await self._controls.find().to_list(None)
        found = {str(document["_id"]): Control.model_validate(document) for document in documents}
        wanted = {name: (each.paused, each.resumed) for name, each in found.items()}
        before = {name: (each.paused, each.resumed) for name, each in self._known.items()}
        self._known = found
        self._read.set()
        if wanted != before:
            self._changed.set()
            self._changed = asyncio.Event()
        return found

    async def pause(self, channel: str, reason: str | None) -> None:
        """Let a channel's queue wait, in all processes, until it is resumed."""
        await self._write(channel, {"$set": {"paused": True, "reason": reason}})

    async def resume(self, channel: str) -> None:
        """End a pause; a channel that waits after a failure tries at once."""
        await self._write(channel, {"$set": {"paused": False, "reason": None}, "$inc": {"resumed": 1}})

    async def tell(self, channel: str, state: State, ailment: str | None) -> None:
        """Note how a channel stands."""
        await self._write(channel, {"$set": {"state": state, "ailment": ailment, "since": now()}})

    async def _write(self, channel: str, change: dict[str, object]) -> None:
        with store_failures():
            await self._controls.update_one({"_id": channel}, change, upsert=True)
