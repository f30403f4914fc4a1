"""A publication as the messages it makes. Pure.

Text alone is one message, or several where it is long; with photographs or videos the text is their caption,
and goes on in replies. Documents are replies as well.
"""

import hashlib
from dataclasses import dataclass
from enum import Enum

from aiogram.utils.formatting import Bold, Italic, Text

from services.publisher.channels.facts import facts_of
from services.publisher.channels.telegram.formatting import (
    CAPTION_LIMIT,
    TEXT_LIMIT,
    Node,
    Rendered,
    from_commonmark,
    joined,
    link_to,
    split,
)
from services.publisher.channels.telegram.records import Role
from services.publisher.channels.telegram.settings import MIB
from shared.media import ImageFormat, poster_key, rendition_key, rendition_widths
from shared.preview import Piece
from shared.publication import MediaFile, Publication, Significance
from shared.vocabulary import MediaForm

MOST_IN_ALBUM = 10
"""https://core.telegram.org/bots/api#sendmediagroup"""
MOST_DOCUMENTS = 10
"""Replies that one publication may make: a group takes twenty messages a minute."""
_PHOTO_WIDTH = 1600
_SUM_OF_SIDES, _STEEPEST = 10_000, 20
"""Of photographs: https://core.telegram.org/bots/api#sendphoto."""


class Shape(Enum):
    """How a file is shown."""

    PHOTO = "photo"
    VIDEO = "video"
    DOCUMENT = "document"


@dataclass(frozen=True)
class Item:
    """One file of a message."""

    shape: Shape
    key: str
    """In the media store."""
    name: str
    file: MediaFile
    is_poster: bool = False


@dataclass(frozen=True)
class Draft:
    """One part of a post."""

    role: Role
    text: Rendered
    items: tuple[Item, ...] = ()
    captioned: bool = False
    link: str | None = None
    """The page whose preview is shown."""

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(item.key for item in self.items)

    @property
    def digest(self) -> str:
        """Of all that an edit of the text would change."""
        entities = [entity.model_dump_json(exclude_none=True) for entity in self.text.entities]
        whole = "\x00".join((self.text.text, self.link or "", *entities))
        return hashlib.sha256(whole.encode()).hexdigest()

    def piece(self) -> Piece:
        """As readers see it, for a preview."""
        images = [item.file.alt or "Кадр відео" for item in self.items if item.shape is Shape.PHOTO]
        videos = [item.name for item in self.items if item.shape is Shape.VIDEO]
        documents = [item.name for item in self.items if item.shape is Shape.DOCUMENT]
        text = "\n".join(filter(None, [*documents, self.text.text]))
        return Piece(text=text, images=tuple(images), video=", ".join(videos) or None, link=self.link)


@dataclass(frozen=True)
class Post:
    """All parts, head first."""

    drafts: tuple[Draft, ...]
    problems: tuple[str, ...]

    @property
    def head(self) -> Draft:
        return self.drafts[0]


def post_of(
    publication: Publication, link: str | None, *, largest: int = 50 * MIB, captioned: bool = False
) -> Post:
    """The messages of a publication; `link` is its page, `largest` an upload's size in bytes.

    `captioned`: the head is a message with media whatever the publication has now, so its text is a caption.
    """
    problems: list[str] = []
    items = _items(publication, largest, problems)
    captioned = captioned or bool(items)
    texts = split(_text(publication, link), first=CAPTION_LIMIT if captioned else TEXT_LIMIT)
    if len(texts) > 1:
        if captioned:
            problems.append(
                f"Текст довший за {CAPTION_LIMIT} знаки підпису: продовження буде у відповіді на допис."
            )
        else:
            problems.append(
                f"Текст довший за {TEXT_LIMIT} знаків: його буде поділено, повідомлень — {len(texts)}."
            )
    head = Draft(Role.HEAD, texts[0], items, captioned, None if captioned else link)
    more = [Draft(Role.MORE, text) for text in texts[1:]]
    return Post((head, *more, *_documents(publication, largest, problems)), tuple(problems))


