"""Viber: posts in one Viber Channel through the Channels Post API.

https://developers.viber.com/docs/tools/channels-post-api/

Posts can't be edited, deleted or looked up there: a major correction and a withdrawal are further posts.
"""

import asyncio
import json
from enum import StrEnum
from uuid import UUID

import httpx
from aiolimiter import AsyncLimiter
from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr, ValidationError, field_validator
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
from services.publisher.channels.text import plain_text, shortened, units
from shared.bus import Later, Permanent
from shared.media import ImageFormat, rendition_key
from shared.mongo import Database, store_failures
from shared.preview import Piece, Preview
from shared.publication import Correction, MediaFile, Publication, Significance

LONGEST = 7000
"""Characters of a text. At three bytes each at most, the whole request stays below its 30 kB."""
LONGEST_CAPTION = 768
PICTURE_WIDTH = 960
"""Pixels: a JPEG of this width stays below the 1 MB that Viber takes."""
RELEASE, WITHDRAWAL = "release", "withdrawal"
_ACCESS = "Перевірте VIBER_TOKEN: маркер показано в налаштуваннях каналу Viber, «Інструменти розробника»."
_WEBHOOK = "Встановіть вебхук каналу (docs/channels/viber.md)."
_ADMIN = "Перевірте в Viber, чи канал діє і чи його суперадміністратор має доступ до API."
_TOKEN, _NO_WEBHOOK, _THROTTLED = 2, 10, 12
_ACCOUNT = frozenset({7, 8, 9, 15, 18, 19, 20, 21, 23, 24})
"""The channel is blocked, suspended, unknown, or may not post."""
_CONTENT = frozenset({1, 3, 4, 5, 6, 11, 13, 14, 16, 17, 22})
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_LOOK = (
    "Невідомо, чи вийшло у Viber повідомлення про зміну публікації «{}»: "
    "подивіться в каналі й, якщо його немає, напишіть самі."
)


class ViberSection(BaseSettings):
    """Which channel posts, and how fast."""

    model_config = SettingsConfigDict(populate_by_name=True, extra="ignore", frozen=True)

    token: SecretStr = Field(validation_alias="VIBER_TOKEN", min_length=1)
    api_url: str = Field(default="https://chatapi.viber.com", validation_alias="VIBER_API_URL")
    posts_per_minute: float = Field(default=30, validation_alias="VIBER_POSTS_PER_MINUTE", gt=0)
    pause: float = Field(
        default=60,
        validation_alias="VIBER_PAUSE",
        ge=0,
        description="Seconds to wait after too many posts; Viber doesn't say how long.",
    )
    timeout: float = Field(default=30, validation_alias="VIBER_TIMEOUT", gt=0, le=300)

    @field_validator("api_url")
    @classmethod
    def _no_slash(cls, value: str) -> str:
        return value.rstrip("/")


class _Member(BaseModel):
    id: str
    role: str = ""


class _Answer(BaseModel):
    """The API's answer; its own status is in the body, whatever HTTP's is."""

    model_config = ConfigDict(extra="ignore")

    status: int
    status_message: str = ""
    message_token: int | str | None = None
    members: list[_Member] = []


class _State(StrEnum):
    SENDING = "sending"
    """It was about to be sent: nobody knows whether it was."""
    SENT = "sent"


class _Sent(BaseModel):
    """One post of a publication."""

    state: _State
    revision: int
    token: str | None = None


