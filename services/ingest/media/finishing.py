"""From a whole resumable upload to a file: by the process that got its end, or by any after that died."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from uuid import UUID

from services.ingest.media.counting import count, count_refusal
from services.ingest.media.form import workplace
from services.ingest.media.intake import Intake
from services.ingest.media.uploads import LEASE, Refusal, Upload, Uploads
from shared.mongo import StoreUnavailable
from shared.publication import MediaFile
from shared.telemetry import logger
from shared.web import Problem

_AGAIN = timedelta(seconds=20)
_SERVER_ERROR = 500

_log = logger(__name__)


class Finisher:
    """Looks at whole uploads."""

    def __init__(self, uploads: Uploads, intake: Intake) -> None:
        self._uploads = uploads
        self._intake = intake

    async def finish(self, id: UUID) -> MediaFile | None:
        """Make it a file; None where another process is at it. Raises a `Problem` where it is refused."""
        claimed = await self._uploads.claim(id)
        return None if claimed is None else await self._finish(claimed)

    async def finish_left_over(self) -> None:
        """Look at every whole upload that nobody looks at."""
        while (claimed := await self._uploads.claim()) is not None:
            try:
                await self._finish(claimed)
            except Problem as problem:
                _log.info("refused", upload=str(claimed.id), problem=problem.name)

    async def _finish(self, upload: Upload) -> MediaFile:
        try:
            async with self._held(upload.id):
                with workplace(self._intake.settings) as folder:
                    path = folder / "file"
                    with path.open("wb") as file:
                        async for part in self._uploads.content(upload.id):
                            await asyncio.to_thread(file.write, part)
                    media = await self._intake.take(path, upload.description, upload.department)
                await self._uploads.taken(upload.id, media)
        except Problem as problem:
            if problem.status >= _SERVER_ERROR:
                await self._uploads.give_back(upload.id, _AGAIN)
            else:
                await self.refuse(upload, problem)
            raise
        except (StoreUnavailable, OSError):
            with suppress(StoreUnavailable):
                await self._uploads.give_back(upload.id, _AGAIN)
            raise
        count(media, upload.department)
        return media

    async def refuse(self, upload: Upload, problem: Problem) -> None:
        """Keep the reason, to be told to whoever asks; drop the bytes."""
        count_refusal(problem)
        refusal = Refusal(
            status=problem.status, name=problem.name, detail=str(problem), more=dict(problem.more)
        )
        await self._uploads.refuse(upload.id, refusal)

    @asynccontextmanager
    async def _held(self, id: UUID) -> AsyncIterator[None]:
        async def hold() -> None:
            while True:
                await asyncio.sleep(LEASE.total_seconds() / 4)
                with suppress(StoreUnavailable):
                    await self._uploads.still_looking(id)

        holding = asyncio.create_task(hold())
        try:
            yield
        finally:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)
