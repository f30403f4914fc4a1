"""Stands for the YouTube Data API v3, its resumable uploads, and Google's token endpoint.

https://developers.google.com/youtube/v3/docs, https://developers.google.com/youtube/v3/live/docs,
https://developers.google.com/youtube/v3/guides/using_resumable_upload_protocol,
https://developers.google.com/identity/protocols/oauth2/web-server#offline

Of a video's bytes it keeps their number and hash. A fault that comes before the effect is met by the call
that opens an upload's session, one that loses the answer by the request that ends the upload.
"""

import asyncio
import base64
import hashlib
import re
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel

from tests.platforms.platform import Fault, Picture, Shown, cut, hang

BLOCK: Final = 256 * 1024
"""Bytes: all but the last request of an upload carry a multiple of it."""
CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN = "client.apps.example", "client-secret", "1//refresh"
UPLOADS = "UU-uploads"
LARGEST_THUMBNAIL, KEPT_THUMBNAIL = 2 * 1024 * 1024, 200_000
_BEFORE = frozenset(
    {Fault.THROTTLED, Fault.SERVER_ERROR, Fault.EXPIRED_TOKEN, Fault.FORBIDDEN, Fault.REFUSED}
)
_VIDEO_PARTS = {
    "snippet": ("title", "description", "tags", "categoryId", "defaultLanguage", "defaultAudioLanguage"),
    "status": (
        "privacyStatus",
        "publishAt",
        "license",
        "embeddable",
        "publicStatsViewable",
        "selfDeclaredMadeForKids",
        "containsSyntheticMedia",
    ),
}
"""What `videos.insert` and `videos.update` take, by part."""
_PRIVACIES = ("public", "unlisted", "private")
Resource = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class KeptVideo(BaseModel):
    """A video that was uploaded."""

    id: str
    snippet: Resource
    status: Resource
    processing: str = "succeeded"
    size: int
    sha256: str
    media_type: str
    thumbnail: str | None = None
    """Base64 of small pictures, for pages that show them; `large` of others."""


class KeptBroadcast(BaseModel):
    """A live broadcast that was announced."""

    id: str
    snippet: Resource
    status: Resource
    thumbnail: str | None = None


class _Kept(BaseModel):
    videos: dict[str, KeptVideo] = {}
    broadcasts: dict[str, KeptBroadcast] = {}
    made: int = 0


class _Session:
    """An upload that was begun."""

    def __init__(self, parts: Sequence[str], metadata: Resource, size: int, media_type: str) -> None:
        self.parts = parts
        self.metadata = metadata
        self.size = size
        self.media_type = media_type
        self.arrived = 0
        self.hash = hashlib.sha256()
        self.video: str | None = None

    def take(self, data: bytes) -> None:
        self.hash.update(data)
        self.arrived += len(data)


