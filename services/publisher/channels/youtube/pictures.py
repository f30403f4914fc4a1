"""The picture that stands for a video before it plays: the publication's first photograph.

https://developers.google.com/youtube/v3/docs/thumbnails/set: JPEG or PNG of at most 2 MB; the account must be
verified by phone.
"""

from collections.abc import Awaitable, Callable

from services.publisher.channels.interface import Unconfirmed
from services.publisher.channels.youtube.client import Api
from services.publisher.channels.youtube.refusals import NotFound
from shared.bus import Later, Permanent
from shared.media import WIDTHS, ImageFormat, MediaMissing, MediaStore, rendition_key
from shared.publication import Publication

LARGEST = 2 * 1024 * 1024
"""Bytes."""
_WIDEST = 1600
"""Pixels: players show no wider one."""
_WIDTHS = tuple(width for width in reversed(WIDTHS) if width <= _WIDEST)
_NOT_SET = "Обкладинку відео не встановлено."


class Pictures:
    """Sets them. A video without is better than none: a failure is a note on the receipt."""

    def __init__(self, api: Api, media: MediaStore) -> None:
        self._api = api
        self._media = media

    async def wait_for(self, publication: Publication) -> None:
        """Raise `MediaMissing` as long as the photograph's renditions aren't made."""
        keys = _keys(publication)
        if keys and not await self._media.has(keys[0]):
            raise MediaMissing("Фотографія для обкладинки ще готується.", after=5)

    async def set(
        self, publication: Publication, video: str, before: str | None, keep: Callable[[str], Awaitable[None]]
    ) -> str | None:
        """Set it unless it was set `before`, and `keep` its key; return what to tell where that failed."""
        keys = _keys(publication)
        if not keys or keys[0] == before:
            return None
        try:
            for key in keys:
                jpeg = await self._media.read(key)
                if len(jpeg) <= LARGEST:
                    await self._api.set_thumbnail(video, jpeg)
                    await keep(keys[0])
                    return None
        except (Later, Permanent, Unconfirmed, NotFound) as error:
            return f"{_NOT_SET} {error}".strip()
        return f"{_NOT_SET} Фотографія завелика."


def _keys(publication: Publication) -> list[str]:
    """The photograph's renditions, widest first."""
    if not publication.photos:
        return []
    photo = publication.photos[0]
    keys = [rendition_key(photo, width=width, format=ImageFormat.JPEG) for width in _WIDTHS]
    return list(dict.fromkeys(keys))
