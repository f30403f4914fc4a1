"""What an issue's galley holds, and in which order."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.publisher.channels.newspaper.blocks import Block, Count, Run, count, story
from services.publisher.channels.newspaper.issue import Issue, Item, Role, official
from shared.publication import MediaFile, Publication
from shared.vocabulary import Kind

MANDATORY, NOTICES = "Нормативно-правові акти (обов’язкове оприлюднення)", "Уточнення і спростування"
_KINDS: dict[Kind, str] = {
    Kind.REGULATORY_ACT: "Інші акти та проєкти",
    Kind.ANNOUNCEMENT: "Оголошення та повідомлення",
    Kind.INTERVIEW: "Інтерв’ю",
    Kind.EXPLAINER: "Роз’яснення",
    Kind.NEWS: "Новини",
    Kind.PRESS_RELEASE: "Пресрелізи",
    Kind.EVENT: "Події",
    Kind.PHOTO_REPORT: "Фоторепортажі",
}
GROUPS = (MANDATORY, NOTICES, *_KINDS.values())


@dataclass(frozen=True)
class Photo:
    """A photograph under the name that it has in the package."""

    file: MediaFile
    name: str

    @property
    def caption(self) -> str:
        """What stands below it: caption, else what it shows; and who made it."""
        text = self.file.caption or self.file.alt or ""
        return f"{text} Фото: {self.file.author}" if self.file.author else text


@dataclass(frozen=True)
class Piece:
    """An item as the galley sets it."""

    item: Item
    publication: Publication
    place: int
    """Its number in the galley, from 1."""
    group: str
    title: str
    blocks: tuple[Block, ...]
    photos: tuple[Photo, ...]

    @property
    def count(self) -> Count:
        return count(self.title, self.blocks)


def heading(role: Role, publication: Publication) -> str:
    """The title as it is to be printed."""
    title = publication.content.title
    return title if role is Role.STORY else f"{_LABELS[role]}: {title}"


_LABELS = {Role.ERRATUM: "Уточнення", Role.REFUTATION: "Спростування"}


def set_text(role: Role, publication: Publication, reason: str | None = None) -> tuple[Block, ...]:
    """The blocks of an item."""
    if role is Role.REFUTATION:
        told = f"Міська рада відкликала матеріал «{publication.content.title}». {reason or ''}".strip()
        return (Block("paragraph", (Run(told),)),)
    if role is Role.ERRATUM:
        note = publication.corrections[-1].note if publication.corrections else ""
        before = (Block("paragraph", (Run(note, italic=True),)),) if note else ()
        return (*before, *story(publication))
    return story(publication)


def contents(issue: Issue) -> tuple[Piece, ...]:
    """The items in the galley's order: what must be printed first, then by kind, then by age."""
    read = [(item, item.content) for item in issue.items]
    read.sort(key=lambda pair: (GROUPS.index(_group(*pair)), str(pair[1].released_at), str(pair[1].id)))
    return tuple(_piece(item, publication, place) for place, (item, publication) in enumerate(read, 1))


def _group(item: Item, publication: Publication) -> str:
    if item.role is not Role.STORY:
        return NOTICES
    return MANDATORY if official(publication) else _KINDS.get(publication.kind, _KINDS[Kind.NEWS])


def _piece(item: Item, publication: Publication, place: int) -> Piece:
    photos = publication.photos if item.role is not Role.REFUTATION else ()
    return Piece(
        item=item,
        publication=publication,
        place=place,
        group=_group(item, publication),
        title=heading(item.role, publication),
        blocks=set_text(item.role, publication, item.reason),
        photos=tuple(Photo(file, f"{place:02}-{number:02}.jpg") for number, file in enumerate(photos, 1)),
    )


def total(pieces: Sequence[Piece]) -> Count:
    """The characters of the whole issue."""
    return sum((piece.count for piece in pieces), Count())
