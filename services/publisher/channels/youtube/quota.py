"""The day's uploads and quota units, counted before each call, by all publisher processes together.

https://developers.google.com/youtube/v3/determine_quota_cost: `videos.insert` has a count of its own,
everything else shares the units, and both begin anew at midnight Pacific time.

Collection `youtube_quota`, a document for each Pacific day.
"""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from pymongo.errors import DuplicateKeyError

from services.publisher.channels.youtube.settings import YoutubeSection
from shared.bus import Later
from shared.events import now
from shared.mongo import Database, store_failures

PACIFIC, KYIV = ZoneInfo("America/Los_Angeles"), ZoneInfo("Europe/Kyiv")
ASK_AGAIN = timedelta(hours=1)
"""How long YouTube's word that the quota is spent is believed: an operator may get it raised."""


class QuotaSpent(Later):
    """Nothing more can be done today. Not an attempt."""

    def __init__(self, what: str, at: datetime) -> None:
        reset = next_day(at)
        when = format_datetime(reset.astimezone(KYIV), "d MMMM 'о' HH:mm", locale="uk")
        super().__init__(
            f"На сьогодні вичерпано {what} YouTube. Продовжимо {when}, коли почнеться нова доба квоти.",
            after=(reset - at).total_seconds(),
            counted=False,
        )


UNITS, UPLOADS = "квоту запитів до", "дозволену кількість завантажень на"


def day_of(at: datetime) -> str:
    """The quota's day, as Pacific calendars have it."""
    return at.astimezone(PACIFIC).date().isoformat()


def next_day(at: datetime) -> datetime:
    """The next midnight Pacific; a day there has 23 or 25 hours twice a year."""
    tomorrow = at.astimezone(PACIFIC).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), PACIFIC).astimezone(at.tzinfo)


class Quota:
    """What is left of the day."""

    def __init__(
        self, database: Database, section: YoutubeSection, clock: Callable[[], datetime] = now
    ) -> None:
        self._days = database["youtube_quota"]
        self._section = section
        self._clock = clock

    async def spend(self, units: int, *, urgent: bool = False) -> None:
        """Count a call before it is made; `urgent` ones may spend what is kept. Raises `QuotaSpent`."""
        kept = 0 if urgent else self._section.units_kept
        await self._count("units", units, self._section.units_per_day - kept, UNITS)

    async def spend_upload(self) -> None:
        """Count an upload before it is begun. Raises `QuotaSpent`."""
        await self._count("uploads", 1, self._section.uploads_per_day, UPLOADS)

    async def refused(self, what: str) -> QuotaSpent:
        """Note that YouTube says it is spent, whatever we counted; the error to raise."""
        at = self._clock()
        field = "no_uploads_until" if what == UPLOADS else "no_units_until"
        with store_failures():
            await self._days.update_one({"_id": day_of(at)}, {"$set": {field: at + ASK_AGAIN}}, upsert=True)
        return QuotaSpent(what, at)

    async def _count(self, field: str, amount: int, most: int, what: str) -> None:
        at = self._clock()
        room: dict[str, object] = {
            "_id": day_of(at),
            f"no_{field}_until": {"$not": {"$gt": at}},
            field: {"$not": {"$gt": most - amount}},
        }
        if amount > most:
            raise QuotaSpent(what, at)
        with store_failures():
            try:
                await self._days.update_one(room, {"$inc": {field: amount}}, upsert=True)
            except DuplicateKeyError:
                # The day is there and has no room; or two calls raced to make it, and now it is there.
                counted = await self._days.update_one(room, {"$inc": {field: amount}})
                if counted.matched_count == 0:
                    raise QuotaSpent(what, at) from None
