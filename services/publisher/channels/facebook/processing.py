"""What becomes of a video after it was posted, and the loop that tells the receipt.

https://developers.facebook.com/docs/graph-api/reference/video-status: `video_status` is `processing` until it
is `ready`, or `error`.
"""

import asyncio
from datetime import timedelta
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from services.publisher.channels.facebook.client import Graph
from services.publisher.channels.facebook.records import Record, Records
from services.publisher.channels.facebook.refusals import Aim, Gone
from services.publisher.channels.facebook.remote import posted_of
from services.publisher.channels.interface import Settlement, Surroundings
from shared.bus import BusUnavailable, Later, Permanent
from shared.events import now
from shared.mongo import StoreUnavailable
from shared.telemetry import logger

RAREST = timedelta(hours=1)
"""Between two looks at a video that takes long."""
UNKNOWN_FOR = timedelta(minutes=15)
"""How long a video that was just taken may not be known by its number yet."""
_FAILED = frozenset({"error", "expired", "upload_failed"})
_AIM = Aim(permission="pages_read_engagement")
_log = logger(__name__)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Status(_Model):
    video_status: str = ""


class _Video(_Model):
    permalink_url: str | None = None
    status: _Status = _Status()


class Watch:
    """Looks at videos that are being processed, as long as the process runs; the next one goes on."""

    def __init__(
        self, graph: Graph, records: Records, surroundings: Surroundings, channel: str, every: float
    ) -> None:
        self._graph = graph
        self._records = records
        self._surroundings = surroundings
        self._channel = channel
        self._every = every

    async def run(self) -> None:
        """Again and again."""
        while True:
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001  # whatever it was: it is told, and tried again
                _log.warning("videos could not be looked at", reason=f"{type(error).__name__}: {error}")
            await asyncio.sleep(self._every)

    async def look(self) -> None:
        """Look once at those whose hour has come."""
        while (due := await self._records.due(now(), timedelta(seconds=self._every))) is not None:
            id, record = due
            try:
                await self._look_at(id, record)
            except (Later, Permanent, StoreUnavailable, BusUnavailable) as error:
                _log.warning("a video could not be looked at", publication_id=str(id), reason=str(error))

    async def _look_at(self, id: UUID, record: Record) -> None:
        if record.post is None:
            await self._records.change(id, look_at=None)
            return
        settlement = await self._verdict(record, record.post)
        if settlement is None:
            age = now() - record.sent_at
            pause = max(timedelta(seconds=self._every), min(RAREST, age / 4))
            await self._records.change(id, look_at=now() + pause)
            return
        await self._surroundings.settle(self._channel, id, settlement)
        await self._records.change(id, look_at=None)

    async def _verdict(self, record: Record, id: str) -> Settlement | None:
        """None as long as there is none."""
        try:
            answer = await self._graph.get(id, {"fields": "status,permalink_url"}, _AIM)
        except Gone:
            if now() - record.sent_at < UNKNOWN_FOR:
                return None
            return Settlement(posted=None, reason="Відео видалено у Facebook.")
        video = _Video.model_validate(answer)
        if video.status.video_status in _FAILED:
            return Settlement(posted=None, reason="Facebook не зміг обробити відео: потрібен інший файл.")
        if video.status.video_status != "ready":
            return None
        return Settlement(posted=posted_of(record, id, video.permalink_url, video=True))
