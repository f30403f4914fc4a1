"""The calls of the YouTube Data API that the channel makes, each counted against the day's quota.

https://developers.google.com/youtube/v3/docs. Every call may raise `Later`, `Away`, `Halted`, `Permanent`
and `NotFound`; those that aren't harmless when made twice, `Unconfirmed` too.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import httpx
from pydantic import JsonValue

from services.publisher.channels.interface import Away, Halted, Unconfirmed
from services.publisher.channels.youtube.quota import Quota
from services.publisher.channels.youtube.refusals import NotFound, error_of
from services.publisher.channels.youtube.resources import (
    Broadcast,
    Broadcasts,
    OwnChannels,
    Part,
    Playlist,
    Video,
    Videos,
)
from services.publisher.channels.youtube.settings import YoutubeSection
from services.publisher.channels.youtube.tokens import Tokens

READ, WRITE = 1, 50
"""Units: https://developers.google.com/youtube/v3/determine_quota_cost."""
PAGE = 50
"""The most items that a list gives at a time."""
_DATA: Final = "/youtube/v3"
_UPLOAD: Final = "/upload/youtube/v3"
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_SILENT = "Зв’язок із YouTube обірвався."
_UNREACHABLE = "YouTube недоступний."


class Api:
    """One account's access to the API."""

    def __init__(
        self, http: httpx.AsyncClient, section: YoutubeSection, tokens: Tokens, quota: Quota
    ) -> None:
        self.http = http
        self.tokens = tokens
        self.quota = quota
        self._section = section

    async def uploads_playlist(self) -> str:
        """The id of the list of everything that the account's channel ever took."""
        answer = await self._call("GET", f"{_DATA}/channels", {"part": "contentDetails", "mine": "true"})
        channels = OwnChannels.model_validate_json(answer.content).items
        if not channels:
            raise Halted(
                "Обліковий запис Google не має каналу YouTube.",
                remedy="Створіть канал або отримайте refresh token від імені того, хто ним керує.",
            )
        return channels[0].details.playlists.uploads

    async def uploads(self, playlist: str, page: str | None) -> Playlist:
        """A page of that list, newest first."""
        params = {"part": "snippet", "playlistId": playlist, "maxResults": str(PAGE), **_paged(page)}
        answer = await self._call("GET", f"{_DATA}/playlistItems", params)
        return Playlist.model_validate_json(answer.content)

    async def videos(self, ids: Sequence[str], *, urgent: bool = False) -> dict[str, Video]:
        """Those of at most 50 videos that are there, by id."""
        params = {"part": "snippet,status,processingDetails", "id": ",".join(ids)}
        answer = await self._call("GET", f"{_DATA}/videos", params, urgent=urgent)
        return {video.id: video for video in Videos.model_validate_json(answer.content).items}

    async def update_video(self, id: str, parts: Mapping[str, Part], *, urgent: bool = False) -> Video:
        """Replace these parts, whole."""
        body: dict[str, JsonValue] = {"id": id, **parts}
        answer = await self._call(
            "PUT",
            f"{_DATA}/videos",
            {"part": ",".join(parts)},
            body,
            cost=WRITE,
            doubtful=True,
            urgent=urgent,
        )
        return Video.model_validate_json(answer.content)

    async def set_thumbnail(self, id: str, jpeg: bytes) -> None:
        """Show this picture before the video plays: at most 2 MB."""
        await self._call(
            "POST",
            f"{_UPLOAD}/thumbnails/set",
            {"videoId": id, "uploadType": "media"},
            jpeg,
            cost=WRITE,
        )

    async def begin_upload(self, parts: Mapping[str, Part], *, size: int, media_type: str) -> str:
        """Announce a file; return the session's address, which is a secret. One of the day's uploads."""
        await self.quota.spend_upload()
        answer = await self._call(
            "POST",
            f"{_UPLOAD}/videos",
            {"uploadType": "resumable", "part": ",".join(parts)},
            dict(parts),
            headers={"X-Upload-Content-Length": str(size), "X-Upload-Content-Type": media_type},
            cost=0,
        )
        address = answer.headers.get("Location")
        if not address:
            raise Away("YouTube не дав адреси для завантаження.")
        return str(address)

    async def broadcast(self, id: str, *, urgent: bool = False) -> Broadcast | None:
        """One live broadcast; None where it isn't there."""
        params = {"part": "snippet,status", "id": id}
        answer = await self._call("GET", f"{_DATA}/liveBroadcasts", params, urgent=urgent)
        items = Broadcasts.model_validate_json(answer.content).items
        return items[0] if items else None

    async def broadcasts(self, page: str | None) -> Broadcasts:
        """A page of the account's broadcasts."""
        params = {"part": "snippet,status", "mine": "true", "maxResults": str(PAGE), **_paged(page)}
        answer = await self._call("GET", f"{_DATA}/liveBroadcasts", params)
        return Broadcasts.model_validate_json(answer.content)

    async def insert_broadcast(self, parts: Mapping[str, Part]) -> Broadcast:
        """Announce a broadcast. There is no idempotency key: made twice, it stands there twice."""
        answer = await self._call(
            "POST",
            f"{_DATA}/liveBroadcasts",
            {"part": ",".join(parts)},
            dict(parts),
            cost=WRITE,
            doubtful=True,
        )
        return Broadcast.model_validate_json(answer.content)

    async def update_broadcast(
        self, id: str, parts: Mapping[str, Part], *, urgent: bool = False
    ) -> Broadcast:
        """Replace these parts, whole."""
        body: dict[str, JsonValue] = {"id": id, **parts}
        answer = await self._call(
            "PUT",
            f"{_DATA}/liveBroadcasts",
            {"part": ",".join(parts)},
            body,
            cost=WRITE,
            doubtful=True,
            urgent=urgent,
        )
        return Broadcast.model_validate_json(answer.content)

    async def delete_broadcast(self, id: str) -> None:
        """Remove it; success where it is gone already."""
        try:
            await self._call(
                "DELETE", f"{_DATA}/liveBroadcasts", {"id": id}, cost=WRITE, doubtful=True, urgent=True
            )
        except NotFound:
            return

    async def authorization(self) -> dict[str, str]:
        """The header that every request carries."""
        return {"Authorization": f"Bearer {await self.tokens.get()}"}

    async def _call(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        body: dict[str, JsonValue] | bytes | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        cost: int = READ,
        doubtful: bool = False,
        urgent: bool = False,
    ) -> httpx.Response:
        if cost:
            await self.quota.spend(cost, urgent=urgent)
        answer = await self._sent(method, path, params, body, headers or {}, doubtful=doubtful)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self.tokens.refused(_token_of(answer))
            answer = await self._sent(method, path, params, body, headers or {}, doubtful=doubtful)
        if answer.is_success:
            return answer
        raise await error_of(answer, self.quota, doubtful=doubtful, uploads=not cost)

    async def _sent(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        body: dict[str, JsonValue] | bytes | None,
        headers: Mapping[str, str],
        *,
        doubtful: bool,
    ) -> httpx.Response:
        carried = {**await self.authorization(), **headers}
        picture = isinstance(body, bytes)
        if picture:
            carried["Content-Type"] = "image/jpeg"
        try:
            return await self.http.request(
                method,
                f"{self._section.api_url}{path}",
                params=params,
                headers=carried,
                content=body if isinstance(body, bytes) else None,
                json=None if picture else body,
            )
        except NOT_SENT as error:
            raise Away(_UNREACHABLE) from error
        except httpx.TransportError as error:
            if doubtful:
                raise Unconfirmed(_SILENT) from error
            raise Away(_SILENT) from error


def _paged(page: str | None) -> dict[str, str]:
    return {} if page is None else {"pageToken": page}


def _token_of(answer: httpx.Response) -> str:
    return answer.request.headers["Authorization"].removeprefix("Bearer ")
