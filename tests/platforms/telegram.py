"""Stands for the Telegram Bot API: https://core.telegram.org/bots/api.

Error texts are those of https://github.com/tdlib/telegram-bot-api. It is stricter than the
real one where that would silently drop something: an entity that lies wrong is refused. Formatting by
`parse_mode` isn't there.
"""

import base64
import hashlib
import io
import json
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiohttp import BodyPartReader, web
from PIL import Image, UnidentifiedImageError
from pydantic import BaseModel

from tests.platforms.platform import Fault, Picture, Shown, cut, hang

TOKEN: Final = "7001002003:AAH-secret_of_the_press_bot"
CHAT: Final = "@lutsk_rada"
CHAT_ID: Final = -1001700200300
MIB: Final = 1024 * 1024
TEXT, CAPTION, ENTITIES = 4096, 1024, 100
_ALONE = {"code", "pre"}
_ENTITIES = {
    "bold", "italic", "underline", "strikethrough", "spoiler", "code", "pre", "text_link",
    "blockquote", "expandable_blockquote",
}  # fmt: skip
_BEFORE = frozenset(
    {Fault.THROTTLED, Fault.SERVER_ERROR, Fault.EXPIRED_TOKEN, Fault.FORBIDDEN, Fault.REFUSED}
)
Fields = dict[str, str]
Files = dict[str, "KeptFile"]


class KeptFile(BaseModel):
    """A file as it came."""

    name: str
    size: int
    sha256: str
    thumbnail: str | None = None
    """Base64 of a small JPEG."""
    sides: tuple[int, int] | None = None


class KeptMessage(BaseModel):
    """A message that stands in the chat."""

    id: int
    chat: int
    date: datetime
    kind: str = "text"
    text: str = ""
    entities: list[dict[str, Any]] = []
    preview: str | None = None
    album: str | None = None
    file: KeptFile | None = None
    reply_to: int | None = None


class _Kept(BaseModel):
    messages: list[KeptMessage] = []
    last: int = 0


