"""Photographs of a post: uploaded where nobody sees them, then attached.

https://developers.facebook.com/docs/graph-api/reference/page/photos; a single one is attached too, since
`/photos` would make it a photo of the album rather than a post that can be edited as such.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, ValidationError

from services.publisher.channels.facebook.client import Graph
from services.publisher.channels.facebook.refusals import Aim, Gone
from services.publisher.channels.interface import Call
from shared.bus import Permanent
from shared.events import now
from shared.media import ImageFormat, MediaStore, rendition_key
from shared.publication import MediaFile

WIDEST = 2560
KEPT_FOR = timedelta(hours=20)
"""Facebook lets go of photographs that weren't attached within a day."""
_AIM = Aim(permission="pages_manage_posts")


class _Uploaded(BaseModel):
    """What a call remembers."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    photos: dict[str, str] = {}
    """Facebook's ids by our own: the same content may stand twice, with other words."""
    photos_since: datetime | None = None


class _Made(BaseModel):
    id: str


class Photos:
    """Carries renditions from the media store to the page."""

    def __init__(self, graph: Graph, media: MediaStore, page: str) -> None:
        self._graph = graph
        self._media = media
        self._page = page

    async def attached(self, photos: Sequence[MediaFile], call: Call) -> str:
        """`attached_media` of a post with these, uploaded unless an earlier try did."""
        known = _remembered(call)
        since = known.photos_since
        fresh = since is not None and now() - since < KEPT_FOR
        ids = dict(known.photos) if fresh else {}
        for photo in photos:
            if str(photo.id) in ids:
                continue
            ids[str(photo.id)] = await self._upload(photo)
            since = since if fresh and since is not None else now()
            fresh = True
            await call.remember(photos=dict(ids), photos_since=since.isoformat())
        return json.dumps([{"media_fbid": ids[str(photo.id)]} for photo in photos])

    async def stale(self, call: Call) -> bool:
        """Forget what was uploaded; whether there was anything that an earlier try had uploaded."""
        known = _remembered(call)
        if not known.photos or call.remembered.get("photos_again"):
            return False
        await call.remember(photos={}, photos_again=True)
        return True

    async def _upload(self, photo: MediaFile) -> str:
        data = await self._media.read(rendition_key(photo, width=WIDEST, format=ImageFormat.JPEG))
        form = {"published": "false", "alt_text_custom": photo.alt or ""}
        caption = ". ".join(
            part for part in (photo.caption, photo.author and f"Фото: {photo.author}") if part
        )
        if caption:
            form["caption"] = caption
        try:
            answer = await self._graph.post(
                f"{self._page}/photos", form, _AIM, picture=(f"{photo.sha256}.jpg", data)
            )
        except Gone as error:
            raise Permanent("Facebook не приймає світлин на цю сторінку.") from error
        return _Made.model_validate(answer).id


def _remembered(call: Call) -> _Uploaded:
    try:
        return _Uploaded.model_validate(dict(call.remembered))
    except ValidationError:
        return _Uploaded()
