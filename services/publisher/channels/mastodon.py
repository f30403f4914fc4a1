"""Mastodon: statuses of one account, by the REST API (https://docs.joinmastodon.org/methods/statuses/)."""

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Literal
from uuid import UUID

import httpx
from aiolimiter import AsyncLimiter
from pydantic import BaseModel, Field, JsonValue, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.publisher.channels.facts import correction_note, lines_of
from services.publisher.channels.interface import (
    Away,
    Call,
    Channel,
    Halted,
    Posted,
    Surroundings,
    Unconfirmed,
)
from services.publisher.channels.text import shortened
from shared.bus import Later, Permanent
from shared.events import now
from shared.media import ImageFormat, rendition_key
from shared.mongo import Database, store_failures
from shared.preview import Piece, Preview
from shared.publication import MediaFile, Publication

PICTURE_WIDTH = 1600
LOOKED_THROUGH = 400
"""Statuses of the account that `find` looks at, the newest ones."""
CLOCKS_APART = timedelta(minutes=5)
"""How far the server's clock may be behind ours."""
PROCESSING_PATIENCE = 60.0
_PAGE = 40
_URL = re.compile(r"https?://\S+")
_TAG = re.compile(r"<[^>]+>")
_BREAK = re.compile(r"<br\s*/?>|</p>\s*<p>")
_KEY_REMEDY = (
    "Створіть новий ключ доступу в налаштуваннях облікового запису й запишіть його в MASTODON_TOKEN."
)
_SCOPE_REMEDY = "Дайте застосунку права read:accounts, read:statuses, write:media та write:statuses."
_UNCLEAR = "Схожий допис у Mastodon вже є, але невідомо, чи це він: перевірте самі."
_TOO_MANY = "Відтоді у Mastodon надто багато дописів, щоб переглянути всі: перевірте самі, чи він там є."
_ANY_PAGE = "https://page"
"""Counts as any other address."""
_GONE = "Допис видалили у Mastodon вручну: виправляти нема чого."
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class MastodonSection(BaseSettings):
    """Which account posts, where."""

    model_config = SettingsConfigDict(populate_by_name=True, extra="ignore", frozen=True)

    url: str = Field(validation_alias="MASTODON_URL", pattern=r"^https?://")
    token: SecretStr = Field(validation_alias="MASTODON_TOKEN", min_length=1)
    visibility: Literal["public", "unlisted", "private"] = Field(
        default="public", validation_alias="MASTODON_VISIBILITY"
    )
    calls_per_minute: float = Field(default=50, gt=0, validation_alias="MASTODON_CALLS_PER_MINUTE")
    timeout: float = Field(
        default=30, gt=0, le=300, validation_alias="MASTODON_TIMEOUT", description="Seconds."
    )

    @field_validator("url")
    @classmethod
    def _no_slash(cls, value: str) -> str:
        return value.rstrip("/")


class _Limits(BaseModel):
    """What the server takes; https://docs.joinmastodon.org/entities/Instance/#configuration."""

    max_characters: int = 500
    characters_reserved_per_url: int = 23
    max_media_attachments: int = 4


class _Status(BaseModel):
    id: str
    url: str | None = None
    content: str = ""
    created_at: datetime

    @property
    def text(self) -> str:
        """What it says, without markup."""
        return unescape(_TAG.sub("", _BREAK.sub("\n", self.content)))


class _Sent(BaseModel):
    """What was about to be posted."""

    title: str
    text: str
    address: str | None
    """The address that the text ends with; no other publication's does."""
    at: datetime


class _Records:
    """Collection `mastodon_posts`: by the publication's id, what `find` has to look for."""

    def __init__(self, database: Database) -> None:
        self._posts = database["mastodon_posts"]

    async def get(self, id: UUID) -> _Sent | None:
        """None where nothing was ever sent."""
        with store_failures():
            document = await self._posts.find_one({"_id": id})
        return None if document is None else _Sent.model_validate(document)

    async def put(self, id: UUID, sent: _Sent) -> None:
        with store_failures():
            await self._posts.replace_one({"_id": id}, sent.model_dump(mode="json"), upsert=True)

    async def forget(self, id: UUID) -> None:
        with store_failures():
            await self._posts.delete_one({"_id": id})


