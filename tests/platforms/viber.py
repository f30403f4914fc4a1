"""Stands for the Channels Post API: one Viber Channel.

https://developers.viber.com/docs/tools/channels-post-api/. Every answer is `200`; its status is in the body.
"""

import json
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel

from tests.platforms.platform import Fault, Shown, cut, hang

TOKEN, OWNER = "4a5b-viber-token", "01234567890A="
LONGEST: Final = 7000
LONGEST_CAPTION: Final = 768
LARGEST: Final = 30_000
_STATUSES = {
    0: "ok",
    1: "invalidUrl",
    2: "invalidAuthToken",
    3: "badData",
    4: "missingData",
    10: "webhookNotSet",
    12: "tooManyRequests",
    15: "publicAccountNotAuthorized",
}
_BEFORE = {Fault.THROTTLED: 12, Fault.EXPIRED_TOKEN: 2, Fault.FORBIDDEN: 15, Fault.REFUSED: 3}


def _wrong_text(form: dict[str, Any]) -> int:
    text = form.get("text", "")
    if not text:
        return 4
    return 3 if len(text) > LONGEST else 0


def _wrong_picture(form: dict[str, Any]) -> int:
    media = form.get("media", "")
    if not media:
        return 4
    fetched = media.startswith(("https://", "http://")) and media.endswith(".jpg")
    return 0 if fetched and len(form.get("text", "")) <= LONGEST_CAPTION else 3


_WRONG = {"text": _wrong_text, "picture": _wrong_picture}


class KeptPost(BaseModel):
    """One post of the channel."""

    token: int
    type: str
    text: str = ""
    media: str | None = None


class _Kept(BaseModel):
    posts: list[KeptPost] = []
    made: int = 5741311803571721087


class ViberPlatform:
    """One channel, whose webhook is set unless a test takes it away."""

    name = "viber"

    def __init__(self) -> None:
        self.faults: deque[Fault] = deque()
        self.calls: list[str] = []
        self.webhook: str | None = "https://rada.example/viber"
        self.members = [{"id": OWNER, "name": "Пресслужба", "avatar": "", "role": "superadmin"}]
        self.status: int | None = None
        """Answered to every post, without effect."""
        self.spared = 0
        """Posts that are taken before the first fault is met."""
        self._kept = _Kept()
        self.app = web.Application()
        self.app.router.add_post("/pa/set_webhook", self._set_webhook)
        self.app.router.add_post("/pa/get_account_info", self._account)
        self.app.router.add_post("/pa/post", self._post)

    @property
    def posts(self) -> list[KeptPost]:
        return self._kept.posts

    def shown(self) -> Sequence[Shown]:
        return [Shown(text=post.text, images=int(post.type == "picture")) for post in self.posts]

    def clear(self) -> None:
        self._kept = _Kept()
        self.spared = 0
        self.faults.clear()
        self.calls.clear()

    def snapshot(self) -> str:
        return self._kept.model_dump_json()

    def restore(self, snapshot: str) -> None:
        self._kept = _Kept.model_validate_json(snapshot)

    async def _set_webhook(self, request: web.Request) -> web.Response:
        form = await self._read(request)
        if isinstance(form, int):
            return _answer(form)
        url = str(form.get("url", ""))
        if not url.startswith("https://"):
            return _answer(1)
        self.webhook = url
        return _answer(0, event_types=[])

    async def _account(self, request: web.Request) -> web.Response:
        form = await self._read(request)
        if isinstance(form, int):
            return _answer(form)
        return _answer(
            0,
            id="pa:75346594275468546724",
            name="Луцька міська рада",
            uri="lutskrada",
            webhook=self.webhook or "",
            members=self.members,
        )

    async def _post(self, request: web.Request) -> web.StreamResponse:
        form = await self._read(request)
        if isinstance(form, int):
            return _answer(form)
        wrong = self.status or self._wrong(form)
        if wrong:
            return _answer(wrong)
        fault = self.faults.popleft() if self.faults and not self.spared else None
        self.spared = max(0, self.spared - 1)
        if fault in _BEFORE:
            return _answer(_BEFORE[fault])
        if fault is Fault.SERVER_ERROR:
            return web.Response(status=503, text="Service Unavailable")
        if fault is not Fault.CUT_BEFORE:
            post = self._make(form)
        return await self._lost(request, fault) if fault else _answer(0, message_token=post.token)

    def _make(self, form: dict[str, Any]) -> KeptPost:
        self._kept.made += 1
        post = KeptPost(
            token=self._kept.made,
            type=str(form["type"]),
            text=str(form.get("text", "")),
            media=form.get("media"),
        )
        self.posts.append(post)
        return post

    async def _lost(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault is Fault.SERVER_ERROR_AFTER:
            return web.Response(status=500, text="Internal Server Error")
        return await (hang() if fault is Fault.HANGS_AFTER else cut(request))

    def _wrong(self, form: dict[str, Any]) -> int:
        """The status of a post that isn't as the documentation wants it; 0 where it is."""
        if self.webhook is None:
            return 10
        if not form.get("from") or not form.get("type"):
            return 4
        if form["from"] not in [member["id"] for member in self.members]:
            return 15
        return _WRONG.get(form["type"], lambda _: 3)(form)

    async def _read(self, request: web.Request) -> dict[str, Any] | int:
        """The body, or the status of one that isn't taken."""
        self.calls.append(f"POST {request.path}")
        body = await request.read()
        try:
            form = json.loads(body)
        except ValueError:
            return 3
        if len(body) > LARGEST or not isinstance(form, dict):
            return 3
        token = form.get("auth_token") or request.headers.get("X-Viber-Auth-Token")
        return form if token == TOKEN else 2


def _answer(status: int, **fields: object) -> web.Response:
    said = {"status": status, "status_message": _STATUSES.get(status, "failure"), **fields}
    return web.json_response(said)