class Failure(Exception):
    """What the API answers instead of a result."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters


class TelegramPlatform:
    """One bot, one chat."""

    name = "telegram"

    def __init__(self) -> None:
        self.faults: deque[Fault] = deque()
        self.calls: list[str] = []
        self.failures: deque[Failure | None] = deque()
        """What the next calls that change something are answered with; None for one that goes well."""
        self.spared = 0
        """Calls that change something and go well before the next of the faults."""
        self.revoked = False
        self.kicked = False
        self.may_post = True
        self.may_delete = True
        """Whether the bot may delete what is older than 48 hours."""
        self.may_edit = True
        self.retry_after = 1
        self.chat_type = "channel"
        self.chat_id = CHAT_ID
        self.username: str | None = CHAT.removeprefix("@")
        self.moved: dict[int, int] = {}
        self._kept = _Kept()
        self.app = web.Application(client_max_size=100 * MIB)
        self.app.router.add_route("*", "/bot{token}/{method}", self._answer)
        self._reads: dict[str, Callable[[Fields], object]] = {
            "getMe": self._get_me,
            "getChat": self._get_chat,
            "getChatMember": self._get_chat_member,
        }
        self._changes: dict[str, Callable[[Fields, Files], object]] = {
            "sendMessage": self._send_message,
            "sendPhoto": lambda fields, files: self._send_file("photo", fields, files),
            "sendVideo": lambda fields, files: self._send_file("video", fields, files),
            "sendDocument": lambda fields, files: self._send_file("document", fields, files),
            "sendMediaGroup": self._send_media_group,
            "editMessageText": self._edit_text,
            "editMessageCaption": self._edit_caption,
            "editMessageMedia": self._edit_media,
            "deleteMessage": self._delete,
            "deleteMessages": self._delete_several,
        }

    # --- what tests and pages do with it ---

    @property
    def messages(self) -> list[KeptMessage]:
        return self._kept.messages

    def shown(self) -> Sequence[Shown]:
        posts: dict[str, Shown] = {}
        for message in self._kept.messages:
            key = message.album or str(message.id)
            post = posts.setdefault(key, Shown(text="", link=message.preview, url=self._url(message)))
            name = message.file.name if message.file is not None and message.kind == "document" else ""
            post.text = "\n".join(filter(None, (post.text, name, message.text)))
            post.images += message.kind == "photo"
            if message.file is not None and message.file.thumbnail is not None:
                post.pictures.append(Picture(alt="Світлина", data=message.file.thumbnail))
            post.video |= message.kind == "video"
        return list(posts.values())

    def clear(self) -> None:
        self.faults.clear()
        self.failures.clear()
        self.calls.clear()
        self._kept = _Kept()

    def snapshot(self) -> str:
        return self._kept.model_dump_json()

    def restore(self, snapshot: str) -> None:
        self._kept = _Kept.model_validate_json(snapshot)

    def age(self, hours: float) -> None:
        """Make everything that stands there older."""
        for message in self._kept.messages:
            message.date -= timedelta(hours=hours)

    def delete_by_hand(self, id: int) -> None:
        self._kept.messages.remove(self._find(id))

    def migrate(self, to: int) -> None:
        """Make a supergroup of the group: a new chat, to which messages don't come along."""
        self.moved[self.chat_id] = to
        self.chat_id, self.chat_type = to, "supergroup"

    def _url(self, message: KeptMessage) -> str:
        return f"https://t.me/{self.username or 'c/' + str(message.chat)[4:]}/{message.id}"

    # --- answering ---

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        self.calls.append(method)
        fields, files = await _read(request)
        try:
            if request.match_info["token"] != TOKEN or self.revoked:
                return _failed(Failure(401, "Unauthorized"))
            if method in self._reads:
                return _ok(self._reads[method](fields))
            if method not in self._changes:
                return _failed(Failure(404, "Not Found: method not found"))
            return await self._change(request, lambda: self._changes[method](fields, files))
        except Failure as failure:
            return _failed(failure)

    async def _change(self, request: web.Request, effect: Callable[[], object]) -> web.StreamResponse:
        fault = None
        if self.spared:
            self.spared -= 1
        elif self.faults:
            fault = self.faults.popleft()
        if fault in _BEFORE:
            return self._refused(fault)
        if fault is Fault.CUT_BEFORE:
            return await cut(request)
        if self.failures and (failure := self.failures.popleft()) is not None:
            raise failure
        result = effect()
        after: dict[Fault, Callable[[], Awaitable[web.StreamResponse]]] = {
            Fault.CUT_AFTER: lambda: cut(request),
            Fault.HANGS_AFTER: hang,
        }
        if fault in after:
            return await after[fault]()
        if fault is Fault.SERVER_ERROR_AFTER:
            return web.Response(status=502, text="<html><h1>502 Bad Gateway</h1></html>")
        return _ok(result)

    def _refused(self, fault: Fault | None) -> web.Response:
        if fault is Fault.SERVER_ERROR:
            return web.Response(status=503, text="<html><h1>503 Service Unavailable</h1></html>")
        if fault is Fault.THROTTLED:
            wait = self.retry_after
            return _failed(Failure(429, f"Too Many Requests: retry after {wait}", retry_after=wait))
        if fault is Fault.EXPIRED_TOKEN:
            return _failed(Failure(401, "Unauthorized"))
        if fault is Fault.FORBIDDEN:
            return _failed(Failure(403, "Forbidden: bot was kicked from the channel chat"))
        return _failed(Failure(400, "Bad Request: MESSAGE_CONTENT_NOT_ALLOWED"))

    # --- reading ---

    def _get_me(self, _: Fields) -> object:
        return {"id": int(TOKEN.partition(":")[0]), "is_bot": True, "first_name": "Пресслужба"}

    def _get_chat(self, fields: Fields) -> object:
        self._chat(fields)
        gifts = dict.fromkeys(
            (
                "unlimited_gifts",
                "limited_gifts",
                "unique_gifts",
                "premium_subscription",
                "gifts_from_channels",
            ),
            False,
        )
        return self._short_chat() | {
            "accent_color_id": 1,
            "max_reaction_count": 11,
            "accepted_gift_types": gifts,
        }

    def _short_chat(self) -> dict[str, object]:
        name = {} if self.username is None else {"username": self.username}
        return {"id": self.chat_id, "type": self.chat_type, "title": "Луцька міська рада", **name}

    def _get_chat_member(self, fields: Fields) -> object:
        self._chat(fields)
        user = self._get_me(fields)
        if not self.may_post:
            return {"status": "member", "user": user}
        rights = (
            "can_be_edited", "is_anonymous", "can_manage_chat", "can_manage_video_chats",
            "can_restrict_members", "can_promote_members", "can_change_info", "can_invite_users",
            "can_post_stories", "can_edit_stories", "can_delete_stories", "can_send_welcome_messages",
        )  # fmt: skip
        return {
            "status": "administrator",
            "user": user,
            **dict.fromkeys(rights, False),
            "can_delete_messages": self.may_delete,
            "can_post_messages": True,
        }

    def _chat(self, fields: Fields) -> int:
        given = fields.get("chat_id", "")
        if not given:
            raise Failure(400, "Bad Request: chat_id is empty")
        if given.removeprefix("-").isdigit() and int(given) in self.moved:
            to = self.moved[int(given)]
            raise Failure(
                400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=to
            )
        if given not in (f"@{self.username}", str(self.chat_id)):
            raise Failure(400, "Bad Request: chat not found")
        if self.kicked:
            raise Failure(403, "Forbidden: bot was kicked from the channel chat")
        return self.chat_id

    # --- sending ---

    def _send_message(self, fields: Fields, _: Files) -> object:
        text, entities = formatted(fields, "text", "entities", TEXT)
        if not text:
            raise Failure(400, "Bad Request: message text is empty")
        return self._put(fields, text=text, entities=entities, preview=_preview(fields))

    def _send_file(self, kind: str, fields: Fields, files: Files) -> object:
        file = _checked(kind, _attached(fields.get(kind, ""), files))
        text, entities = formatted(fields, "caption", "caption_entities", CAPTION)
        return self._put(fields, kind=kind, text=text, entities=entities, file=file)

    def _send_media_group(self, fields: Fields, files: Files) -> object:
        items = [_media(item, files) for item in json.loads(fields.get("media", "[]"))]
        if not 2 <= len(items) <= 10:
            raise Failure(400, "Bad Request: there must be 2-10 media in the group")
        if len({item["kind"] == "document" for item in items}) > 1:
            raise Failure(400, "Bad Request: can't use the media of the specified type in the album")
        album = f"album-{self._kept.last + 1}"
        return [self._put(fields, album=album, **item) for item in items]

    def _put(self, fields: Fields, **given: Any) -> dict[str, object]:
        chat = self._chat(fields)
        if not self.may_post:
            raise Failure(400, "Bad Request: need administrator rights in the channel chat")
        reply = json.loads(fields.get("reply_parameters", "{}"))
        to = reply.get("message_id")
        if to is not None and not any(message.id == to for message in self._kept.messages):
            if not reply.get("allow_sending_without_reply"):
                raise Failure(400, "Bad Request: message to be replied not found")
            to = None
        self._kept.last += 1
        message = KeptMessage(id=self._kept.last, chat=chat, date=datetime.now(UTC), reply_to=to, **given)
        self._kept.messages.append(message)
        return self._result(message)

    def _result(self, message: KeptMessage) -> dict[str, object]:
        return {
            "message_id": message.id,
            "date": int(message.date.timestamp()),
            "chat": self._short_chat(),
            "text": message.text,
        }

    # --- changing ---

    def _edit_text(self, fields: Fields, _: Files) -> object:
        message = self._editable(fields)
        if message.kind != "text":
            raise Failure(400, "Bad Request: there is no text in the message to edit")
        text, entities = formatted(fields, "text", "entities", TEXT)
        if not text:
            raise Failure(400, "Bad Request: message text is empty")
        return self._say(message, text=text, entities=entities, preview=_preview(fields))

    def _edit_caption(self, fields: Fields, _: Files) -> object:
        message = self._editable(fields)
        if message.kind == "text":
            raise Failure(400, "Bad Request: there is no caption in the message to edit")
        text, entities = formatted(fields, "caption", "caption_entities", CAPTION)
        return self._say(message, text=text, entities=entities, preview=None)

    def _edit_media(self, fields: Fields, files: Files) -> object:
        message = self._editable(fields)
        new = _media(json.loads(fields.get("media", "{}")), files)
        if message.album is not None and (message.kind == "document") != (new["kind"] == "document"):
            raise Failure(400, "Bad Request: can't use the media of the specified type in the album")
        for name, value in (new | {"preview": None}).items():
            setattr(message, name, value)
        return self._result(message)

    def _say(self, message: KeptMessage, **new: Any) -> object:
        if all(getattr(message, name) == value for name, value in new.items()):
            raise Failure(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are "
                "exactly the same as a current content and reply markup of the message",
            )
        for name, value in new.items():
            setattr(message, name, value)
        return self._result(message)

    def _editable(self, fields: Fields) -> KeptMessage:
        self._chat(fields)
        message = self._find(int(fields.get("message_id", 0)))
        if not self.may_edit:
            raise Failure(400, "Bad Request: message can't be edited")
        return message

    def _find(self, id: int, what: str = "edit") -> KeptMessage:
        for message in self._kept.messages:
            if message.id == id:
                return message
        raise Failure(400, f"Bad Request: message to {what} not found")

    def _delete(self, fields: Fields, _: Files) -> object:
        self._chat(fields)
        message = self._find(int(fields.get("message_id", 0)), "delete")
        if not self.may_delete and datetime.now(UTC) - message.date > timedelta(hours=48):
            raise Failure(400, "Bad Request: message can't be deleted")
        self._kept.messages.remove(message)
        return True

    def _delete_several(self, fields: Fields, files: Files) -> object:
        ids = json.loads(fields.get("message_ids", "[]"))
        if not 1 <= len(ids) <= 100:
            raise Failure(400, "Bad Request: there must be 1-100 message identifiers")
        there = [message.id for message in self._kept.messages if message.id in ids]
        for id in there:
            self._delete(fields | {"message_id": str(id)}, files)
        return True


