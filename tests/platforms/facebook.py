"""Stands for the Graph API: one page's posts, photographs and videos, and the uploads of one app.

https://developers.facebook.com/docs/pages-api/posts, https://developers.facebook.com/docs/graph-api/guides/upload,
https://developers.facebook.com/docs/graph-api/guides/error-handling

Of a video's bytes it keeps their number and hash. A scripted fault is met by the next call whose effect
readers would see; `failures` are for chosen calls.
"""

import base64
import hashlib
import hmac
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel

from tests.platforms.platform import Fault, Picture, Shown, cut, hang

PAGE_ID, APP_ID = "100200300", "900800700"
PAGE_TOKEN, APP_SECRET = "EAAB-page-token", "app-secret"
LONGEST_MESSAGE: Final = 63_206
MOST_PHOTOS: Final = 10
KEPT_IMAGE: Final = 200_000
HOME = "https://www.facebook.com"
ALL_PERMISSIONS = frozenset({"pages_manage_posts", "pages_read_engagement"})
_BEFORE = frozenset(
    {
        Fault.THROTTLED,
        Fault.SERVER_ERROR,
        Fault.CUT_BEFORE,
        Fault.EXPIRED_TOKEN,
        Fault.FORBIDDEN,
        Fault.REFUSED,
    }
)
_ONE_MORE_MINUTE = {
    "X-Business-Use-Case-Usage": json.dumps(
        {
            PAGE_ID: [
                {
                    "type": "pages",
                    "call_count": 50,
                    "total_cputime": 20,
                    "total_time": 20,
                    "estimated_time_to_regain_access": 0,
                }
            ]
        }
    )
}
"""The shortest wait it can ask for: less than a minute is none."""
Fields = dict[str, str]
Effect = Callable[[], dict[str, Any]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class KeptPost(BaseModel):
    """One post of the page."""

    id: str
    message: str
    link: str | None = None
    photos: list[str] = []
    video: str | None = None
    created: float


class KeptPhoto(BaseModel):
    """One photograph, attached to a post or not."""

    id: str
    alt: str
    caption: str = ""
    size: int
    sha256: str
    base64: str | None = None
    """Of small ones, for pages that show them."""
    attached: bool = False


class KeptVideo(BaseModel):
    """One video; its post is there once it is processed."""

    id: str
    title: str
    description: str
    size: int
    sha256: str
    post: str
    failed: bool = False
    """Facebook could not process it."""


class _Kept(BaseModel):
    posts: dict[str, KeptPost] = {}
    photos: dict[str, KeptPhoto] = {}
    videos: dict[str, KeptVideo] = {}
    made: int = 0


@dataclass
class Upload:
    """A file being uploaded."""

    size: int
    media_type: str
    arrived: int = 0
    digest: Any = field(default_factory=hashlib.sha256)


@dataclass(frozen=True)
class Failure(Exception):
    """An answer with an error, as the documentation gives it."""

    code: int
    message: str = "An error occurred"
    subcode: int = 0
    status: int = 400
    transient: bool = False
    user_message: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def answer(self) -> web.Response:
        error: dict[str, Any] = {
            "message": f"(#{self.code}) {self.message}",
            "type": "OAuthException",
            "code": self.code,
            "fbtrace_id": "AbCdEfGhIjK",
        }
        if self.subcode:
            error["error_subcode"] = self.subcode
        if self.transient:
            error["is_transient"] = True
        if self.user_message:
            error["error_user_title"] = "Facebook"
            error["error_user_msg"] = self.user_message
        return web.json_response({"error": error}, status=self.status, headers=self.headers)


UNKNOWN_OBJECT = Failure(
    100,
    "Unsupported request. Object does not exist, cannot be loaded due to missing permissions, "
    "or does not support this operation",
    subcode=33,
)
THROTTLED = Failure(32, "Page request limit reached", headers=_ONE_MORE_MINUTE)
SERVER_ERROR = Failure(2, "Service temporarily unavailable", status=500, transient=True)
EXPIRED = Failure(190, "Error validating access token: Session has expired.", subcode=463, status=401)
FORBIDDEN = Failure(200, "Requires pages_manage_posts permission to manage the object", status=403)
REFUSED = Failure(100, "Invalid parameter", subcode=1609005, user_message="The link could not be processed.")
DUPLICATE = Failure(506, "Duplicate status message")


@dataclass(frozen=True)
class Script:
    """What one chosen call will be answered with."""

    call: str
    """The method and the path's end: `POST /photos`."""
    failure: Failure
    effect: bool = False
    """Whether it takes effect all the same."""


class FacebookPlatform:
    """One page and one app."""

    name = "facebook"

    def __init__(self) -> None:
        self.faults: deque[Fault] = deque()
        self.calls: list[str] = []
        self.requests: list[str] = []
        """Addresses with their queries, and nothing else of the calls."""
        self.failures: list[Script] = []
        """Each met once, by the first call that it is for."""
        self.lag = 0.0
        """Seconds after which a post is listed."""
        self.headers: dict[str, str] = {}
        """Sent with every answer: the usage of limits."""
        self.permissions: frozenset[str] = ALL_PERMISSIONS
        self.revoked: int | None = None
        """The subcode with which the token is refused."""
        self.app_secret: str | None = None
        """Set: calls have to carry a proof."""
        self.processes_videos = True
        """False: videos stay in processing, and their posts aren't listed."""
        self.most_listed = 100
        """Posts in one answer, whatever is asked for."""
        self.cut_after: int | None = None
        """Cut the connection once when so many bytes of a file came."""
        self.held_after: int | None = None
        """Read no further when so many bytes of a file came, until the client goes."""
        self.bytes_taken = 0
        """Of files, kept or not."""
        self.uploads: dict[str, Upload] = {}
        self._handles: dict[str, Upload] = {}
        self._kept = _Kept()
        self.app = self._make_app()

    @property
    def posts(self) -> dict[str, KeptPost]:
        return self._kept.posts

    @property
    def photos(self) -> dict[str, KeptPhoto]:
        return self._kept.photos

    @property
    def videos(self) -> dict[str, KeptVideo]:
        return self._kept.videos

    def shown(self) -> Sequence[Shown]:
        return [
            self._shown(post)
            for post in self.posts.values()
            if post.video is None or self._status(self.videos[post.video]) == "ready"
        ]

    def clear(self) -> None:
        self._kept = _Kept()
        self.uploads.clear()
        self._handles.clear()
        self.faults.clear()
        self.failures.clear()
        self.calls.clear()
        self.requests.clear()
        self.bytes_taken = 0

    def snapshot(self) -> str:
        return self._kept.model_dump_json()

    def restore(self, snapshot: str) -> None:
        self._kept = _Kept.model_validate_json(snapshot)
        self.uploads.clear()
        self._handles.clear()

    def lose_uploads(self) -> None:
        """Forget all uploads' sessions and handles."""
        self.uploads.clear()
        self._handles.clear()

    def _shown(self, post: KeptPost) -> Shown:
        photos = [self.photos[id] for id in post.photos]
        title = "" if post.video is None else self.videos[post.video].title
        text = "\n".join(part for part in (title, post.message, *(photo.caption for photo in photos)) if part)
        return Shown(
            text=text,
            images=len(photos),
            pictures=[Picture(alt=each.alt, data=each.base64) for each in photos if each.base64 is not None],
            video=post.video is not None,
            link=post.link,
            url=self._permalink(post),
        )

    def _make_app(self) -> web.Application:
        app = web.Application(client_max_size=32 * 1024 * 1024)
        for method, path, handler in (
            ("POST", f"/{PAGE_ID}/feed", self._post_feed),
            ("POST", f"/{PAGE_ID}/photos", self._post_photo),
            ("POST", f"/{PAGE_ID}/videos", self._post_video),
            ("GET", f"/{PAGE_ID}/published_posts", self._list_posts),
            ("POST", f"/{APP_ID}/uploads", self._begin_upload),
            ("GET", r"/{id:upload:[^/]+}", self._upload_state),
            ("POST", r"/{id:upload:[^/]+}", self._upload),
            ("GET", "/{id}", self._get),
            ("POST", "/{id}", self._edit),
            ("DELETE", "/{id}", self._delete),
        ):
            app.router.add_route(method, r"/{version:v\d+\.\d+}" + path, self._guarded(handler))
        return app

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            path = "/" + request.path.split("/", 2)[2]
            self.calls.append(f"{request.method} {path}")
            self.requests.append(str(request.url))
            script = self._script(f"{request.method} {path}")
            try:
                self._check_token(request)
                if script is not None and not script.effect:
                    raise script.failure
                answer = await handler(request)
            except Failure as failure:
                answer = failure.answer()
            if script is not None and script.effect:
                answer = script.failure.answer()
            if not answer.prepared:
                answer.headers.update(self.headers)
            return answer

        return guarded

    def _script(self, call: str) -> Script | None:
        for script in self.failures:
            method, end = script.call.split(" ")
            if call.startswith(method) and call.endswith(end):
                self.failures.remove(script)
                return script
        return None

    def _check_token(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not token:
            raise Failure(104, "An access token is required to request this resource.", status=401)
        if scheme not in ("Bearer", "OAuth") or token != PAGE_TOKEN:
            raise Failure(190, f"Malformed access token {token}", status=401)
        if self.revoked is not None:
            raise Failure(190, "Error validating access token", subcode=self.revoked, status=401)
        if self.app_secret is not None:
            proof = hmac.new(self.app_secret.encode(), token.encode(), hashlib.sha256).hexdigest()
            if request.query.get("appsecret_proof") != proof:
                raise Failure(100, "API calls from the server require an appsecret_proof argument")

    def _needs(self, permission: str) -> None:
        if permission not in self.permissions:
            raise Failure(200, f"Requires {permission} permission to manage the object", status=403)

    async def _get(self, request: web.Request) -> web.Response:
        id = request.match_info["id"]
        wanted = request.query.get("fields", "id").split(",")
        if id == PAGE_ID:
            whole = {"id": PAGE_ID, "name": "Луцька міська рада", "link": f"{HOME}/{PAGE_ID}"}
            return web.json_response({name: whole[name] for name in wanted if name in whole})
        self._needs("pages_read_engagement")
        if id in self.videos:
            return web.json_response(self._video(self.videos[id]))
        if id not in self.posts:
            raise UNKNOWN_OBJECT
        return web.json_response(self._listed(self.posts[id]))

    async def _list_posts(self, request: web.Request) -> web.Response:
        self._needs("pages_read_engagement")
        since = float(request.query.get("since", 0))
        until = float(request.query.get("until", "inf"))
        limit = int(request.query.get("limit", 25))
        if limit > 100:
            raise Failure(100, "The limit parameter is too large")
        limit = min(limit, self.most_listed)
        start = int(request.query.get("after", 0))
        posts = [
            post
            for post in reversed(self.posts.values())
            if since <= post.created <= until
            and post.created + self.lag <= time.time()
            and (post.video is None or self._status(self.videos[post.video]) == "ready")
        ]
        answer: dict[str, Any] = {"data": [self._listed(post) for post in posts[start : start + limit]]}
        if answer["data"]:
            answer["paging"] = {"cursors": {"before": str(start), "after": str(start + limit)}}
            if start + limit < len(posts):
                answer["paging"]["next"] = str(request.url.update_query(after=start + limit))
        return web.json_response(answer)

    async def _post_feed(self, request: web.Request) -> web.StreamResponse:
        self._needs("pages_manage_posts")
        form = await _form(request)
        message, link = form.get("message", ""), form.get("link")
        photos = [str(each["media_fbid"]) for each in json.loads(form.get("attached_media", "[]"))]
        _check_message(message)
        if not (message or link or photos):
            raise Failure(100, "The post is empty. Please enter a message to share.")
        if link is not None and not link.startswith(("https://", "http://")):
            raise REFUSED
        if len(photos) > MOST_PHOTOS or (photos and link):
            raise Failure(100, "Invalid parameter attached_media")
        for id in photos:
            if id not in self.photos or self.photos[id].attached:
                raise Failure(100, f"Invalid parameter attached_media: {id}")
        if any((post.message, post.link) == (message, link) for post in self.posts.values()):
            raise DUPLICATE

        def effect() -> dict[str, Any]:
            for id in photos:
                self.photos[id].attached = True
            post = self._make_post(message, link=link, photos=photos)
            return _asked({"id": post.id, "permalink_url": self._permalink(post)}, form)

        return await self._changed(request, effect)

    async def _post_photo(self, request: web.Request) -> web.StreamResponse:
        self._needs("pages_manage_posts")
        parts = await request.post()
        source = parts.get("source")
        if not isinstance(source, web.FileField):
            raise Failure(324, "Missing or invalid image file")
        if parts.get("published") != "false":
            raise Failure(100, "This stand-in only takes photographs that are attached later")
        data = source.file.read()
        if not data.startswith(b"\xff\xd8"):
            raise Failure(324, "Missing or invalid image file")
        id = self._id()
        self.photos[id] = KeptPhoto(
            id=id,
            alt=str(parts.get("alt_text_custom", "")),
            caption=str(parts.get("caption", "")),
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            base64=base64.b64encode(data).decode() if len(data) <= KEPT_IMAGE else None,
        )
        return web.json_response({"id": id})

    async def _post_video(self, request: web.Request) -> web.StreamResponse:
        self._needs("pages_manage_posts")
        form = await _form(request)
        upload = self._handles.get(form.get("fbuploader_video_file_chunk", ""))
        if upload is None:
            raise Failure(100, "Invalid parameter fbuploader_video_file_chunk")
        description = form.get("description", "")
        _check_message(description)

        def effect() -> dict[str, Any]:
            id = self._id()
            post = self._make_post(description, video=id)
            self.videos[id] = KeptVideo(
                id=id,
                title=form.get("title", ""),
                description=description,
                size=upload.size,
                sha256=upload.digest.hexdigest(),
                post=post.id,
            )
            return _asked({"id": id, "permalink_url": _video_path(id)}, form)

        return await self._changed(request, effect)

    async def _begin_upload(self, request: web.Request) -> web.Response:
        form = await _form(request)
        if form.get("file_type") not in ("application/pdf", "image/jpeg", "image/png", "video/mp4"):
            raise Failure(100, "Invalid parameter file_type")
        if not form.get("file_length", "").isdigit() or not form.get("file_name"):
            raise Failure(100, "Missing parameter")
        id = f"upload:{self._id()}"
        self.uploads[id] = Upload(int(form["file_length"]), form["file_type"])
        return web.json_response({"id": id})

    async def _upload_state(self, request: web.Request) -> web.Response:
        upload = self._upload_of(request)
        return web.json_response({"id": request.match_info["id"], "file_offset": upload.arrived})

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        upload = self._upload_of(request)
        if request.headers.get("file_offset") != str(upload.arrived):
            raise Failure(100, "Invalid file_offset")
        async for block in request.content.iter_chunked(256 * 1024):
            upload.digest.update(block)
            upload.arrived += len(block)
            self.bytes_taken += len(block)
            if upload.arrived > upload.size:
                raise Failure(100, "More bytes than announced")
            if self.cut_after is not None and self.bytes_taken >= self.cut_after:
                self.cut_after = None
                return await cut(request)
            if self.held_after is not None and self.bytes_taken >= self.held_after:
                return await hang()
        if upload.arrived < upload.size:
            return web.json_response({"id": request.match_info["id"], "file_offset": upload.arrived})
        handle = f"2:{self._id()}"
        self._handles[handle] = upload
        return web.json_response({"h": handle})

    def _upload_of(self, request: web.Request) -> Upload:
        upload = self.uploads.get(request.match_info["id"])
        if upload is None:
            raise UNKNOWN_OBJECT
        if not request.headers["Authorization"].startswith("OAuth "):
            raise Failure(100, "The access token must be in the header")
        return upload

    async def _edit(self, request: web.Request) -> web.StreamResponse:
        self._needs("pages_manage_posts")
        id, form = request.match_info["id"], await _form(request)
        if id in self.videos:
            video = self.videos[id]
            post = self.posts[video.post]
        elif id in self.posts:
            video, post = None, self.posts[id]
        else:
            raise UNKNOWN_OBJECT
        if set(form) - ({"message"} if video is None else {"name", "description"}):
            raise Failure(100, "Only the text of a post can be changed")
        message = form.get("message" if video is None else "description", post.message)
        _check_message(message)

        def effect() -> dict[str, Any]:
            post.message = message
            if video is not None:
                video.description = message
                video.title = form.get("name", video.title)
            return {"success": True}

        return await self._changed(request, effect)

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        self._needs("pages_manage_posts")
        id = request.match_info["id"]
        if id not in self.videos and id not in self.posts:
            raise UNKNOWN_OBJECT

        def effect() -> dict[str, Any]:
            post = self.posts.pop(self.videos[id].post if id in self.videos else id)
            if post.video is not None:
                del self.videos[post.video]
            return {"success": True}

        return await self._changed(request, effect)

    async def _changed(self, request: web.Request, effect: Effect) -> web.StreamResponse:
        """Answer a call whose effect readers see; a scripted fault comes before or after it."""
        fault = self.faults.popleft() if self.faults else None
        if fault in _BEFORE:
            if fault is Fault.CUT_BEFORE:
                return await cut(request)
            raise {
                Fault.THROTTLED: THROTTLED,
                Fault.SERVER_ERROR: SERVER_ERROR,
                Fault.EXPIRED_TOKEN: EXPIRED,
                Fault.FORBIDDEN: FORBIDDEN,
                Fault.REFUSED: REFUSED,
            }[fault]
        answer = effect()
        if fault is Fault.SERVER_ERROR_AFTER:
            raise SERVER_ERROR
        if fault is Fault.CUT_AFTER:
            return await cut(request)
        if fault is Fault.HANGS_AFTER:
            return await hang()
        return web.json_response(answer)

    def _make_post(
        self, message: str, *, link: str | None = None, photos: Sequence[str] = (), video: str | None = None
    ) -> KeptPost:
        post = KeptPost(
            id=f"{PAGE_ID}_{self._id()}",
            message=message,
            link=link,
            photos=list(photos),
            video=video,
            created=time.time(),
        )
        self.posts[post.id] = post
        return post

    def _listed(self, post: KeptPost) -> dict[str, Any]:
        listed: dict[str, Any] = {
            "id": post.id,
            "message": post.message,
            "created_time": time.strftime("%Y-%m-%dT%H:%M:%S+0000", time.gmtime(post.created)),
            "permalink_url": self._permalink(post),
        }
        if post.video is not None:
            listed["attachments"] = {"data": [{"media_type": "video", "target": {"id": post.video}}]}
        elif post.photos:
            listed["attachments"] = {"data": [{"media_type": "album", "target": {"id": post.id}}]}
        return listed

    def _status(self, video: KeptVideo) -> str:
        return "error" if video.failed else "ready" if self.processes_videos else "processing"

    def _video(self, video: KeptVideo) -> dict[str, Any]:
        status = {"video_status": self._status(video)}
        return {"id": video.id, "permalink_url": _video_path(video.id), "status": status}

    def _permalink(self, post: KeptPost) -> str:
        return f"{HOME}/{post.id.replace('_', '/posts/')}"

    def _id(self) -> str:
        self._kept.made += 1
        return str(7_000_000 + self._kept.made)


def _video_path(id: str) -> str:
    return f"/{PAGE_ID}/videos/{id}/"


def _check_message(message: str) -> None:
    if len(message.encode("utf-16-le")) // 2 > LONGEST_MESSAGE:
        raise Failure(100, "The message is too long")


def _asked(whole: dict[str, Any], form: Fields) -> dict[str, Any]:
    wanted = form.get("fields", "id").split(",")
    return {name: value for name, value in whole.items() if name in wanted}


async def _form(request: web.Request) -> Fields:
    return {name: str(value) for name, value in (await request.post()).items()}