class _Records:
    """Collection `viber_posts`: by the publication's id, what was sent of it, kept before it is sent."""

    def __init__(self, database: Database) -> None:
        self._posts = database["viber_posts"]

    async def get(self, id: UUID) -> dict[str, _Sent]:
        """By what they are for: `release`, `revision-2`, `withdrawal`."""
        with store_failures():
            document = await self._posts.find_one({"_id": id}, {"_id": False})
        return {name: _Sent.model_validate(each) for name, each in (document or {}).items()}

    async def put(self, id: UUID, purpose: str, sent: _Sent) -> None:
        with store_failures():
            await self._posts.update_one(
                {"_id": id}, {"$set": {purpose: sent.model_dump(mode="json")}}, upsert=True
            )

    async def forget(self, id: UUID) -> None:
        """Nothing that was sent before counts."""
        with store_failures():
            await self._posts.delete_one({"_id": id})

    async def drop(self, id: UUID, *purposes: str) -> None:
        with store_failures():
            await self._posts.update_one({"_id": id}, {"$unset": dict.fromkeys(purposes, "")})


class ViberChannel(Channel):
    """Posts of one Viber Channel.

    Each post is recorded before it is sent and after. One of which nobody knows is not sent again: a
    release waits for a person; a correction's or withdrawal's post is told of on the receipt.
    """

    name = "viber"
    repeatable = False
    deadline = 300.0
    concurrency = 2
    after = ("site",)

    def __init__(self, surroundings: Surroundings, section: ViberSection) -> None:
        self._surroundings = surroundings
        self._section = section
        self._records = _Records(surroundings.database)
        self._http = httpx.AsyncClient(timeout=section.timeout)
        self._limiter: AsyncLimiter | None = None
        self._sender: str | None = None

    async def prepare(self) -> None:
        """Ask who owns the channel: posts are made in the super-admin's name."""
        account = await self._call("get_account_info", {}, shows=False)
        owners = [each.id for each in account.members if each.role.lower() == "superadmin"]
        if not owners:
            raise Halted("Viber не називає суперадміністратора каналу.", remedy=_ADMIN)
        self._sender = owners[0]

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def takes(self, publication: Publication) -> str | None:  # noqa: ARG002  # whatever has a title
        """Everything."""
        return None

    def preview(self, publication: Publication) -> Preview:
        """The post without the line that leads to the site, whose address isn't known before."""
        photo = _photo(publication)
        pieces = [Piece(text=text_of(publication, None))]
        if photo is not None:
            pieces.append(Piece(text=_caption(photo), images=(photo.alt or "",)))
        return Preview(channel=self.name, pieces=tuple(pieces), problems=tuple(_problems(publication)))

    async def publish(self, publication: Publication, call: Call) -> Posted:  # noqa: ARG002  # see _Records
        """The text, and after it the first photograph, without which it stands too."""
        address = await self._address(publication)
        await self._records.forget(publication.id)
        token = await self._send(
            publication, RELEASE, {"type": "text", "text": text_of(publication, address)}
        )
        photo = _photo(publication)
        note = None if photo is None or address is None else await self._show(publication, photo)
        return _posted(token, note)

    async def update(self, publication: Publication, posted: Posted, call: Call) -> Posted:  # noqa: ARG002
        """A further post where the correction is major."""
        sent = await self._records.get(publication.id)
        purpose = f"revision-{publication.revision}"
        if purpose in sent:
            return await self._done(posted, sent[purpose], publication)
        told = max((each.revision for each in sent.values()), default=1)
        unsaid = [each for each in publication.corrections if each.revision > told]
        if not any(each.significance is Significance.MAJOR for each in unsaid):
            note = "Viber не дає правити дописів: дрібну правку видно лише на сайті." if unsaid else None
            return posted.model_copy(update={"note": note})
        text = correction_of(publication, unsaid, await self._address(publication))
        token = await self._send(publication, purpose, {"type": "text", "text": text})
        return _posted(token, "Viber не дає правити дописів: про уточнення повідомлено окремим дописом.")

    async def withdraw(
        self,
        publication: Publication,
        posted: Posted | None,
        call: Call,  # noqa: ARG002  # see _Records
    ) -> Posted | None:
        """A further post with the reason; nothing where nothing was shown, for nobody read it here."""
        if posted is None:
            await self._records.drop(publication.id, RELEASE)
            return None
        sent = await self._records.get(publication.id)
        if WITHDRAWAL in sent:
            return await self._done(posted, sent[WITHDRAWAL], publication)
        text = withdrawal_of(publication)
        token = await self._send(publication, WITHDRAWAL, {"type": "text", "text": text})
        await self._records.drop(publication.id, RELEASE)
        return _posted(token, "Viber не дає видаляти дописів: про відкликання повідомлено окремим дописом.")

    async def find(self, publication: Publication) -> Posted | None:
        """What the record says: it is kept before anything is sent."""
        release = (await self._records.get(publication.id)).get(RELEASE)
        if release is None:
            return None
        if release.state is _State.SENDING:
            raise Unconfirmed("Viber не дає перевірити, чи вийшов допис: подивіться в каналі.")
        return _posted(release.token, None)

    async def _done(self, posted: Posted, sent: _Sent, publication: Publication) -> Posted:
        """A further post that was tried before: made, or nobody knows, and then a person has to look."""
        if sent.state is _State.SENT:
            return _posted(sent.token, None)
        look = _LOOK.format(shortened(publication.content.title, 80))
        await self._surroundings.alert("Viber: невідомо, чи вийшов допис", look)
        return posted.model_copy(update={"note": look})

    async def _show(self, publication: Publication, photo: MediaFile) -> str | None:
        """Post a photograph that the site shows; what the receipt says where that failed."""
        key = rendition_key(photo, width=PICTURE_WIDTH, format=ImageFormat.JPEG)
        form: dict[str, JsonValue] = {
            "type": "picture",
            "text": _caption(photo),
            "media": f"{self._surroundings.settings.site_url}/media/{key}",
        }
        try:
            await self._send(publication, "picture", form)
        except Unconfirmed:
            return "Невідомо, чи вийшла у Viber світлина: подивіться в каналі."
        except (Later, Permanent) as error:
            return f"Допис вийшов без світлини. {error}"
        return None

    async def _send(self, publication: Publication, purpose: str, form: dict[str, JsonValue]) -> str | None:
        if self._sender is None:
            await self.prepare()
        self._limiter = self._limiter or AsyncLimiter(self._section.posts_per_minute, 60)
        await self._limiter.acquire()
        sending = _Sent(state=_State.SENDING, revision=publication.revision)
        await self._records.put(publication.id, purpose, sending)
        try:
            answer = await self._call("post", {"from": self._sender, **form}, shows=True)
        except (Later, Permanent):
            await self._records.drop(publication.id, purpose)
            raise
        token = None if answer.message_token is None else str(answer.message_token)
        sent = sending.model_copy(update={"state": _State.SENT, "token": token})
        await self._records.put(publication.id, purpose, sent)
        return token

    async def _call(self, method: str, form: dict[str, JsonValue], *, shows: bool) -> _Answer:
        token = self._section.token.get_secret_value()
        body = json.dumps({"auth_token": token, **form}, ensure_ascii=False).encode()
        try:
            async with asyncio.timeout(self._section.timeout):
                answer = await self._http.post(
                    f"{self._section.api_url}/pa/{method}",
                    content=body,
                    headers={"Content-Type": "application/json"},
                )
        except _NOT_SENT as error:
            raise Away("До Viber не дістатися.") from error
        except (httpx.TransportError, TimeoutError) as error:
            if shows:
                raise Unconfirmed("Зв’язок із Viber обірвався після надсилання.") from error
            raise Away("Зв’язок із Viber обірвався.") from error
        failure = self._failure(answer, shows=shows)
        if failure is not None:
            raise failure
        return _Answer.model_validate_json(answer.content)

    def _failure(self, answer: httpx.Response, *, shows: bool) -> Exception | None:
        """What an answer means; the codes: https://developers.viber.com/docs/api/rest-bot-api/#error-codes."""
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return Away("Viber не відповідає.")
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            return self._throttled()
        try:
            said = _Answer.model_validate_json(answer.content)
        except ValidationError:
            return _unclear(shows=shows)
        if said.status == 0 and answer.is_success:
            return None
        if said.status == _THROTTLED:
            return self._throttled()
        return _refusal(said) or _unclear(shows=shows)

    def _throttled(self) -> Later:
        return Later("Viber просить зачекати: забагато дописів.", after=self._section.pause)

    async def _address(self, publication: Publication) -> str | None:
        page = await self._surroundings.posted(publication.id, "site")
        return None if page is None else page.url


