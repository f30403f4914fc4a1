"""Telegram as a channel."""

import re
from dataclasses import dataclass

from aiogram.methods import GetChat, GetChatMember, GetMe
from aiogram.types import ChatMemberAdministrator, ChatMemberOwner
from pydantic import JsonValue

from services.publisher.channels.interface import (
    Away,
    Call,
    Channel,
    Halted,
    Posted,
    Surroundings,
    Unconfirmed,
)
from services.publisher.channels.telegram.client import Client, Moved, Unreadable
from services.publisher.channels.telegram.drafts import Post, notice_of, post_of
from services.publisher.channels.telegram.posting import Posting, doubt_about
from services.publisher.channels.telegram.records import Part, Record, Records, Role, State
from services.publisher.channels.telegram.refusals import CHAT_REMEDY, MEMBER_REMEDY
from services.publisher.channels.telegram.settings import TelegramSection
from shared.bus import Later, Permanent
from shared.preview import Preview
from shared.publication import Publication
from shared.telemetry import logger

_UNKNOWN = "Допис у Telegram є, але його номер невідомий: змінюйте й видаляйте його вручну."
_BY_HAND = "Номер допису в Telegram невідомий: змініть або видаліть його вручну."
_NOTICE = "Повідомлення в Telegram застарі для видалення: на їхньому місці — повідомлення про відкликання."
_LAST_NUMBER = re.compile(r"/([0-9]+)/?(?:\?.*)?$")

_log = logger(__name__)


@dataclass(frozen=True)
class _Chat:
    """Where the bot posts."""

    id: int
    type: str
    username: str | None

    @property
    def group(self) -> bool:
        return self.type in ("group", "supergroup")

    def url(self, message: int) -> str | None:
        """A message's address; None in a group of the old sort, whose messages have none."""
        if self.username is not None:
            return f"https://t.me/{self.username}/{message}"
        number = str(self.id)
        return f"https://t.me/c/{number[4:]}/{message}" if number.startswith("-100") else None