class MastodonChannel(Channel):
    """Posts, edits and deletes statuses.

    Not repeatable: the server remembers an Idempotency-Key for an hour only. What is about to be posted is
    recorded, and a post in doubt looked for among the account's statuses since then.
    """

    name = "mastodon"
    repeatable = False
    deadline = 180.0
    concurrency = 4
    after = ("site",)

    def __init__(self, surroundings: Surroundings, section: MastodonSection) -> None:
        self._surroundings = surroundings
        self._section = section
        self._records = _Records(surroundings.database)
        self._limits = _Limits()
        self._account = ""
        self._limiter: AsyncLimiter | None = None
        self._http = httpx.AsyncClient(
            base_url=section.url,
            timeout=section.timeout,
            headers={"Authorization": f"Bearer {section.token.get_secret_value()}"},
        )

    async def prepare(self) -> None:
        """Ask whose token it is, and what the server takes."""
        account = await self._read("/api/v1/accounts/verify_credentials")
        self._account = str(account["id"])
        instance = await self._read("/api/v2/instance")
        configuration = instance.get("configuration")
        if isinstance(configuration, dict):
            self._limits = _Limits.model_validate(configuration.get("statuses") or {})

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def takes(self, publication: Publication) -> str | None:  # noqa: ARG002  # it takes all kinds
        """Everything."""
        return None

    def preview(self, publication: Publication) -> Preview:
        """The status as it would be, but for the address of the page."""
        address = _ANY_PAGE if "site" in publication.targets else None
        text, whole = self._text(publication, address)
        photos = publication.photos[: self._limits.max_media_attachments]
        problems = []
        if not whole:
            problems.append(f"Текст довший за {self._limits.max_characters} знаків: його буде скорочено.")
        if len(publication.photos) > len(photos):
            problems.append(f"Світлин більше, ніж уміщує допис: покажемо перші {len(photos)}.")
        if publication.videos:
            problems.append("Відео буде лише на сайті: допис міститиме посилання.")
        text = text.removesuffix(f"\n\n{address}")
        piece = Piece(text=text, images=tuple(photo.alt or "" for photo in photos))
        return Preview(channel=self.name, pieces=(piece,), problems=tuple(problems))

    async def publish(self, publication: Publication, call: Call) -> Posted:  # noqa: ARG002  # the key serves
        """Post it; sent again within an hour, the same key gets the same status."""
        media = await self._uploaded(publication, {})
        address = await self._address(publication)
        body = self._body(publication, address, media)
        sent = _Sent(title=publication.content.title, text=str(body["status"]), address=address, at=now())
        await self._records.put(publication.id, sent)
        key = f"visnyk-{publication.id}-{publication.revision}"
        answer = await self._write("POST", "/api/v1/statuses", json=body, key=key)
        return _posted(_status(answer), media)

    async def update(self, publication: Publication, posted: Posted, call: Call) -> Posted:  # noqa: ARG002
        """Edit the status; photographs that stay are not uploaded again."""
        known = _media(posted)
        media = await self._uploaded(publication, known)
        body = self._body(publication, await self._address(publication), media)
        body["media_attributes"] = [
            {"id": known[photo.sha256], "description": photo.alt or ""}
            for photo in publication.photos
            if photo.sha256 in media and photo.sha256 in known
        ]
        answer = await self._write("PUT", f"/api/v1/statuses/{_id(posted)}", json=body)
        if answer is None:
            return posted.model_copy(update={"note": _GONE})
        return _posted(_status(answer), media)

    async def withdraw(
        self,
        publication: Publication,
        posted: Posted | None,
        call: Call,  # noqa: ARG002
    ) -> Posted | None:
        """Delete the status; gone already is as good."""
        if posted is not None and _id(posted):
            await self._write("DELETE", f"/api/v1/statuses/{_id(posted)}")
        await self._records.forget(publication.id)
        return None

    async def find(self, publication: Publication) -> Posted | None:
        """Look through what the account posted since it was about to be sent."""
        sent = await self._records.get(publication.id)
        if sent is None:
            return None
        oldest: str | None = None
        for _ in range(LOOKED_THROUGH // _PAGE):
            page = await self._page(oldest)
            later = [status for status in page if status.created_at >= sent.at - CLOCKS_APART]
            for status in later:
                if _is(status, sent):
                    return _posted(status, {})
            if not page or len(later) < len(page):
                return None
            oldest = page[-1].id
        raise Unconfirmed(_TOO_MANY)

    async def _page(self, before: str | None) -> list[_Status]:
        asked: dict[str, str | int] = {"limit": _PAGE, "exclude_reblogs": "true"}
        if before is not None:
            asked["max_id"] = before
        answer = await self._send("GET", f"/api/v1/accounts/{self._account}/statuses", params=asked)
        _reading(answer)
        return [_Status.model_validate(each) for each in answer.json()]

    async def _address(self, publication: Publication) -> str | None:
        page = await self._surroundings.posted(publication.id, "site")
        return None if page is None else page.url

    def _body(
        self, publication: Publication, address: str | None, media: Mapping[str, str]
    ) -> dict[str, JsonValue]:
        text, _ = self._text(publication, address)
        shown: list[JsonValue] = [*media.values()]
        return {
            "status": text,
            "media_ids": shown,
            "visibility": self._section.visibility,
            "language": str(publication.content.language),
        }

    def _text(self, publication: Publication, address: str | None) -> tuple[str, bool]:
        """The status, and whether all of it fitted."""
        content = publication.content
        parts = (content.title, "\n".join(lines_of(content)), content.lead)
        text = "\n\n".join(part for part in parts if part)
        note = correction_note(publication)
        room = self._limits.max_characters
        note = None if note is None else shortened(note, room // 3, measure=self._length)
        ending = "".join(f"\n\n{part}" for part in (note, address) if part)
        room -= self._length(ending)
        return shortened(text, room, measure=self._length) + ending, self._length(text) <= room

    def _length(self, text: str) -> int:
        """As the server counts: every address as the same number of characters."""
        return len(_URL.sub("x" * self._limits.characters_reserved_per_url, text))

    async def _uploaded(self, publication: Publication, known: Mapping[str, str]) -> dict[str, str]:
        """Ids of its photographs by content; those in `known` are there already."""
        photos = publication.photos[: self._limits.max_media_attachments]
        return {photo.sha256: known.get(photo.sha256) or await self._upload(photo) for photo in photos}

    async def _upload(self, photo: MediaFile) -> str:
        """https://docs.joinmastodon.org/methods/media/#v2: 202 means that it is still being processed."""
        key = rendition_key(photo, width=PICTURE_WIDTH, format=ImageFormat.JPEG)
        content = await self._surroundings.media.read(key)
        try:
            answer = await self._send(
                "POST",
                "/api/v2/media",
                files={"file": ("photo.jpg", content, "image/jpeg")},
                data={"description": photo.alt or ""},
            )
        except Unconfirmed as doubt:
            # What no status names is seen by nobody, and removed by the server in a day.
            raise Later("Не вдалося передати світлину в Mastodon.") from doubt
        if answer.is_server_error:
            raise Later("Mastodon не прийняв світлину.")
        _sort(answer)
        media = str(answer.json()["id"])
        if answer.status_code == httpx.codes.ACCEPTED:
            await self._processed(media)
        return media

    async def _processed(self, media: str) -> None:
        pause, until = 0.2, asyncio.get_running_loop().time() + PROCESSING_PATIENCE
        while True:
            answer = await self._send("GET", f"/api/v1/media/{media}")
            _reading(answer)
            if answer.status_code == httpx.codes.OK:
                return
            if asyncio.get_running_loop().time() > until:
                raise Later("Mastodon ще обробляє світлину.")
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5)

    async def _read(self, path: str) -> dict[str, JsonValue]:
        answer = await self._send("GET", path)
        _reading(answer)
        found: dict[str, JsonValue] = answer.json()
        return found

    async def _write(
        self, method: str, path: str, *, json: Mapping[str, JsonValue] | None = None, key: str | None = None
    ) -> dict[str, JsonValue] | None:
        """The answer of a call that changes something; None where the status isn't there."""
        headers = {} if key is None else {"Idempotency-Key": key}
        answer = await self._send(method, path, json=json, headers=headers)
        if answer.is_server_error:
            raise Unconfirmed("Mastodon відповів помилкою: невідомо, чи зміна набула чинності.")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        _sort(answer)
        written: dict[str, JsonValue] = answer.json()
        return written

    async def _send(  # httpx's own, named
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, JsonValue] | None = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        data: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        if self._limiter is None:
            self._limiter = AsyncLimiter(self._section.calls_per_minute, 60)
        await self._limiter.acquire()
        try:
            return await self._http.request(
                method, path, json=json, params=params, headers=headers, files=files, data=data
            )
        except _NOT_SENT as error:
            raise Away("Сервер Mastodon недоступний.") from error
        except httpx.HTTPError as error:
            if method == "GET":
                raise Away("Сервер Mastodon не відповів.") from error
            raise Unconfirmed("Зв’язок із Mastodon обірвався.") from error


def _reading(answer: httpx.Response) -> None:
    """Sort the failures of a call that changes nothing."""
    if answer.is_server_error:
        raise Away("Сервер Mastodon не працює.")
    _sort(answer)


def _sort(answer: httpx.Response) -> None:
    """Raise what an answer that isn't a success means; https://docs.joinmastodon.org/client/errors/."""
    if answer.is_success:
        return
    match answer.status_code:
        case 401:
            raise Halted("Mastodon не приймає ключ доступу.", remedy=_KEY_REMEDY)
        case 403:
            raise Halted("Mastodon не дозволяє цього нашому застосунку.", remedy=_SCOPE_REMEDY)
        case 429:
            raise Later("Mastodon просить зачекати.", after=_until_reset(answer), counted=False)
        case _:
            raise Permanent(f"Mastodon не прийняв допис: {_said(answer)}")


def _until_reset(answer: httpx.Response) -> float:
    """Seconds; https://docs.joinmastodon.org/api/rate-limits/."""
    try:
        reset = datetime.fromisoformat(answer.headers["X-RateLimit-Reset"])
    except (KeyError, ValueError):
        return 60
    return max(0.0, (reset - datetime.now(UTC)).total_seconds())


def _said(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"])[:300]
    except (ValueError, KeyError, TypeError):
        return f"код {answer.status_code}"


def _status(answer: Mapping[str, JsonValue] | None) -> _Status:
    try:
        return _Status.model_validate(answer)
    except ValidationError as error:
        raise Unconfirmed("Відповідь Mastodon незрозуміла.") from error


def _is(status: _Status, sent: _Sent) -> bool:
    """Whether it is what was sent. Raises `Unconfirmed` where nobody but a person can tell.

    Titles come again («До уваги представників ЗМІ»), and one page's address may begin with another's.
    """
    words = status.text.split()
    if sent.address is not None:
        return words[-1:] == [sent.address]
    if words == sent.text.split():
        return True
    if status.text.strip().split("\n", 1)[0] == sent.title and not _URL.fullmatch(words[-1]):
        raise Unconfirmed(_UNCLEAR)
    return False


def _posted(status: _Status, media: Mapping[str, str]) -> Posted:
    kept: dict[str, JsonValue] = {**media}
    return Posted(remote={"status": status.id, "media": kept}, url=status.url)


def _id(posted: Posted) -> str:
    """The status's; by its address where a person gave that alone."""
    known = posted.remote.get("status")
    return str(known) if known else (posted.url or "").rstrip("/").rsplit("/", 1)[-1]


def _media(posted: Posted) -> dict[str, str]:
    kept = posted.remote.get("media")
    return {sha256: str(id) for sha256, id in kept.items()} if isinstance(kept, dict) else {}


def open_channel(surroundings: Surroundings) -> MastodonChannel:
    """The account that the settings name."""
    return MastodonChannel(surroundings, surroundings.section(MastodonSection))
