"""Brings the messages of one publication to what its drafts say, one recorded step after another.

Each part is recorded as `sending` before it is sent and with its ids after. The Bot API takes no idempotency
key and can't be asked what stands in a chat (https://core.telegram.org/bots/api), so a part that stayed
`sending` is in doubt: it is never sent again until a person has looked.
"""

from uuid import UUID

from aiogram.methods import (
    DeleteMessage,
    EditMessageCaption,
    EditMessageMedia,
    EditMessageText,
    SendDocument,
    SendMediaGroup,
    SendMessage,
    SendPhoto,
    SendVideo,
    TelegramMethod,
)
from aiogram.types import (
    InputFile,
    InputMediaDocument,
    InputMediaPhoto,
    InputMediaVideo,
    LinkPreviewOptions,
    MediaUnion,
    Message,
    ReplyParameters,
)

from services.publisher.channels.interface import Unconfirmed
from services.publisher.channels.telegram.client import Client, Moved
from services.publisher.channels.telegram.drafts import Draft, Item, Post, Shape
from services.publisher.channels.telegram.files import Upload, grey_picture, note_file
from services.publisher.channels.telegram.formatting import Rendered
from services.publisher.channels.telegram.records import Part, Record, Records, Role, State
from services.publisher.channels.telegram.refusals import MessageGone, NotModified, Refused, Unchangeable
from shared.bus import Later
from shared.media import MediaMissing, MediaStore
from shared.mongo import StoreUnavailable

GREY = "grey"
"""Stands in `Part.files` for the picture that stands where a photograph was."""
_GONE = "Повідомлення в Telegram видалено вручну: бот його не відновлює."
_PARTLY_GONE = "Частину повідомлень у Telegram видалено вручну: бот їх не відновлює."
_DOUBT = "Чи з’явилося продовження допису в Telegram, невідомо: зв’язок обірвався. Перевірте канал."
_MORE_PHOTOS = "Додані світлини — лише на сайті: альбом у Telegram не можна збільшити."
_GREY = "Вилучену світлину замінено сірим тлом: з повідомлення її не прибрати."
_FIXED = "Telegram не дає змінити частини повідомлень: виправте або видаліть їх вручну."
_LEFT = "Telegram не дає ні видалити, ні змінити повідомлення: видаліть його вручну."
_MOVED = "Група переїхала, і повідомлення лишилося в колишній: змініть або видаліть його вручну."
Media = InputMediaPhoto | InputMediaVideo | InputMediaDocument