def _ok(result: object) -> web.Response:
    return web.json_response({"ok": True, "result": result})


def _failed(failure: Failure) -> web.Response:
    """https://core.telegram.org/bots/api#making-requests"""
    body: dict[str, object] = {
        "ok": False,
        "error_code": failure.status,
        "description": failure.description,
    }
    if failure.parameters:
        body["parameters"] = failure.parameters
    return web.json_response(body, status=failure.status)


async def _read(request: web.Request) -> tuple[Fields, Files]:
    """Form fields and files, of which only number, hash and a small picture's copy are kept."""
    fields: Fields = {}
    files: Files = {}
    if request.content_type != "multipart/form-data":
        return {key: str(value) for key, value in (await request.post()).items()}, files
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None:
            raise web.HTTPBadRequest
        if part.filename is None:
            fields[part.name] = await part.text()
            continue
        digest, size, start = hashlib.sha256(), 0, bytearray()
        while chunk := await part.read_chunk(MIB):
            digest.update(chunk)
            size += len(chunk)
            if size <= 11 * MIB:
                start += chunk
        files[part.name] = _pictured(
            KeptFile(name=part.filename, size=size, sha256=digest.hexdigest()), bytes(start)
        )
    return fields, files


def _pictured(file: KeptFile, content: bytes) -> KeptFile:
    try:
        with Image.open(io.BytesIO(content)) as picture:
            sides = picture.size
            picture.thumbnail((320, 320))
            small = io.BytesIO()
            picture.convert("RGB").save(small, "JPEG", quality=60)
    except (UnidentifiedImageError, OSError):
        return file
    return file.model_copy(update={"sides": sides, "thumbnail": base64.b64encode(small.getvalue()).decode()})