class YoutubePlatform:
    """One account with one channel."""

    name = "youtube"

    def __init__(self) -> None:
        self.faults: deque[Fault] = deque()
        self.calls: list[str] = []
        self.errors: deque[tuple[int, str]] = deque()
        """Status and reason that the next calls, of whatever kind, are answered with."""
        self.bytes_taken = 0
        """Bytes of videos that came, kept or not."""
        self.cut_after: int | None = None
        """Cut the connection once when so many bytes of a video came."""
        self.busy_after: int | None = None
        """Answer 503 once to the request with which so many bytes came."""
        self.held_after: int | None = None
        """Read no further when so many bytes came, until `released` is set or the client goes."""
        self.released = asyncio.Event()
        self.upload_status = "processed"
        """What the next uploads are said to be at first; `uploaded` while they are processed."""
        self.audited = True
        """False: a project whose uploads are locked as private."""
        self.hesitates = 0
        """How often a session that has all bytes says 308 before it makes a video of them."""
        self.forgets_whole = False
        """True: a session is forgotten as soon as its upload is whole."""
        self.lists_uploads = True
        """False: the list of uploads is behind."""
        self.grants_refused = 0
        """How often the token endpoint will say that the refresh token was revoked."""
        self._tokens = 0
        self._good: set[str] = set()
        self._sessions: dict[str, _Session] = {}
        self._kept = _Kept()
        self.app = self._make_app()

    @property
    def videos(self) -> dict[str, KeptVideo]:
        return self._kept.videos

    @property
    def broadcasts(self) -> dict[str, KeptBroadcast]:
        return self._kept.broadcasts

    def shown(self) -> Sequence[Shown]:
        """Public videos that weren't rejected, and public broadcasts."""
        good = [
            video
            for video in self.videos.values()
            if video.status["uploadStatus"] in ("processed", "uploaded")
        ]
        every: list[KeptVideo | KeptBroadcast] = [*good, *self.broadcasts.values()]
        return [_shown(kept) for kept in every if kept.status["privacyStatus"] == "public"]

    def clear(self) -> None:
        self._kept = _Kept()
        self._sessions.clear()
        self.faults.clear()
        self.errors.clear()
        self.calls.clear()
        self.bytes_taken = 0

    def snapshot(self) -> str:
        return self._kept.model_dump_json()

    def restore(self, snapshot: str) -> None:
        self._kept = _Kept.model_validate_json(snapshot)
        self._sessions.clear()

    def expire_tokens(self) -> None:
        """Take no access token that was given out so far."""
        self._good.clear()

    def lose_sessions(self) -> None:
        """Forget all uploads' sessions."""
        self._sessions.clear()

    def finish(self, id: str, status: str, reason: str | None = None) -> None:
        """End the processing of a video: `processed`, or `rejected` or `failed` for a reason."""
        kept = self.videos[id].status
        kept["uploadStatus"] = status
        if reason is not None:
            kept["rejectionReason" if status == "rejected" else "failureReason"] = reason
        self.videos[id].processing = "failed" if status == "failed" else "succeeded"

    def _make_app(self) -> web.Application:
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_post("/token", self._token)
        for method, path, handler in (
            ("GET", "/youtube/v3/channels", self._list_channels),
            ("GET", "/youtube/v3/playlistItems", self._list_uploads),
            ("GET", "/youtube/v3/videos", self._list_videos),
            ("PUT", "/youtube/v3/videos", self._update_video),
            ("DELETE", "/youtube/v3/videos", self._delete_video),
            ("POST", "/upload/youtube/v3/videos", self._begin_upload),
            ("PUT", "/upload/youtube/v3/videos", self._upload),
            ("POST", "/upload/youtube/v3/thumbnails/set", self._set_thumbnail),
            ("GET", "/youtube/v3/liveBroadcasts", self._list_broadcasts),
            ("POST", "/youtube/v3/liveBroadcasts", self._insert_broadcast),
            ("PUT", "/youtube/v3/liveBroadcasts", self._update_broadcast),
            ("DELETE", "/youtube/v3/liveBroadcasts", self._delete_broadcast),
        ):
            app.router.add_route(method, path, self._guarded(handler))
        return app

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            self.calls.append(f"{request.method} {request.path}")
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if token not in self._good:
                return _error(401, "authError")
            if self.errors:
                return _error(*self.errors.popleft())
            try:
                return await handler(request)
            except _Refused as refused:
                return _error(refused.status, refused.reason)

        return guarded

    async def _token(self, request: web.Request) -> web.Response:
        self.calls.append("POST /token")
        form = await request.post()
        if form.get("client_id") != CLIENT_ID or form.get("client_secret") != CLIENT_SECRET:
            return web.json_response({"error": "invalid_client"}, status=401)
        if form.get("grant_type") != "refresh_token":
            return web.json_response({"error": "unsupported_grant_type"}, status=400)
        if self.grants_refused or form.get("refresh_token") != REFRESH_TOKEN:
            self.grants_refused = max(0, self.grants_refused - 1)
            refusal = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
            return web.json_response(refusal, status=400)
        self._tokens += 1
        token = f"ya29.{self._tokens}"
        self._good.add(token)
        return web.json_response({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    async def _list_channels(self, request: web.Request) -> web.Response:
        if request.query.get("mine") != "true":
            raise _Refused(400, "missingRequiredParameter")
        details = {"relatedPlaylists": {"uploads": UPLOADS}}
        return web.json_response({"items": [{"id": "UC-channel", "contentDetails": details}]})

    async def _list_uploads(self, request: web.Request) -> web.Response:
        if request.query.get("playlistId") != UPLOADS:
            raise _Refused(404, "playlistNotFound")
        videos = [*reversed(self.videos.values())] if self.lists_uploads else []
        items = [
            {
                "snippet": {
                    "title": video.snippet["title"],
                    "description": video.snippet["description"],
                    "publishedAt": video.snippet["publishedAt"],
                    "resourceId": {"kind": "youtube#video", "videoId": video.id},
                }
            }
            for video in videos
        ]
        return _page(request, items)

    async def _list_videos(self, request: web.Request) -> web.Response:
        ids = request.query.get("id", "").split(",")
        if not ids[0] or len(ids) > 50:
            raise _Refused(400, "missingRequiredParameter")
        parts = request.query["part"].split(",")
        found = [self._video(self.videos[id], parts) for id in ids if id in self.videos]
        return web.json_response({"items": found})

    def _video(self, video: KeptVideo, parts: Sequence[str]) -> Resource:
        every = {
            "snippet": video.snippet,
            "status": video.status,
            "processingDetails": {
                "processingStatus": "processing"
                if video.status["uploadStatus"] == "uploaded"
                else video.processing
            },
        }
        return {"id": video.id} | {part: every[part] for part in parts if part in every}

    async def _update_video(self, request: web.Request) -> web.StreamResponse:
        parts, body = request.query["part"].split(","), await request.json()
        video = self.videos.get(body.get("id", ""))
        if video is None:
            raise _Refused(404, "videoNotFound")
        _check_video(parts, body)

        def effect() -> web.Response:
            if "snippet" in parts:
                readonly = {k: v for k, v in video.snippet.items() if k not in _VIDEO_PARTS["snippet"]}
                video.snippet = readonly | _taken(body, "snippet")
            if "status" in parts:
                readonly = {k: v for k, v in video.status.items() if k not in _VIDEO_PARTS["status"]}
                video.status = readonly | {"privacyStatus": "public"} | _taken(body, "status")
                self._lock(video.status)
            return web.json_response(self._video(video, parts))

        return await self._changed(request, effect)

    async def _delete_video(self, request: web.Request) -> web.StreamResponse:
        id = request.query["id"]
        if id not in self.videos:
            raise _Refused(404, "videoNotFound")

        def effect() -> web.Response:
            del self.videos[id]
            return web.Response(status=204)

        return await self._changed(request, effect)

    async def _begin_upload(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("uploadType") != "resumable":
            raise _Refused(400, "mediaBodyRequired")
        parts, body = request.query["part"].split(","), await request.json()
        media_type = request.headers.get("X-Upload-Content-Type", "")
        size = request.headers.get("X-Upload-Content-Length", "")
        if not size.isdigit() or not re.match(r"video/|application/octet-stream$", media_type):
            raise _Refused(400, "mediaBodyRequired")
        _check_video(parts, body)

        def effect() -> web.Response:
            id = self._id("upload")
            self._sessions[id] = _Session(parts, body, int(size), media_type)
            address = request.url.with_query(uploadType="resumable", upload_id=id)
            return web.Response(headers={"Location": str(address)})

        fault = self.faults.popleft() if self.faults and self.faults[0] in _BEFORE else None
        return self._refusal(fault) if fault is not None else effect()

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        session = self._sessions.get(request.query.get("upload_id", ""))
        if session is None:
            raise _Refused(404, "notFound")
        asked = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)", request.headers.get("Content-Range", ""))
        if asked is None or int(asked[3]) != session.size:
            raise _Refused(400, "invalidContentRange")
        if session.video is not None:
            return web.json_response(self._video(self.videos[session.video], session.parts), status=201)
        if asked[1] is None:
            return self._whole(session) if self._done(session) else _resume(session)
        start, end = int(asked[1]), int(asked[2]) + 1
        if start != session.arrived or end > session.size or request.content_length != end - start:
            raise _Refused(400, "invalidContentRange")
        if end < session.size and (end - start) % BLOCK:
            raise _Refused(400, "invalidChunkSize")
        return await self._take(request, session, end)

    async def _take(self, request: web.Request, session: _Session, end: int) -> web.StreamResponse:
        last = end == session.size
        fault = self.faults.popleft() if last and self.faults and self.faults[0] not in _BEFORE else None
        if fault is Fault.CUT_BEFORE:
            return await cut(request)
        waiting = b""
        async for data in request.content.iter_any():
            self.bytes_taken += len(data)
            waiting += data
            whole = len(waiting) - len(waiting) % BLOCK
            session.take(waiting[:whole])
            waiting = waiting[whole:]
            if self.cut_after is not None and self.bytes_taken >= self.cut_after:
                self.cut_after = None
                return await cut(request)
            if self.held_after is not None and self.bytes_taken >= self.held_after:
                await self.released.wait()
        session.take(waiting)
        if self.busy_after is not None and self.bytes_taken >= self.busy_after:
            self.busy_after = None
            return _error(503, "backendError")
        if session.arrived != end:
            raise _Refused(400, "invalidContentRange")
        if not self._done(session):
            return _resume(session)
        return await self._answered(request, fault, lambda: self._whole(session))

    def _done(self, session: _Session) -> bool:
        if session.arrived < session.size:
            return False
        self.hesitates -= 1
        return self.hesitates < 0

    def _whole(self, session: _Session) -> web.Response:
        id = self._id("video")
        session.video = id
        video = KeptVideo(
            id=id,
            snippet={
                "publishedAt": _now(),
                "channelId": "UC-channel",
                "description": "",
                **_taken(session.metadata, "snippet"),
            },
            status={
                "uploadStatus": self.upload_status,
                "license": "youtube",
                "publicStatsViewable": True,
                "privacyStatus": "public",
                **_taken(session.metadata, "status"),
            },
            size=session.size,
            sha256=session.hash.hexdigest(),
            media_type=session.media_type,
        )
        self._lock(video.status)
        self.videos[id] = video
        if self.forgets_whole:
            self._sessions.clear()
        return web.json_response(self._video(video, session.parts), status=201)

    def _lock(self, status: Resource) -> None:
        if not self.audited:
            status["privacyStatus"] = "private"

    async def _set_thumbnail(self, request: web.Request) -> web.StreamResponse:
        id = request.query["videoId"]
        shown = self.videos.get(id) or self.broadcasts.get(id)
        if shown is None:
            raise _Refused(404, "videoNotFound")
        picture = await request.read()
        if request.content_type not in ("image/jpeg", "image/png", "application/octet-stream"):
            raise _Refused(400, "invalidImage")
        if not picture:
            raise _Refused(400, "mediaBodyRequired")
        if len(picture) > LARGEST_THUMBNAIL:
            raise _Refused(413, "uploadTooLarge")

        def effect() -> web.Response:
            small = len(picture) <= KEPT_THUMBNAIL
            shown.thumbnail = base64.b64encode(picture).decode() if small else "large"
            return web.json_response({"items": [{"default": {"url": "https://i.ytimg.example/1.jpg"}}]})

        return await self._changed(request, effect)

    async def _list_broadcasts(self, request: web.Request) -> web.Response:
        if len({"id", "mine", "broadcastStatus"} & set(request.query)) != 1:
            raise _Refused(400, "incompatibleParameters")
        wanted = request.query.get("id")
        items = [
            broadcast.model_dump(exclude={"thumbnail"})
            for broadcast in self.broadcasts.values()
            if (wanted is None and self.lists_uploads) or broadcast.id == wanted
        ]
        return _page(request, items)

    async def _insert_broadcast(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        _check_broadcast(("snippet", "status"), body, upcoming=True)

        def effect() -> web.Response:
            id = self._id("live")
            self.broadcasts[id] = KeptBroadcast(
                id=id,
                snippet={"publishedAt": _now(), "description": "", **body["snippet"]},
                status={"lifeCycleStatus": "created", "recordingStatus": "notRecording", **body["status"]},
            )
            return web.json_response(self.broadcasts[id].model_dump(exclude={"thumbnail"}))

        return await self._changed(request, effect)

    async def _update_broadcast(self, request: web.Request) -> web.StreamResponse:
        parts, body = request.query["part"].split(","), await request.json()
        broadcast = self.broadcasts.get(body.get("id", ""))
        if broadcast is None:
            raise _Refused(404, "liveBroadcastNotFound")
        _check_broadcast(parts, body, upcoming=broadcast.status["lifeCycleStatus"] in ("created", "ready"))

        def effect() -> web.Response:
            if "snippet" in parts:
                kept = {"publishedAt": broadcast.snippet["publishedAt"], "description": ""}
                broadcast.snippet = kept | body["snippet"]
            if "status" in parts:
                cycle = ("lifeCycleStatus", "recordingStatus")
                broadcast.status = body["status"] | {name: broadcast.status[name] for name in cycle}
            return web.json_response(broadcast.model_dump(exclude={"thumbnail"}))

        return await self._changed(request, effect)

    async def _delete_broadcast(self, request: web.Request) -> web.StreamResponse:
        broadcast = self.broadcasts.get(request.query["id"])
        if broadcast is None:
            raise _Refused(404, "liveBroadcastNotFound")
        if broadcast.status["lifeCycleStatus"] not in ("created", "ready"):
            raise _Refused(403, "liveBroadcastDeletionNotAllowed")

        def effect() -> web.Response:
            del self.broadcasts[broadcast.id]
            return web.Response(status=204)

        return await self._changed(request, effect)

    async def _changed(self, request: web.Request, effect: Callable[[], web.Response]) -> web.StreamResponse:
        fault = self.faults.popleft() if self.faults else None
        if fault in _BEFORE:
            return self._refusal(fault)
        if fault is Fault.CUT_BEFORE:
            return await cut(request)
        return await self._answered(request, fault, effect)

    async def _answered(
        self, request: web.Request, fault: Fault | None, effect: Callable[[], web.Response]
    ) -> web.StreamResponse:
        answer = effect()
        if fault is Fault.SERVER_ERROR_AFTER:
            return _error(503, "backendError")
        if fault is Fault.CUT_AFTER:
            return await cut(request)
        if fault is Fault.HANGS_AFTER:
            return await hang()
        return answer

    def _refusal(self, fault: Fault) -> web.Response:
        if fault is Fault.EXPIRED_TOKEN:
            self.expire_tokens()
            self.grants_refused = 1
            return _error(401, "authError")
        return {
            Fault.THROTTLED: _error(403, "rateLimitExceeded"),
            Fault.SERVER_ERROR: _error(503, "backendError"),
            Fault.FORBIDDEN: _error(403, "insufficientPermissions"),
            Fault.REFUSED: _error(400, "invalidTitle"),
        }[fault]

    def _id(self, what: str) -> str:
        self._kept.made += 1
        return f"{what}-{self._kept.made:05d}"


class _Refused(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def _error(status: int, reason: str) -> web.Response:
    """https://developers.google.com/youtube/v3/docs/core_errors"""
    detail = {"message": reason, "domain": "youtube", "reason": reason}
    body = {"error": {"code": status, "message": reason, "errors": [detail]}}
    return web.json_response(body, status=status)


def _resume(session: _Session) -> web.Response:
    headers = {"Range": f"bytes=0-{session.arrived - 1}"} if session.arrived else {}
    return web.Response(status=308, headers=headers)


def _page(request: web.Request, items: list[Resource]) -> web.Response:
    most = int(request.query.get("maxResults", "5"))
    start = int(request.query.get("pageToken", "0"))
    if not 1 <= most <= 50:
        raise _Refused(400, "invalidValue")
    answer: Resource = {"items": items[start : start + most]}
    if start + most < len(items):
        answer["nextPageToken"] = str(start + most)
    return web.json_response(answer)


def _taken(body: Resource, part: str) -> Resource:
    return {name: value for name, value in body.get(part, {}).items() if name in _VIDEO_PARTS[part]}


def _check_words(snippet: Resource) -> None:
    title, description = snippet.get("title", ""), snippet.get("description", "")
    if not 0 < len(title) <= 100 or re.search("[<>]", title):
        raise _Refused(400, "invalidTitle")
    if len(description.encode()) > 5000 or re.search("[<>]", description):
        raise _Refused(400, "invalidDescription")


def _check_video(parts: Sequence[str], body: Resource) -> None:
    if not set(parts) <= set(_VIDEO_PARTS):
        raise _Refused(400, "unexpectedPart")
    if "snippet" in parts:
        snippet = body.get("snippet", {})
        _check_words(snippet)
        tags = snippet.get("tags", [])
        if sum(len(tag) + (2 if " " in tag else 0) for tag in tags) + max(0, len(tags) - 1) > 500:
            raise _Refused(400, "invalidTags")
        if not str(snippet.get("categoryId", "")).isdigit():
            raise _Refused(400, "invalidCategoryId")
    if "status" in parts and body.get("status", {}).get("privacyStatus", "public") not in _PRIVACIES:
        raise _Refused(400, "invalidVideoMetadata")


def _check_broadcast(parts: Sequence[str], body: Resource, *, upcoming: bool) -> None:
    if "snippet" in parts:
        snippet = body.get("snippet", {})
        _check_words(snippet)
        if "scheduledStartTime" not in snippet:
            raise _Refused(400, "scheduledStartTimeRequired")
        starts = datetime.fromisoformat(snippet["scheduledStartTime"])
        if upcoming and not timedelta() < starts - datetime.now(UTC) < timedelta(days=730):
            raise _Refused(400, "invalidScheduledStartTime")
    if "status" in parts and body.get("status", {}).get("privacyStatus") not in _PRIVACIES:
        raise _Refused(400, "invalidPrivacyStatus")


def _shown(kept: KeptVideo | KeptBroadcast) -> Shown:
    snippet = kept.snippet
    words = [snippet["title"], snippet["description"], ", ".join(snippet.get("tags", []))]
    if "scheduledStartTime" in snippet:
        words.insert(1, snippet["scheduledStartTime"])
    return Shown(
        text="\n\n".join(word for word in words if word),
        images=int(kept.thumbnail is not None),
        pictures=[]
        if kept.thumbnail in (None, "large")
        else [Picture(alt="Заставка відео", data=str(kept.thumbnail))],
        video=isinstance(kept, KeptVideo),
        url=f"https://www.youtube.com/watch?v={kept.id}",
    )


def _now() -> str:
    return datetime.now(UTC).isoformat()
