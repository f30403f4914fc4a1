"""What goes on behind the media desk: renditions, unfinished uploads, files that nobody used, leftovers."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

from services.ingest.media.finishing import Finisher
from services.ingest.media.records import Records, Verdict
from services.ingest.media.renditions import Maker
from services.ingest.media.settings import MediaSettings
from services.ingest.media.uploads import Uploads
from services.ingest.metrics import RENDITIONS_WAITING
from shared.events import now
from shared.media import MediaStore
from shared.mongo import StoreUnavailable
from shared.telemetry import logger

POLL = 0.5
"""Seconds between two looks for photographs that wait."""
CLEANING = 60.0
"""Seconds between two cleanings."""

_log = logger(__name__)


class Upkeep:
    """Runs in every process; what one of them has claimed the others leave alone."""

    def __init__(
        self,
        settings: MediaSettings,
        records: Records,
        store: MediaStore,
        uploads: Uploads,
        finisher: Finisher,
    ) -> None:
        self._settings = settings
        self._records = records
        self._store = store
        self._uploads = uploads
        self._finisher = finisher
        self._maker = Maker(records, store)
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Go on until told to stop."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._again_and_again(self.make_renditions, POLL))
            group.create_task(self._again_and_again(self._finisher.finish_left_over, 2 * POLL))
            group.create_task(self._again_and_again(self.measure, 2 * POLL))
            group.create_task(self._again_and_again(self.clean, CLEANING))

    def stop(self) -> None:
        """Claim nothing more."""
        self._stopping.set()

    async def make_renditions(self) -> None:
        """Make all that waits."""
        while not self._stopping.is_set() and await self._maker.make_next():
            pass

    async def measure(self) -> None:
        """Tell how much waits."""
        RENDITIONS_WAITING.set(await self._records.waiting())

    async def clean(self) -> None:
        """Remove what nobody used in time, and what crashes left behind."""
        await self.remove_unused(before=now() - self._settings.unused_for)
        await self._uploads.remove_expired(now())
        for sha256 in await self._records.dead_removals():
            await self._delete(sha256)
        if swept := await self._store.sweep():
            _log.warning("leftovers of broken writes were removed", writes=swept)

    async def remove_unused(self, *, before: datetime) -> None:
        """Remove the files that nobody named since then."""
        for id, sha256 in await self._records.unused_since(before):
            if await self._delete(sha256):
                await self._records.forget(id)
                _log.info("removed a file that nobody used", media=str(id))

    async def _delete(self, sha256: str) -> bool:
        """Delete bytes that no file needs; False where it has to be asked again."""
        verdict = await self._records.may_delete(sha256)
        if verdict is Verdict.DELETE:
            await self._store.delete_all(sha256)
            await self._records.deleted(sha256)
        return verdict is not Verdict.BUSY

    async def _again_and_again(self, work: Callable[[], Awaitable[None]], pause: float) -> None:
        while not self._stopping.is_set():
            try:
                await work()
            except StoreUnavailable as away:
                _log.warning("media wait for the database", reason=str(away))
            except Exception:  # noqa: BLE001  # said, and tried again: the loop must not end
                _log.exception("the upkeep of media stumbled")
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