def text_of(publication: Publication, address: str | None) -> str:
    """The post of a release, at most `LONGEST`."""
    return _fitted(_told(publication), correction_note(publication), address)


def correction_of(publication: Publication, unsaid: list[Correction], address: str | None) -> str:
    """The further post of a correction: what changed, and the text as it is now."""
    notes = "\n".join(each.note for each in unsaid if each.significance is Significance.MAJOR)
    return _fitted(f"Уточнення: {notes}\n\n{_told(publication)}", None, address)


def withdrawal_of(publication: Publication) -> str:
    """The further post of a withdrawal."""
    reason = None if publication.withdrawal is None else f"Причина: {publication.withdrawal.reason}"
    return _fitted(f"Відкликано: «{publication.content.title}»", reason, None)


def _told(publication: Publication) -> str:
    content = publication.content
    parts = (content.title, "\n".join(lines_of(content)), content.lead, plain_text(content.body))
    return "\n\n".join(part for part in parts if part)


def _fitted(text: str, note: str | None, address: str | None) -> str:
    leads = None if address is None else f"Докладніше на сайті:\n{address}"
    ending = "".join(f"\n\n{part}" for part in (note, leads) if part)
    return shortened(text, LONGEST - units(ending), measure=units) + ending


def _photo(publication: Publication) -> MediaFile | None:
    """The one that is posted: Viber fetches it from the site."""
    shown = publication.photos if "site" in publication.targets else ()
    return shown[0] if shown else None


