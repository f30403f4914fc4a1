"""Feeds: Atom (RFC 4287), RSS 2.0 and JSON Feed 1.1 of the same items.

An item is a publication, with the same id whatever becomes of it: a correction brings it back to
the top, a withdrawal replaces its content by the notice, so that a reader who has it hears of both.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from feedgenerator import Atom1Feed, Enclosure, Rss201rev2Feed  # type: ignore[import-untyped]  # it has no types

from services.publisher.channels.site.attachments import picture
from services.publisher.channels.site.pages import Page, Standing
from shared.vocabulary import KIND_NAMES, SECTION_NAMES

LIMIT = 50
"""Items of a feed."""
_NEVER = datetime(2000, 1, 1, tzinfo=UTC)
"""When a feed without items changed: always the same, so that it stays the same file."""


@dataclass(frozen=True)
class Item:
    """A publication in a feed."""

    page: Page
    url: str
    content: str
    """Safe HTML."""
    site_url: str

    @property
    def title(self) -> str:
        withdrawn = self.page.standing is Standing.WITHDRAWN
        return f"Відкликано: {self.page.title}" if withdrawn else self.page.title

    @property
    def summary(self) -> str:
        """Plain text."""
        withdrawal = self.page.publication.withdrawal
        return self.page.lead if withdrawal is None else f"Публікацію відкликано: {withdrawal.reason}"

    @property
    def tags(self) -> list[str]:
        return [SECTION_NAMES[self.page.section], KIND_NAMES[self.page.kind]]

    @property
    def enclosure(self) -> Enclosure | None:
        """The first photograph; its size isn't known without reading it, and 0 says so."""
        publication = self.page.publication
        if not publication.photos or publication.withdrawal is not None:
            return None
        return Enclosure(self.site_url + picture(publication.photos[0]).path, "0", "image/jpeg")

    @property
    def id(self) -> str:
        return f"urn:uuid:{self.page.id}"


@dataclass(frozen=True)
class Feed:
    """What a feed is of. `path` is that of the page beside it: `/`, `/operational/`."""

    title: str
    site_name: str
    site_url: str
    path: str
    items: Sequence[Item]

    @property
    def url(self) -> str:
        return f"{self.site_url}{self.path}"

    @property
    def updated(self) -> datetime:
        return max((item.page.changed_at for item in self.items), default=_NEVER)

    def files(self) -> Mapping[str, bytes]:
        """The three formats, by their paths below the root."""
        folder = self.path.removeprefix("/")
        return {
            f"{folder}feed.atom": _xml(_Atom, self, "feed.atom"),
            f"{folder}feed.rss": _xml(_Rss, self, "feed.rss"),
            f"{folder}feed.json": self._json(),
        }

    def _json(self) -> bytes:
        feed = {
            "version": "https://jsonfeed.org/version/1.1",
            "title": self.title,
            "home_page_url": self.url,
            "feed_url": f"{self.url}feed.json",
            "language": "uk",
            "authors": [{"name": self.site_name, "url": f"{self.site_url}/"}],
            "items": [
                {
                    "id": item.id,
                    "url": item.url,
                    "title": item.title,
                    "summary": item.summary,
                    "content_html": item.content,
                    "date_published": item.page.released_at.isoformat(),
                    "date_modified": item.page.changed_at.isoformat(),
                    "authors": [{"name": item.page.department}],
                    "tags": item.tags,
                    "language": item.page.language,
                    **_pictured(item),
                }
                for item in self.items
            ],
        }
        return json.dumps(feed, ensure_ascii=False, indent=1).encode()


def _pictured(item: Item) -> dict[str, object]:
    enclosure = item.enclosure
    if enclosure is None:
        return {}
    return {
        "image": enclosure.url,
        "attachments": [{"url": enclosure.url, "mime_type": enclosure.mime_type}],
    }


class _Atom(Atom1Feed):  # type: ignore[misc]  # the library has no types
    updated = _NEVER

    def latest_post_date(self) -> datetime:
        """The library would take the present for a feed without items."""
        return self.updated


class _Rss(Rss201rev2Feed):  # type: ignore[misc]  # the library has no types
    updated = _NEVER

    def latest_post_date(self) -> datetime:
        """The library would take the present for a feed without items."""
        return self.updated


def _xml(kind: type[_Atom] | type[_Rss], feed: Feed, name: str) -> bytes:
    made = kind(
        title=feed.title,
        link=feed.url,
        description=feed.title,
        language="uk",
        author_name=feed.site_name,
        feed_url=f"{feed.url}{name}",
    )
    made.updated = feed.updated
    for item in feed.items:
        made.add_item(
            title=item.title,
            link=item.url,
            # RSS has one text and readers take it for HTML; Atom has a place for each.
            description=item.content if kind is _Rss else escape(item.summary, quote=False),
            content=None if kind is _Rss else item.content,
            pubdate=item.page.released_at,
            updateddate=item.page.changed_at,
            unique_id=item.id,
            unique_id_is_permalink=False,
            author_name=item.page.department,
            categories=item.tags,
            enclosures=[item.enclosure] if item.enclosure else [],
        )
    text: str = made.writeString("utf-8")
    return text.encode()