def notice_of(publication: Publication) -> Rendered:
    """What stands where a withdrawn publication can't be deleted. It doesn't repeat its title."""
    reason = publication.withdrawal.reason if publication.withdrawal is not None else ""
    parts: list[Node] = [Bold("Публікацію відкликано.")]
    if reason:
        parts.append(f"Причина: {reason}")
    return split(Rendered.of(joined(parts)), first=CAPTION_LIMIT)[0]


def _text(publication: Publication, link: str | None) -> Rendered:
    content = publication.content
    title: Node = Bold(content.title) if link is None else Bold(link_to(content.title, link))
    facts = [Text(Bold(f"{label}:"), f" {value}") for label, value in facts_of(content)]
    parts: list[Node] = [title]
    if facts:
        parts.append(joined(facts, by="\n"))
    parts += [content.lead, from_commonmark(content.body)]
    major = [each for each in publication.corrections if each.significance is Significance.MAJOR]
    if major:
        parts.append(Italic(f"Уточнено: {major[-1].note}"))
    return Rendered.of(joined(parts))


def _items(publication: Publication, largest: int, problems: list[str]) -> tuple[Item, ...]:
    found = []
    for file in publication.media:
        if file.form is MediaForm.PHOTO:
            item = _photo(file, problems)
        elif file.form is MediaForm.VIDEO:
            item = _video(file, largest, problems)
        else:
            continue
        if item is not None:
            found.append(item)
    if len(found) > MOST_IN_ALBUM:
        problems.append(
            f"Світлин і відео {len(found)}, а в альбомі може бути {MOST_IN_ALBUM}: "
            f"покажемо перші {MOST_IN_ALBUM}, решта — на сайті."
        )
    return tuple(found[:MOST_IN_ALBUM])


def _photo(file: MediaFile, problems: list[str]) -> Item | None:
    width, height = file.width or 1, file.height or 1
    if max(width, height) > _STEEPEST * min(width, height):
        problems.append(f"Світлина «{file.alt}» надто видовжена для Telegram: вона буде лише на сайті.")
        return None
    fitting = [each for each in rendition_widths(file) if each + each * height / width <= _SUM_OF_SIDES]
    best = max((each for each in fitting if each <= _PHOTO_WIDTH), default=rendition_widths(file)[0])
    key = rendition_key(file, width=best, format=ImageFormat.JPEG)
    return Item(Shape.PHOTO, key, f"{file.sha256[:16]}.jpg", file)


def _video(file: MediaFile, largest: int, problems: list[str]) -> Item | None:
    name = file.name or "відео"
    if file.media_type == "video/mp4" and file.size <= largest:
        return Item(Shape.VIDEO, file.sha256, file.name or "video.mp4", file)
    # Other types are sent as files, which nobody can watch: https://core.telegram.org/bots/api#sendvideo.
    why = "не MP4" if file.media_type != "video/mp4" else f"більше за {largest // MIB} МБ"
    instead = "покажемо кадр із посиланням" if file.poster else "дамо лише посилання"
    problems.append(f"Відео «{name}» {why}: {instead} на сторінку сайту.")
    if not file.poster:
        return None
    return Item(Shape.PHOTO, poster_key(file), f"{file.sha256[:16]}.jpg", file, is_poster=True)


def _documents(publication: Publication, largest: int, problems: list[str]) -> list[Draft]:
    found = []
    for file in publication.documents:
        name = file.name or "документ"
        if file.size > largest:
            problems.append(f"Документ «{name}» більший за {largest // MIB} МБ: він буде лише на сайті.")
            continue
        item = Item(Shape.DOCUMENT, file.sha256, name, file)
        caption = split(Rendered.of(Text(file.caption or "")), first=CAPTION_LIMIT)
        found.append(Draft(Role.DOCUMENT, caption[0] if caption else Rendered(), (item,), captioned=True))
    if len(found) > MOST_DOCUMENTS:
        problems.append(
            f"Документів {len(found)}: до допису додамо перші {MOST_DOCUMENTS}, решта — на сайті."
        )
    return found[:MOST_DOCUMENTS]
