"""A publication as a post of a page: its text, and what is shown with it. Pure.

Posts have no markup (https://developers.facebook.com/docs/graph-api/reference/page/feed); the address stands
in a line of its own, where `find` looks for it.
"""

from dataclasses import dataclass

from services.publisher.channels.facts import correction_note, lines_of
from services.publisher.channels.text import plain_text, shortened, units
from shared.publication import MediaFile, Publication
from shared.vocabulary import Kind

MOST_PHOTOS = 10
"""In one post; https://developers.facebook.com/docs/graph-api/reference/page/photos."""
LONGEST_TITLE = 255
UPLOADABLE = "video/mp4"
"""The only video type that the upload takes: https://developers.facebook.com/docs/graph-api/guides/upload."""
_MORE = "Докладніше на сайті:"


@dataclass(frozen=True)
class Draft:
    """What is to be posted."""

    title: str
    message: str
    address: str | None
    photos: tuple[MediaFile, ...] = ()
    video: MediaFile | None = None
    shortened: bool = False

    @property
    def media(self) -> tuple[str, ...]:
        """What is shown with it, by content."""
        shown = self.photos if self.video is None else (self.video,)
        return tuple(file.sha256 for file in shown)


def draft_of(publication: Publication, address: str | None, *, longest: int, uploads: bool) -> Draft:
    """The post; `uploads`: whether the page can upload videos at all."""
    content = publication.content
    text = "\n\n".join(
        part
        for part in (content.title, "\n".join(lines_of(content)), content.lead, plain_text(content.body))
        if part
    )
    ending = "".join(f"\n\n{part}" for part in (correction_note(publication), _leads_to(address)) if part)
    room = longest - units(ending)
    video = _video(publication) if uploads else None
    return Draft(
        title=content.title[:LONGEST_TITLE],
        message=shortened(text, room, measure=units) + ending,
        address=address,
        photos=() if video is not None else publication.photos[:MOST_PHOTOS],
        video=video,
        shortened=units(text) > room,
    )


def problems_of(publication: Publication, draft: Draft, *, longest: int, uploads: bool) -> list[str]:
    """What doesn't fit, for a clerk."""
    found = []
    if draft.shortened:
        found.append(f"Текст довший за {longest} знаків: його буде скорочено, повний залишиться на сайті.")
    photos, videos = publication.photos, publication.videos
    if draft.video is not None and photos:
        found.append("Facebook не показує світлини разом із відео: буде лише відео.")
    elif len(photos) > MOST_PHOTOS:
        found.append(
            f"Світлин {len(photos)}, а в дописі може бути {MOST_PHOTOS}: покажемо перші {MOST_PHOTOS}."
        )
    if draft.video is not None and len(videos) > 1:
        found.append("Відеофайлів кілька: у дописі буде лише перший.")
    if draft.video is None and videos:
        if photos:
            found.append("Facebook не показує відео разом зі світлинами: відео буде лише на сайті.")
        elif not uploads:
            found.append("Завантаження відео не налаштовано: допис лише посилатиметься на сайт.")
        else:
            found.append("Facebook приймає лише відео MP4: допис лише посилатиметься на сайт.")
    if publication.documents:
        found.append("Документів до допису не додати: вони будуть на сайті.")
    return found


def names(message: str, address: str) -> bool:
    """Whether a post's text has this address in a line of its own."""
    return address in (line.strip() for line in message.splitlines())


def same(message: str, other: str) -> bool:
    """Whether two texts differ in nothing but white space."""
    return message.split() == other.split()


def alike(message: str, other: str) -> bool:
    """Whether two texts begin with the same title."""
    return message.strip().split("\n", 1)[0].split() == other.strip().split("\n", 1)[0].split()


def _video(publication: Publication) -> MediaFile | None:
    wanted = publication.kind is Kind.VIDEO or not publication.photos
    fitting = [file for file in publication.videos if file.media_type == UPLOADABLE]
    return fitting[0] if wanted and fitting else None


def _leads_to(address: str | None) -> str | None:
    return None if address is None else f"{_MORE}\n{address}"