def _attached(given: str, files: Files) -> KeptFile:
    name = given.removeprefix("attach://")
    if name == given or name not in files:
        raise Failure(400, "Bad Request: wrong file identifier/HTTP URL specified")
    return files[name]


def _checked(kind: str, file: KeptFile) -> KeptFile:
    """https://core.telegram.org/bots/api#sending-files"""
    if file.size > (10 if kind == "photo" else 50) * MIB:
        raise Failure(413, "Request Entity Too Large")
    if file.size == 0:
        raise Failure(400, "Bad Request: file must be non-empty")
    if kind == "photo":
        if file.sides is None:
            raise Failure(400, "Bad Request: IMAGE_PROCESS_FAILED")
        if sum(file.sides) > 10_000 or max(file.sides) > 20 * min(file.sides):
            raise Failure(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
    return file


def _media(item: dict[str, Any], files: Files) -> dict[str, Any]:
    kind = item["type"]
    caption = {
        "caption": item.get("caption") or "",
        "entities": json.dumps(item.get("caption_entities") or []),
    }
    text, parsed = formatted(caption, "caption", "entities", CAPTION)
    file = _checked(kind, _attached(item.get("media", ""), files))
    return {"kind": kind, "file": file, "text": text, "entities": parsed}


def _preview(fields: Fields) -> str | None:
    options = json.loads(fields.get("link_preview_options", "{}"))
    return None if options.get("is_disabled") else options.get("url")


def formatted(fields: Fields, key: str, by: str, limit: int) -> tuple[str, list[dict[str, Any]]]:
    """The text as it will stand, and its entities, counted in UTF-16 code units."""
    if fields.get("parse_mode"):
        raise Failure(400, "Bad Request: unsupported parse_mode")
    text = fields.get(key, "")
    entities = json.loads(fields.get(by) or "[]")
    encoded = text.encode("utf-16-le")
    for entity in entities:
        _check_entity(entity, encoded)
    _check_nesting(entities)
    if text != text.strip():
        raise Failure(400, "Bad Request: the text would be trimmed, and its entities moved")
    if len(encoded) // 2 > limit:
        what = "message is too long" if limit == TEXT else "message caption is too long"
        raise Failure(400, f"Bad Request: {what}")
    if len(entities) > ENTITIES:
        raise Failure(400, "Bad Request: entities beyond the hundredth would be dropped")
    return text, entities


def _check_entity(entity: dict[str, Any], encoded: bytes) -> None:
    start, end = entity["offset"], entity["offset"] + entity["length"]
    if entity["type"] not in _ENTITIES:
        raise Failure(400, "Bad Request: unsupported type of entity")
    if entity["type"] == "text_link" and not str(entity.get("url")).startswith(("http://", "https://")):
        raise Failure(400, "Bad Request: wrong URL of a text_link")
    if not 0 <= start < end <= len(encoded) // 2:
        raise Failure(400, f"Bad Request: entity {start}-{end} lies outside of the text")
    for at in (start, end):
        if 2 * at < len(encoded) and 0xDC <= encoded[2 * at + 1] <= 0xDF:
            raise Failure(400, f"Bad Request: an entity cuts the UTF-16 symbol at {at}")


def _check_nesting(entities: list[dict[str, Any]]) -> None:
    """https://core.telegram.org/bots/api#formatting-options"""
    spans = [(e["offset"], e["offset"] + e["length"], e["type"]) for e in entities]
    for number, (start, end, kind) in enumerate(spans):
        for other_start, other_end, other in spans[number + 1 :]:
            if end <= other_start or other_end <= start:
                continue
            inside = start <= other_start and other_end <= end
            outside = other_start <= start and end <= other_end
            alone = {kind, other} & _ALONE and not {kind, other} & {"blockquote", "text_link"}
            if not (inside or outside) or alone or kind == other:
                raise Failure(400, f"Bad Request: {kind} and {other} can't be nested so")