class TelegramChannel(Channel):
    """Posts messages; a correction edits them, a withdrawal deletes them.

    Not repeatable: a message that was about to be sent when its process died may be there or not, and
    the Bot API can't be asked. What is certain is in the channel's own record of each publication.
    """

    name = "telegram"
    repeatable = False
    deadline = 900.0
    concurrency = 4
    after = ("site",)

    def __init__(self, surroundings: Surroundings, section: TelegramSection) -> None:
        self._surroundings = surroundings
        self._section = section
        self._client = Client(section)
        self._records = Records(surroundings.database)
        self._known: _Chat | None = None

    async def prepare(self) -> None:
        """See that the token is good, and that the bot may post in the chat."""
        try:
            me = await self._client.call(GetMe())
            chat = await self._look_up_chat()
            if chat.type == "channel":
                await self._see_that_it_may_post(me.id, chat)
        except Unconfirmed as error:
            raise Away("До Telegram зараз не дістатися.") from error
        except Permanent as error:
            raise Halted(str(error), remedy=CHAT_REMEDY) from error

    async def _see_that_it_may_post(self, me: int, chat: _Chat) -> None:
        try:
            member = await self._client.call(GetChatMember(chat_id=chat.id, user_id=me))
        except Unreadable:
            # A server older or newer than aiogram: the first message will show.
            return
        may = isinstance(member, ChatMemberAdministrator) and member.can_post_messages
        if not (may or isinstance(member, ChatMemberOwner)):
            raise Halted("Бот не має права писати в каналі Telegram.", remedy=MEMBER_REMEDY)

    async def close(self) -> None:
        await self._client.close()

    def takes(self, publication: Publication) -> str | None:  # noqa: ARG002  # Telegram shows any kind
        """Everything: what doesn't fit is split, or left to the link."""
        return None

    def preview(self, publication: Publication) -> Preview:
        """The messages; the link to the site is added once the page is there."""
        post = self._post(publication, None)
        pieces = tuple(draft.piece() for draft in post.drafts)
        return Preview(channel=self.name, pieces=pieces, problems=post.problems)

    async def publish(self, publication: Publication, call: Call) -> Posted:  # noqa: ARG002
        """Send it, or go on with what an earlier try has sent.

        It is only called where nothing is in doubt, or a person has said that what was isn't there.
        """
        record = await self._records.get(publication.id)
        if record is not None:
            record = _certain(record)
        for _ in range(2):
            chat = await self._chat()
            if record is None or not record.parts:
                record = Record(chat=chat.id)
            posting = self._posting(publication, record, chat)
            try:
                return await self._brought(posting, publication, chat)
            except Moved as moved:
                await self._follow(moved)
                record = posting.record
        raise Later("Група Telegram переїжджає: спробуємо згодом.")

    async def update(self, publication: Publication, posted: Posted, call: Call) -> Posted:  # noqa: ARG002
        """Edit what stands there; send, edit or delete continuations as the text's length asks."""
        chat = await self._chat()
        record = await self._record(publication, posted, chat)
        head = record.head
        if head is not None and head.state is State.SENDING and not head.ids:
            # A person has said that it is there, but not where.
            if record.revision < publication.revision:
                raise Permanent(_BY_HAND)
            return Posted(remote=_remote(record), url=posted.url, note=_UNKNOWN)
        try:
            return await self._brought(self._posting(publication, record, chat), publication, chat)
        except Moved as moved:
            await self._follow(moved)
            raise Later("Група Telegram переїхала: спробуємо знову.", counted=False) from None

    async def withdraw(
        self,
        publication: Publication,
        posted: Posted | None,
        call: Call,  # noqa: ARG002
    ) -> Posted | None:
        """Delete all messages; those too old for that are emptied, and say that it was withdrawn."""
        chat = await self._chat()
        record = await self._record(publication, posted, chat)
        if posted is None:
            # Nothing is in doubt any more: a person has said that it isn't there.
            record = _certain(record)
        head = record.head
        if head is not None and head.state is State.SENDING and not head.ids:
            raise Permanent(_BY_HAND)
        posting = self._posting(publication, record, chat)
        await posting.take_down(notice_of(publication))
        left = posting.record
        if left.ids:
            posting.notes.insert(0, _NOTICE)
            return Posted(
                remote=_remote(left), url=chat.url(left.ids[0]), note=" ".join(posting.notes) or None
            )
        await self._records.forget(publication.id)
        return Posted(note=" ".join(posting.notes)) if posting.notes else None

    async def find(self, publication: Publication) -> Posted | None:
        """What the record is sure of; raises `Unconfirmed` where a message was about to be sent.

        Where only a continuation is in doubt, a release waits for a person. A correction or withdrawal
        doesn't: it is made on the messages that are known, and the receipt says what else to look for.
        """
        record = await self._records.get(publication.id)
        if record is None or not record.parts:
            return None
        head = record.head
        if record.in_doubt:
            newer = publication.withdrawal is not None or publication.revision > record.revision
            if head is None or not head.ids or not newer:
                raise doubt_about(record)
        chat = await self._chat()
        return Posted(remote=_remote(record), url=chat.url(record.ids[0]) if record.ids else None)

    async def _brought(self, posting: Posting, publication: Publication, chat: _Chat) -> Posted:
        page = await self._surroundings.posted(publication.id, "site")
        head = posting.record.head
        link = None if page is None else page.url
        post = self._post(publication, link, captioned=head is not None and head.captioned)
        await posting.bring_to(post, publication.revision)
        record = posting.record
        url = chat.url(record.ids[0]) if record.ids and record.chat == chat.id else None
        return Posted(remote=_remote(record), url=url, note=" ".join(posting.notes) or None)

    def _post(self, publication: Publication, link: str | None, *, captioned: bool = False) -> Post:
        return post_of(publication, link, largest=self._section.largest_upload, captioned=captioned)

    def _posting(self, publication: Publication, record: Record, chat: _Chat) -> Posting:
        return Posting(
            self._client,
            self._records,
            self._surroundings.media,
            publication.id,
            record,
            group=chat.group,
        )

    async def _record(self, publication: Publication, posted: Posted | None, chat: _Chat) -> Record:
        """The channel's own record, and what a person who looked adds to it."""
        record = await self._records.get(publication.id)
        if record is None:
            given = _ids(posted)
            guessed = self._guessed(publication, given) if given else ()
            return Record(chat=_chat_id(posted) or chat.id, revision=publication.revision, parts=guessed)
        known = set(record.ids)
        fresh = [id for id in _ids(posted) if id not in known]
        if not fresh:
            return record
        drafts = self._post(publication, None).drafts
        parts = []
        for each in record.parts:
            part = each
            if part.state is State.SENDING and not part.ids and fresh:
                many = max(1, len(drafts[0].items)) if part.role is Role.HEAD else 1
                ids, fresh = fresh[:many], fresh[many:]
                part = each.model_copy(update={"state": State.SENT, "ids": tuple(ids)})
            parts.append(part)
        return record.model_copy(update={"parts": tuple(parts)})

    def _guessed(self, publication: Publication, ids: list[int]) -> tuple[Part, ...]:
        parts = []
        for draft in self._post(publication, None).drafts:
            many = max(1, len(draft.items))
            taken, ids = tuple(ids[:many]), ids[many:]
            if taken:
                parts.append(Part(role=draft.role, state=State.SENT, ids=taken, captioned=draft.captioned))
        extra = [Part(role=Role.MORE, state=State.SENT, ids=(id,)) for id in ids]
        return (*parts, *extra)

    async def _chat(self) -> _Chat:
        return self._known or await self._look_up_chat()

    async def _look_up_chat(self) -> _Chat:
        for _ in range(2):
            where = await self._records.whereabouts(self._section.chat)
            try:
                chat = await self._client.call(GetChat(chat_id=where))
            except Moved as moved:
                await self._records.moved(str(where), moved.to)
                continue
            self._known = _Chat(chat.id, chat.type, chat.username)
            return self._known
        raise Halted("Telegram не каже, куди переїхала група.", remedy=CHAT_REMEDY)

    async def _follow(self, moved: Moved) -> None:
        known = await self._chat()
        _log.warning("the chat has moved", channel=self.name, to=moved.to)
        await self._records.moved(self._section.chat, moved.to)
        if str(known.id) != self._section.chat:
            await self._records.moved(str(known.id), moved.to)
        self._known = None
        await self._look_up_chat()


def _certain(record: Record) -> Record:
    """Without what was in doubt, and has turned out not to be there."""
    kept = tuple(part for part in record.parts if part.state is not State.SENDING or part.ids)
    return record.model_copy(update={"parts": kept})


def _remote(record: Record) -> dict[str, JsonValue]:
    messages: list[JsonValue] = [*record.ids]
    return {"chat": record.chat, "messages": messages}


def _ids(posted: Posted | None) -> list[int]:
    """The messages that a ledger entry or a person names; a person may give the address alone."""
    if posted is None:
        return []
    given = posted.remote.get("messages")
    ids = [id for id in given if isinstance(id, int)] if isinstance(given, list) else []
    if not ids and posted.url is not None and (match := _LAST_NUMBER.search(posted.url)):
        ids = [int(match[1])]
    return ids


def _chat_id(posted: Posted | None) -> int | None:
    given = None if posted is None else posted.remote.get("chat")
    return given if isinstance(given, int) else None


def open_channel(surroundings: Surroundings) -> TelegramChannel:
    """The bot and the chat that the settings name."""
    return TelegramChannel(surroundings, surroundings.section(TelegramSection))
