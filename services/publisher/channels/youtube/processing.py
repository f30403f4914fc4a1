"""What becomes of a video after its upload, and the loop that tells the receipt.

https://developers.google.com/youtube/v3/docs/videos#status.uploadStatus
"""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from services.publisher.channels.interface import Posted, Settlement, Surroundings
from services.publisher.channels.youtube.client import PAGE, Api
from services.publisher.channels.youtube.records import Record, Records
from services.publisher.channels.youtube.resources import Video
from services.publisher.channels.youtube.settings import YoutubeSection
from shared.bus import BusUnavailable, Later, Permanent
from shared.events import now
from shared.mongo import StoreUnavailable
from shared.telemetry import logger

PROCESSING = "YouTube обробляє відео."
AT_MOST = timedelta(days=1)
"""How long the receipt waits for YouTube to be done."""
_RAREST = timedelta(minutes=10)

_REJECTED = {
    "claim": "його вміст заявлено чужим",
    "copyright": "порушення авторського права",
    "duplicate": "таке саме відео вже є на каналі",
    "inappropriate": "неприйнятний вміст",
    "legal": "правова вимога",
    "length": "воно задовге для цього каналу",
    "termsOfUse": "порушення правил YouTube",
    "trademark": "порушення прав на торговельну марку",
    "uploaderAccountClosed": "обліковий запис закрито",
    "uploaderAccountSuspended": "обліковий запис призупинено",
}
_FAILED = {
    "codec": "кодек не підтримується",
    "conversion": "відео не вдалося перетворити",
    "emptyFile": "файл порожній",
    "invalidFile": "формат файла не розпізнано",
    "tooSmall": "файл замалий",
    "uploadAborted": "завантаження перервалося",
}
_log = logger(__name__)


class Verdict(BaseModel):
    """How a video stands."""

    model_config = ConfigDict(frozen=True)

    pending: bool = False
    refusal: str | None = None
    """Why nobody will ever see it."""


def verdict_of(video: Video) -> Verdict:
    """What YouTube has made of it so far."""
    match video.upload_status:
        case "rejected":
            why = video.says("status", "rejectionReason")
            return Verdict(refusal=f"YouTube відхилив відео: {_REJECTED.get(why, why or 'без пояснення')}.")
        case "failed":
            why = video.says("status", "failureReason")
            return Verdict(
                refusal=f"YouTube не зміг обробити відео: {_FAILED.get(why, why or 'без пояснення')}."
            )
        case "deleted":
            return Verdict(refusal="Відео видалено з YouTube.")
        case "processed" | "":
            return Verdict()
        case _:
            if video.processing.get("processingStatus") in ("failed", "terminated"):
                return Verdict(refusal="YouTube не зміг обробити відео.")
            return Verdict(pending=True)


def privacy_note(video: Video, wanted: str) -> str | None:
    """What to tell where YouTube shows a video to fewer people than it was asked to.

    All uploads of a project that wasn't audited are locked as private:
    https://developers.google.com/youtube/v3/docs/videos/insert
    """
    got = video.says("status", "privacyStatus")
    if not got or wanted in (got, "private"):
        return None
    return "YouTube залишив відео закритим: проєкт API, мабуть, не пройшов перевірки."


class Watch:
    """Looks at videos that are being processed, as long as the process runs; the next one goes on."""

    def __init__(
        self, api: Api, records: Records, section: YoutubeSection, surroundings: Surroundings, channel: str
    ) -> None:
        self._api = api
        self._records = records
        self._section = section
        self._surroundings = surroundings
        self._channel = channel

    async def run(self) -> None:
        """Again and again."""
        while True:
            try:
                await self.look()
            except (Later, Permanent, StoreUnavailable, BusUnavailable) as error:
                _log.warning("videos being processed could not be looked at", reason=str(error))
            except Exception:  # noqa: BLE001  # whatever it was: it is logged, and tried again
                _log.exception("videos being processed could not be looked at")
            await asyncio.sleep(self._section.look_every)

    async def look(self, at: datetime | None = None) -> None:
        """Look once at those whose hour has come."""
        at = at or now()
        pause = timedelta(seconds=self._section.look_every)
        due = await self._records.due(at, PAGE, pause)
        ids = [record.video for record in due.values() if record.video is not None and not record.refusal]
        videos = await self._api.videos(ids) if ids else {}
        for id, record in due.items():
            settlement = self._settlement(record, videos.get(record.video or ""), at)
            if settlement is None:
                pause = min(pause * 2 ** min(record.looks, 10), _RAREST)
                await self._records.change(id, look_at=at + pause)
            else:
                await self._settle(id, settlement)

    async def _settle(self, id: UUID, settlement: Settlement) -> None:
        # In this order: a crash between the two settles it again, with the same words.
        await self._surroundings.settle(self._channel, id, settlement)
        await self._records.change(id, awaiting=False, refusal=None)

    def _settlement(self, record: Record, video: Video | None, at: datetime) -> Settlement | None:
        if record.refusal is not None:
            return Settlement(posted=None, reason=record.refusal)
        if video is None:
            return Settlement(posted=None, reason="Відео видалено з YouTube, поки воно оброблялося.")
        verdict = verdict_of(video)
        if verdict.refusal is not None:
            return Settlement(posted=None, reason=verdict.refusal)
        posted = Posted(remote={"video": video.id}, url=f"{self._section.watch_url}{video.id}")
        if not verdict.pending:
            note = privacy_note(video, self._section.privacy)
            return Settlement(posted=posted.model_copy(update={"note": note}))
        if record.awaiting_since is not None and at - record.awaiting_since > AT_MOST:
            late = "YouTube обробляє відео довше за добу: перевірте його в YouTube Studio."
            return Settlement(posted=posted.model_copy(update={"note": late}))
        return None