class Posting:
    """One publication's turn."""

    def __init__(
        self, client: Client, records: Records, store: MediaStore, id: UUID, record: Record, *, group: bool
    ) -> None:
        self._client = client
        self._records = records
        self._store = store
        self._id = id
        self._group = group
        self.record = record
        self.notes: list[str] = []

    async def bring_to(self, post: Post, revision: int) -> None:
        """Send, edit and delete until the messages say what `post` says."""
        await self._keep(self.record.model_copy(update={"revision": revision}))
        for role in Role:
            wanted = [draft for draft in post.drafts if draft.role is role]
            there = [index for index, part in enumerate(self.record.parts) if part.role is role]
            for draft, index in zip(wanted, there, strict=False):
                await self._revise(index, draft)
            for draft in wanted[len(there) :]:
                await self._send(draft)
            await self._drop(there[len(wanted) :])
        await self._forget_dropped()

    async def take_down(self, notice: Rendered) -> None:
        """Delete every message, or make those say `notice` that are too old to be deleted.

        https://core.telegram.org/bots/api#deletemessage. Raises `Refused` where neither can be done.
        """
        for index, part in enumerate(self.record.parts):
            left = []
            for id in part.ids:
                if not await self._deleted(id):
                    await self._blank(part, id, notice)
                    left.append(id)
            files = tuple(GREY for _ in left) if part.files else ()
            emptied = part.model_copy(update={"ids": tuple(left), "files": files, "digest": ""})
            await self._keep_part(index, emptied)
        if any(part.state is State.SENDING for part in self.record.parts):
            self._note(_DOUBT)

    # --- sending ---

    async def _send(self, draft: Draft) -> None:
        await self._see_that_files_are_there(draft)
        await self._client.pace(max(1, len(draft.items)), group=self._group)
        index = len(self.record.parts)
        part = Part(role=draft.role, state=State.SENDING, captioned=draft.captioned)
        await self._keep(self.record.model_copy(update={"parts": (*self.record.parts, part)}))
        try:
            ids = await self._sent(draft)
        except Refused as refusal:
            if draft.role is Role.HEAD:
                await self._keep_parts(self.record.parts[:index])
                raise
            self._note(str(refusal))
            await self._keep_part(index, part.model_copy(update={"state": State.REFUSED}))
            return
        except (Later, StoreUnavailable, Moved):
            await self._keep_parts(self.record.parts[:index])
            raise
        sent = {"state": State.SENT, "ids": ids, "digest": draft.digest, "files": draft.keys}
        await self._keep_part(index, part.model_copy(update=sent))

    async def _sent(self, draft: Draft) -> tuple[int, ...]:
        chat, reply = self.record.chat, self._reply(draft)
        text, entities = draft.text.text, list(draft.text.entities)
        uploads = [self._upload(item) for item in draft.items]
        method: TelegramMethod[Message]
        if not draft.items:
            method = SendMessage(
                chat_id=chat,
                text=text,
                entities=entities,
                link_preview_options=_preview(draft),
                reply_parameters=reply,
            )
        elif len(draft.items) > 1:
            album: list[MediaUnion] = [
                _media(item, file) for item, file in zip(draft.items, uploads, strict=True)
            ]
            album[0] = album[0].model_copy(
                update={"caption": text or None, "caption_entities": entities or None}
            )
            messages = await self._client.call(
                SendMediaGroup(chat_id=chat, media=album, reply_parameters=reply),
                repeatable=False,
                uploads=uploads,
            )
            return tuple(message.message_id for message in messages)
        elif draft.items[0].shape is Shape.VIDEO:
            file = draft.items[0].file
            method = SendVideo(
                chat_id=chat,
                video=uploads[0],
                width=file.width,
                height=file.height,
                duration=_seconds(file.duration),
                supports_streaming=True,
                caption=text,
                caption_entities=entities,
                reply_parameters=reply,
            )
        elif draft.items[0].shape is Shape.DOCUMENT:
            method = SendDocument(
                chat_id=chat,
                document=uploads[0],
                caption=text,
                caption_entities=entities,
                reply_parameters=reply,
            )
        else:
            method = SendPhoto(
                chat_id=chat,
                photo=uploads[0],
                caption=text,
                caption_entities=entities,
                reply_parameters=reply,
            )
        message = await self._client.call(method, repeatable=False, uploads=uploads)
        return (message.message_id,)

    def _reply(self, draft: Draft) -> ReplyParameters | None:
        head = self.record.head
        if draft.role is Role.HEAD or head is None or not head.ids:
            return None
        return ReplyParameters(message_id=head.ids[0], allow_sending_without_reply=True)

    async def _see_that_files_are_there(self, draft: Draft) -> None:
        for key in draft.keys:
            if not await self._store.has(key):
                raise MediaMissing("Файл ще готується.", after=5)

    def _upload(self, item: Item) -> Upload:
        return Upload(self._store, item.key, item.name)

    # --- changing ---

    async def _revise(self, index: int, draft: Draft) -> None:
        part = self.record.parts[index]
        if part.state is State.SENDING and not part.ids:
            self._note(_DOUBT)
            return
        if part.state is State.GONE:
            self._note(_GONE if draft.role is Role.HEAD else _PARTLY_GONE)
            return
        if part.state is State.REFUSED:
            await self._drop([index])
            await self._send(draft)
            return
        try:
            if part.captioned or draft.items:
                await self._revise_media(index, draft)
            part = self.record.parts[index]
            if part.digest != draft.digest:
                await self._change(part, part.ids[0], draft)
        except MessageGone:
            self._note(_GONE if draft.role is Role.HEAD else _PARTLY_GONE)
            await self._keep_part(index, self.record.parts[index].model_copy(update={"state": State.GONE}))
            return
        except Unchangeable:
            self._note(_FIXED)
            return
        except Moved:
            self._note(_MOVED)
            return
        sent = {"state": State.SENT, "digest": draft.digest}
        await self._keep_part(index, self.record.parts[index].model_copy(update=sent))

    async def _revise_media(self, index: int, draft: Draft) -> None:
        """Bring a part's photographs to the draft's, as far as an edit can: an album can't grow."""
        await self._see_that_files_are_there(draft)
        part = self.record.parts[index]
        keep = max(1, min(len(part.ids), len(draft.items)))
        for id in part.ids[keep:]:
            await self._deleted(id)
        part = part.model_copy(update={"ids": part.ids[:keep], "files": part.files[:keep]})
        if len(draft.items) > keep:
            self._note(_MORE_PHOTOS)
        wanted = draft.keys[:keep] or (GREY,)
        if GREY in wanted:
            self._note(_GREY)
        for place, (id, key) in enumerate(zip(part.ids, wanted, strict=True)):
            there = part.files[place] if place < len(part.files) else None
            if there == key:
                continue
            caption = draft.text if place == 0 else Rendered()
            upload = None if key == GREY else self._upload(draft.items[place])
            media = (
                InputMediaPhoto(media=grey_picture())
                if upload is None
                else _media(draft.items[place], upload)
            )
            await self._put_media(id, media, caption, upload)
            files = (*part.files[:place], key, *part.files[place + 1 :])
            shown = {"files": files, "captioned": True}
            part = part.model_copy(update=shown | ({"digest": draft.digest} if place == 0 else {}))
            await self._keep_part(index, part)
        await self._keep_part(index, part)

    async def _put_media(self, id: int, media: Media, caption: Rendered, upload: Upload | None) -> None:
        told = {"caption": caption.text or None, "caption_entities": list(caption.entities) or None}
        uploads = () if upload is None else (upload,)
        shown = media.model_copy(update=told)
        method = EditMessageMedia(chat_id=self.record.chat, message_id=id, media=shown)
        try:
            await self._client.call(method, uploads=uploads)
        except NotModified:
            return

    async def _change(self, part: Part, id: int, draft: Draft) -> None:
        await self._change_text(part, id, draft.text, _preview(draft))

    async def _change_text(self, part: Part, id: int, text: Rendered, preview: LinkPreviewOptions) -> None:
        chat, entities = self.record.chat, list(text.entities)
        method: TelegramMethod[Message | bool]
        if part.captioned:
            method = EditMessageCaption(
                chat_id=chat, message_id=id, caption=text.text, caption_entities=entities
            )
        else:
            method = EditMessageText(
                chat_id=chat,
                message_id=id,
                text=text.text,
                entities=entities,
                link_preview_options=preview,
            )
        try:
            await self._client.call(method)
        except NotModified:
            return

    # --- taking away ---

    async def _drop(self, indexes: list[int]) -> None:
        """Delete parts that are no longer wanted."""
        for index in indexes:
            part = self.record.parts[index]
            if part.state is State.SENDING and not part.ids:
                self._note(_DOUBT)
                continue
            left = [id for id in part.ids if not await self._deleted(id)]
            if left:
                self._note(_FIXED)
            await self._keep_part(index, part.model_copy(update={"ids": tuple(left), "state": State.REFUSED}))

    async def _forget_dropped(self) -> None:
        """Parts without messages that nobody waits for: their place is free for what comes later."""
        kept = [part for part in self.record.parts if part.ids or part.state is not State.REFUSED]
        if len(kept) < len(self.record.parts):
            await self._keep_parts(tuple(kept))

    async def _deleted(self, id: int) -> bool:
        """Whether it is gone now; False where it is there to stay."""
        try:
            await self._client.call(DeleteMessage(chat_id=self.record.chat, message_id=id))
        except MessageGone:
            return True
        except Unchangeable:
            return False
        except Moved:
            raise Refused(_MOVED) from None
        return True

    async def _blank(self, part: Part, id: int, notice: Rendered) -> None:
        """Take what a message says and shows out of it."""
        try:
            if part.role is Role.DOCUMENT:
                media: Media = InputMediaDocument(media=note_file(notice.text))
                await self._put_media(id, media, notice, None)
            elif part.captioned:
                await self._put_media(id, InputMediaPhoto(media=grey_picture()), notice, None)
            else:
                await self._change_text(part, id, notice, LinkPreviewOptions(is_disabled=True))
        except MessageGone:
            return
        except (Unchangeable, Moved):
            raise Refused(_LEFT) from None

    # --- the record ---

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    async def _keep_part(self, index: int, part: Part) -> None:
        parts = self.record.parts
        if parts[index] != part:
            await self._keep_parts((*parts[:index], part, *parts[index + 1 :]))

    async def _keep_parts(self, parts: tuple[Part, ...]) -> None:
        await self._keep(self.record.model_copy(update={"parts": parts}))

    async def _keep(self, record: Record) -> None:
        self.record = record
        await self._records.put(self._id, record)


def doubt_about(record: Record) -> Unconfirmed:
    """What to tell whoever has to look."""
    head = record.head
    if head is None or head in record.in_doubt:
        return Unconfirmed("Невідомо, чи з’явився допис у Telegram: подивіться в каналі.")
    return Unconfirmed("Допис у Telegram є, але невідомо, чи є його продовження: подивіться в каналі.")


def _preview(draft: Draft) -> LinkPreviewOptions:
    if draft.link is None:
        return LinkPreviewOptions(is_disabled=True)
    return LinkPreviewOptions(is_disabled=False, url=draft.link)


def _media(item: Item, file: InputFile) -> Media:
    if item.shape is Shape.PHOTO:
        return InputMediaPhoto(media=file)
    if item.shape is Shape.DOCUMENT:
        return InputMediaDocument(media=file)
    return InputMediaVideo(
        media=file,
        width=item.file.width,
        height=item.file.height,
        duration=_seconds(item.file.duration),
        supports_streaming=True,
    )


def _seconds(duration: float | None) -> int | None:
    return None if duration is None else round(duration)
