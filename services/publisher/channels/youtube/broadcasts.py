"""Live broadcasts: announced with their hour, moved with it, taken down when they are off.

https://developers.google.com/youtube/v3/live/docs/liveBroadcasts. `insert` knows no idempotency key: what it
may have made is looked up by the marker in the description before it is called again.
"""

from datetime import datetime, timedelta
from uuid import UUID

from services.publisher.channels.facts import hour
from services.publisher.channels.interface import Away, Posted, Surroundings, Unconfirmed
from services.publisher.channels.youtube.client import Api
from services.publisher.channels.youtube.metadata import Metadata, marker_of
from services.publisher.channels.youtube.pictures import Pictures
from services.publisher.channels.youtube.records import Record, Records
from services.publisher.channels.youtube.resources import Broadcast, Part
from services.publisher.channels.youtube.settings import YoutubeSection
from shared.bus import Later, Permanent
from shared.events import now
from shared.publication import BroadcastDetails, Publication

_PAGES = 10
_SNIPPET = ("title", "description", "scheduledStartTime", "scheduledEndTime")
_STATUS = ("privacyStatus", "selfDeclaredMadeForKids")
"""What `liveBroadcasts.update` replaces. https://developers.google.com/youtube/v3/live/docs/liveBroadcasts/update"""
_REMOVED = "Анонс трансляції на YouTube видалено поза системою: вирішіть, чи створювати його знову."
_NOT_LISTED_YET = "Невідомо, чи YouTube створив анонс трансляції: перевіримо ще раз."


class Broadcasts:
    """The channel's part for publications that announce a broadcast on the internet."""

    def __init__(
        self, api: Api, records: Records, section: YoutubeSection, surroundings: Surroundings
    ) -> None:
        self._api = api
        self._records = records
        self._section = section
        self._pictures = Pictures(api, surroundings.media)

    async def show(
        self,
        publication: Publication,
        details: BroadcastDetails,
        metadata: Metadata,
        *,
        posted: Posted | None,
    ) -> Posted:
        """Have it announced with these words and this hour."""
        id, record = publication.id, await self._records.get(publication.id)
        known = record.broadcast or (posted and posted.remote.get("broadcast")) or None
        if not isinstance(known, str):
            known = await self._listed(id, record)
        if known is not None:
            broadcast = await self._api.broadcast(known)
            if broadcast is None:
                raise Permanent(_REMOVED)
            broadcast = await self._changed(broadcast, details, metadata, public=posted is None)
        elif details.airs_at <= now() or details.state == "aired":
            return await self._too_late(id, details)
        else:
            broadcast = await self._announced(id, details, metadata)
        record = await self._records.change(
            id, broadcast=broadcast.id, announcing_at=None, awaiting=False, refusal=None
        )

        async def keep(key: str) -> None:
            await self._records.change(id, thumbnail=key)

        note = await self._pictures.set(publication, broadcast.id, record.thumbnail, keep)
        url = f"{self._section.watch_url}{broadcast.id}"
        return Posted(remote={"broadcast": broadcast.id}, url=url, note=note)

    async def withdraw(self, id: UUID, posted: Posted | None) -> None:
        """Delete it where it hasn't begun; else make its recording private."""
        record = await self._records.get(id)
        known = record.broadcast or (posted and posted.remote.get("broadcast")) or None
        if not isinstance(known, str):
            known = await self._listed(id, record)
        if known is None:
            return
        broadcast = await self._api.broadcast(known, urgent=True)
        if broadcast is not None and broadcast.upcoming:
            await self._api.delete_broadcast(known)
            broadcast = None
        if broadcast is not None and broadcast.says("status", "privacyStatus") != "private":
            status = _mutable(broadcast.status, _STATUS) | {"privacyStatus": "private"}
            await self._api.update_broadcast(known, {"status": status}, urgent=True)
        kept = None if broadcast is None else known
        await self._records.change(id, broadcast=kept, announcing_at=None, thumbnail=None, awaiting=False)

    async def _announced(self, id: UUID, details: BroadcastDetails, metadata: Metadata) -> Broadcast:
        parts: dict[str, Part] = {
            "snippet": {
                "title": metadata.title,
                "description": metadata.description,
                "scheduledStartTime": details.airs_at.isoformat(),
            },
            "status": {"privacyStatus": self._section.privacy, "selfDeclaredMadeForKids": False},
        }
        await self._records.change(id, announcing_at=now())
        try:
            return await self._api.insert_broadcast(parts)
        except (Away, Later, Permanent):
            await self._records.change(id, announcing_at=None)
            raise

    async def _changed(
        self, broadcast: Broadcast, details: BroadcastDetails, metadata: Metadata, *, public: bool
    ) -> Broadcast:
        before = _mutable(broadcast.snippet, _SNIPPET)
        snippet = before | {"title": metadata.title, "description": metadata.description}
        if broadcast.upcoming and not _same_hour(broadcast.says("snippet", "scheduledStartTime"), details):
            snippet["scheduledStartTime"] = details.airs_at.isoformat()
            snippet.pop("scheduledEndTime", None)
        parts = {} if snippet == before else {"snippet": snippet}
        if public and broadcast.says("status", "privacyStatus") != self._section.privacy:
            parts["status"] = _mutable(broadcast.status, _STATUS) | {"privacyStatus": self._section.privacy}
        return await self._api.update_broadcast(broadcast.id, parts) if parts else broadcast

    async def _too_late(self, id: UUID, details: BroadcastDetails) -> Posted:
        refusal = f"Трансляцію не створено: її час ({hour(details.airs_at)}) уже минув."
        at = now()
        await self._records.change(id, awaiting=True, awaiting_since=at, look_at=at, looks=0, refusal=refusal)
        return Posted(awaiting=refusal)

    async def _listed(self, id: UUID, record: Record) -> str | None:
        """What an earlier try may have announced; None if certainly nothing. Raises `Unconfirmed`."""
        if record.announcing_at is None:
            return None
        page: str | None = None
        for _ in range(_PAGES):
            listed = await self._api.broadcasts(page)
            for broadcast in listed.items:
                if marker_of(id) in broadcast.says("snippet", "description"):
                    return broadcast.id
            page = listed.next
            if page is None:
                break
        if now() - record.announcing_at < timedelta(seconds=self._section.listing_delay):
            raise Unconfirmed(_NOT_LISTED_YET)
        return None


def _same_hour(stands: str, details: BroadcastDetails) -> bool:
    try:
        return datetime.fromisoformat(stands) == details.airs_at
    except ValueError:
        return False


def _mutable(part: Part, names: tuple[str, ...]) -> Part:
    return {name: part[name] for name in names if name in part}