def _caption(photo: MediaFile) -> str:
    return shortened(photo.caption or photo.alt or "", LONGEST_CAPTION, measure=units)


def _problems(publication: Publication) -> list[str]:
    found = ["Viber не дає правити й видаляти дописів: уточнення й відкликання будуть окремими дописами."]
    if units(_told(publication)) > LONGEST:
        found.append(f"Текст довший за {LONGEST} знаків: його буде скорочено, повний залишиться на сайті.")
    if publication.photos and _photo(publication) is None:
        found.append("Світлини Viber бере із сайту, а публікація туди не йде: допис буде без світлин.")
    elif len(publication.photos) > 1:
        found.append(f"Світлин {len(publication.photos)}: у Viber буде лише перша.")
    if publication.videos or publication.documents:
        found.append("Відео й документів у дописі не буде: вони на сайті.")
    return found


def _posted(token: str | None, note: str | None) -> Posted:
    return Posted(remote={} if token is None else {"message": token}, note=note)


def _refusal(said: _Answer) -> Exception | None:
    if said.status == _TOKEN:
        return Halted("Viber не приймає маркера каналу.", remedy=_ACCESS)
    if said.status == _NO_WEBHOOK:
        return Halted("У каналу Viber немає вебхука.", remedy=_WEBHOOK)
    if said.status in _ACCOUNT:
        return Halted(f"Viber не дозволяє каналу дописів ({said.status}).", remedy=_ADMIN)
    if said.status in _CONTENT:
        return Permanent(f"Viber не приймає допису: «{said.status_message}» ({said.status}).")
    return None


def _unclear(*, shows: bool) -> Exception:
    if shows:
        return Unconfirmed("Viber відповів помилкою, яка не каже, чи допис з’явився.")
    return Away("Viber відповів незрозуміло.")


def open_channel(surroundings: Surroundings) -> ViberChannel:
    """The channel that the token is of."""
    return ViberChannel(surroundings, surroundings.section(ViberSection))
