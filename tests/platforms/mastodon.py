"""Stands for one account of a Mastodon server: https://docs.joinmastodon.org/methods/."""

import base64
import hashlib
import re
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from io import BytesIO
from typing import Any

from aiohttp import web
from PIL import Image
from pydantic import BaseModel

from tests.platforms.platform import Fault, Picture, Shown, cut, hang

TOKEN, ACCOUNT = "mastodon-token-of-the-press-office", "109302"
LONGEST, PER_URL, MOST_MEDIA = 500, 23, 4
_URL = re.compile(r"https?://\S+")
_THUMBNAIL = (640, 640)


class KeptMedia(BaseModel):
    """A photograph that was uploaded."""

    id: str
    description: str
    sha256: str
    thumbnail: str
    asked: int = 0
    """How often somebody asked whether it is processed."""


class KeptStatus(BaseModel):
    """A status that stands."""

    id: str
    text: str
    media: list[str]
    visibility: str
    language: str | None
    created_at: datetime
    edited: bool = False


class _Kept(BaseModel):
    statuses: dict[str, KeptStatus] = {}
    media: dict[str, KeptMedia] = {}
    keys: dict[str, str] = {}
    made: int = 0


class Refusal(Exception):
    """What the API answers instead of an entity."""

    def __init__(self, status: int, error: str, **headers: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class MastodonPlatform:
    """One server with one account."""

    name = "mastodon"

    def __init__(self) -> None:
        self.faults: deque[Fault] = deque()
        self.calls: list[str] = []
        self.processing = 0
        """How often media says that it is still being processed."""
        self._kept = _Kept()
        self.app = web.Application(client_max_size=16 * 1024 * 1024, middlewares=[self._guard])
        for method, path, handler in (
            ("GET", "/api/v1/accounts/verify_credentials", self._account),
            ("GET", "/api/v2/instance", self._instance),
            ("GET", "/api/v1/accounts/{id}/statuses", self._list),
            ("POST", "/api/v2/media", self._upload),
            ("GET", "/api/v1/media/{id}", self._media),
            ("POST", "/api/v1/statuses", self._post),
            ("PUT", "/api/v1/statuses/{id}", self._edit),
            ("DELETE", "/api/v1/statuses/{id}", self._delete),
        ):
            self.app.router.add_route(method, path, handler)

    @property
    def statuses(self) -> list[KeptStatus]:
        return list(self._kept.statuses.values())

    def shown(self) -> Sequence[Shown]:
        return [self._shown(status) for status in self.statuses]

    def _shown(self, status: KeptStatus) -> Shown:
        media = [self._kept.media[id] for id in status.media]
        return Shown(
            text=status.text,
            images=len(media),
            pictures=[Picture(alt=each.description, data=each.thumbnail) for each in media],
            url=_address(status.id),
        )

    def clear(self) -> None:
        self._kept = _Kept()
        self.faults.clear()
        self.calls.clear()

    def snapshot(self) -> str:
        return self._kept.model_dump_json()

    def restore(self, snapshot: str) -> None:
        self._kept = _Kept.model_validate_json(snapshot)

    def forget_keys(self) -> None:
        """As an hour later: no Idempotency-Key is remembered."""
        self._kept.keys.clear()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.calls.append(f"{request.method} {request.path}")
        try:
            _authorised(request)
            changes = request.method != "GET" and not request.path.endswith("/media")
            fault = self.faults.popleft() if changes and self.faults else None
            return await self._answer(request, handler, fault)
        except Refusal as refusal:
            return web.json_response({"error": refusal.error}, status=refusal.status, headers=refusal.headers)

    async def _answer(self, request: web.Request, handler: Any, fault: Fault | None) -> web.StreamResponse:
        match fault:
            case Fault.THROTTLED:
                reset = datetime.now(UTC) + timedelta(seconds=0.2)
                raise Refusal(429, "Too many requests", X_RateLimit_Reset=reset.isoformat())
            case Fault.EXPIRED_TOKEN:
                raise Refusal(401, "The access token was revoked")
            case Fault.FORBIDDEN:
                raise Refusal(403, "This action is outside the authorized scopes")
            case Fault.REFUSED:
                raise Refusal(422, "Validation failed: Text contains a blocked address")
            case Fault.SERVER_ERROR:
                raise Refusal(503, "Remote data could not be fetched")
            case Fault.CUT_BEFORE:
                return await cut(request)
        answer: web.StreamResponse = await handler(request)
        match fault:
            case Fault.SERVER_ERROR_AFTER:
                raise Refusal(500, "We're sorry, but something went wrong on our end.")
            case Fault.CUT_AFTER:
                return await cut(request)
            case Fault.HANGS_AFTER:
                return await hang()
        return answer

    async def _account(self, request: web.Request) -> web.Response:
        del request
        return web.json_response({"id": ACCOUNT, "username": "miskrada", "acct": "miskrada"})

    async def _instance(self, request: web.Request) -> web.Response:
        del request
        limits = {
            "max_characters": LONGEST,
            "characters_reserved_per_url": PER_URL,
            "max_media_attachments": MOST_MEDIA,
        }
        return web.json_response({"domain": "social.example", "configuration": {"statuses": limits}})

    async def _list(self, request: web.Request) -> web.Response:
        if request.match_info["id"] != ACCOUNT:
            raise Refusal(404, "Record not found")
        limit, before = int(request.query.get("limit", "20")), request.query.get("max_id")
        newest = sorted(self.statuses, key=lambda status: int(status.id), reverse=True)
        found = [each for each in newest if before is None or int(each.id) < int(before)]
        return web.json_response([self._entity(each) for each in found[: min(limit, 40)]])

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        file = form.get("file")
        if not isinstance(file, web.FileField):
            raise Refusal(422, "Validation failed: File can't be blank")
        content = file.file.read()
        self._kept.made += 1
        media = KeptMedia(
            id=str(self._kept.made),
            description=str(form.get("description", "")),
            sha256=hashlib.sha256(content).hexdigest(),
            thumbnail=_small(content),
        )
        self._kept.media[media.id] = media
        status = 202 if self.processing else 200
        return web.json_response({"id": media.id, "type": "image"}, status=status)

    async def _media(self, request: web.Request) -> web.Response:
        media = self._kept.media.get(request.match_info["id"])
        if media is None:
            raise Refusal(404, "Record not found")
        media.asked += 1
        status = 206 if media.asked < self.processing else 200
        return web.json_response({"id": media.id, "type": "image"}, status=status)

    async def _post(self, request: web.Request) -> web.Response:
        key = request.headers.get("Idempotency-Key")
        known = self._kept.keys.get(key or "")
        if known in self._kept.statuses:
            return web.json_response(self._entity(self._kept.statuses[known]))
        body = await self._checked(request)
        self._kept.made += 1
        status = KeptStatus(
            id=str(self._kept.made),
            text=body["status"],
            media=body["media_ids"],
            visibility=body.get("visibility", "public"),
            language=body.get("language"),
            created_at=datetime.now(UTC),
        )
        self._kept.statuses[status.id] = status
        if key is not None:
            self._kept.keys[key] = status.id
        return web.json_response(self._entity(status))

    async def _edit(self, request: web.Request) -> web.Response:
        status = self._of(request)
        body = await self._checked(request)
        for each in body.get("media_attributes", []):
            if each["id"] not in status.media:
                raise Refusal(404, "Record not found")
            self._kept.media[each["id"]].description = each["description"]
        edited = {"text": body["status"], "media": body["media_ids"], "edited": True}
        self._kept.statuses[status.id] = status.model_copy(update=edited)
        return web.json_response(self._entity(self._kept.statuses[status.id]))

    async def _delete(self, request: web.Request) -> web.Response:
        status = self._of(request)
        del self._kept.statuses[status.id]
        return web.json_response(self._entity(status))

    def _of(self, request: web.Request) -> KeptStatus:
        status = self._kept.statuses.get(request.match_info["id"])
        if status is None:
            raise Refusal(404, "Record not found")
        return status

    async def _checked(self, request: web.Request) -> dict[str, Any]:
        body: dict[str, Any] = await request.json()
        body.setdefault("media_ids", [])
        if not body.get("status") and not body["media_ids"]:
            raise Refusal(422, "Validation failed: Text can't be blank")
        if len(_URL.sub("x" * PER_URL, body["status"])) > LONGEST:
            raise Refusal(422, f"Validation failed: Text character limit of {LONGEST} exceeded")
        if len(body["media_ids"]) > MOST_MEDIA:
            raise Refusal(422, "Validation failed: Cannot attach more than 4 files")
        if any(id not in self._kept.media for id in body["media_ids"]):
            raise Refusal(404, "Record not found")
        return body

    def _entity(self, status: KeptStatus) -> dict[str, Any]:
        paragraphs = escape(status.text).replace("\n\n", "</p><p>").replace("\n", "<br />")
        linked = _URL.sub(lambda found: f'<a href="{found[0]}" rel="nofollow">{found[0]}</a>', paragraphs)
        return {
            "id": status.id,
            "url": _address(status.id),
            "content": f"<p>{linked}</p>",
            "created_at": status.created_at.isoformat(),
        }


def _authorised(request: web.Request) -> None:
    if request.headers.get("Authorization") != f"Bearer {TOKEN}":
        raise Refusal(401, "The access token is invalid")


def _address(id: str) -> str:
    return f"https://social.example/@miskrada/{id}"


def _small(content: bytes) -> str:
    with Image.open(BytesIO(content)) as image:
        image.thumbnail(_THUMBNAIL)
        file = BytesIO()
        image.convert("RGB").save(file, "JPEG", quality=80)
    return base64.b64encode(file.getvalue()).decode()
