"""What stands beside a video: title, description and tags within YouTube's limits.

https://developers.google.com/youtube/v3/docs/videos#properties: title up to 100 characters, description up to
5000 bytes, tags up to 500 characters together; neither may have `<` or `>`.
"""

from collections.abc import Iterable, Iterator
from uuid import UUID
from zoneinfo import ZoneInfo

from babel.dates import format_date
from pydantic import BaseModel, ConfigDict

from services.publisher.channels.facts import guest_line, hour
from services.publisher.channels.text import CUT, plain_text, shortened
from shared.publication import Broadcast, Interview, Publication, Significance
from shared.vocabulary import TOPIC_NAMES, Topic

TITLE_CHARACTERS, DESCRIPTION_BYTES, TAGS_CHARACTERS = 100, 5000, 500
LONGEST, UNVERIFIED = 12 * 3600, 15 * 60
"""Seconds: https://support.google.com/youtube/answer/71673. The second: accounts without a phone number."""
LARGEST = 256 * 1024**3
"""Bytes: https://developers.google.com/youtube/v3/docs/videos/insert."""
_CORRECTIONS_SHOWN = 3
_KYIV = ZoneInfo("Europe/Kyiv")


class Metadata(BaseModel):
    """What people read."""

    model_config = ConfigDict(frozen=True)

    title: str
    description: str
    tags: tuple[str, ...]

    def problems(self, publication: Publication) -> list[str]:
        """What didn't fit as it is, for whoever hands it in."""
        found = []
        if self.title.endswith(CUT) and not publication.content.title.endswith(CUT):
            found.append(
                f"Заголовок довший за {TITLE_CHARACTERS} символів: на YouTube його буде скорочено, "
                f"повністю він стоятиме в описі."
            )
        if _words_of(publication) not in self.description:
            found.append(
                f"Текст довший за {DESCRIPTION_BYTES} байтів (близько 2500 українських літер): "
                f"опис на YouTube буде скорочено."
            )
        return found


def metadata_of(publication: Publication, *, link: str | None, tags: Iterable[str] = ()) -> Metadata:
    """Title, description and tags; `link` is the page on the site, where there is one."""
    full = _clean(publication.content.title)
    title = shortened(full, TITLE_CHARACTERS)
    before = full if title != full else ""
    tail = "\n\n".join(_tail(publication, link))
    # Two line breaks stand between the parts.
    room = DESCRIPTION_BYTES - _size(tail) - 2 - (_size(before) + 2 if before else 0)
    text = shortened(_words_of(publication), room, measure=_size)
    return Metadata(
        title=title,
        description="\n\n".join(part for part in (before, text, tail) if part),
        tags=fitting_tags([*_topics(publication), *tags]),
    )


def marker_of(id: UUID) -> str:
    """What the description has and no other does: by it the channel finds its own work again."""
    return f"Ідентифікатор: {id}"


def fitting_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """As many as fit, each once. A comma stands between two, and quotes around one with a space."""
    kept: list[str] = []
    taken = 0
    for each in tags:
        tag = " ".join(_clean(each).replace(",", " ").replace('"', " ").split())
        cost = len(tag) + (2 if " " in tag else 0) + (1 if kept else 0)
        if tag and tag not in kept and taken + cost <= TAGS_CHARACTERS:
            kept.append(tag)
            taken += cost
    return tuple(kept)


def _words_of(publication: Publication) -> str:
    parts = (publication.content.lead, "\n".join(_facts(publication)), plain_text(publication.content.body))
    return _clean("\n\n".join(part.strip() for part in parts if part.strip()))


def _facts(publication: Publication) -> Iterator[str]:
    content = publication.content
    if isinstance(content, Broadcast):
        broadcast = content.broadcast
        yield f"Програма: {broadcast.series}"
        yield f"Початок: {hour(broadcast.airs_at)}"
        if broadcast.guests:
            yield f"Гості: {'; '.join(map(guest_line, broadcast.guests))}"
    if isinstance(content, Interview) and content.speaker is not None:
        yield f"Співрозмовник: {guest_line(content.speaker)}"
    if publication.videos:
        video = publication.videos[0]
        if video.caption:
            yield video.caption
        if video.author:
            yield f"Відео: {video.author}"


def _tail(publication: Publication, link: str | None) -> Iterator[str]:
    grave = [each for each in publication.corrections if each.significance is Significance.MAJOR]
    for correction in reversed(grave[-_CORRECTIONS_SHOWN:]):
        day = format_date(correction.at.astimezone(_KYIV).date(), "d MMMM y", locale="uk")
        # A note is a paragraph of any length, and the link must keep its place.
        note = shortened(_clean(correction.note), DESCRIPTION_BYTES // 5, measure=_size)
        yield f"Уточнено {day}: {note}"
    if link is not None:
        yield f"Докладніше на сайті: {link}"
    yield f"{_clean(publication.department.name)}\n{marker_of(publication.id)}"


def _topics(publication: Publication) -> list[str]:
    return [TOPIC_NAMES[topic] for topic in publication.content.topics if topic is not Topic.OTHER]


def _clean(text: str) -> str:
    return text.replace("<", "‹").replace(">", "›")


def _size(text: str) -> int:
    return len(text.encode())
