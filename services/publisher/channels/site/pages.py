"""What stands on the site: one document per publication, from which every file can be made again.

Collection `pages`. Written before any file, and never over something newer. `listed` turns true
when the page's file is there, and only then may anything list it or link to it.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Self, TypedDict
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pymongo import UpdateOne

from services.publisher.channels.site.dates import month_of
from shared.mongo import Database, Document, GroupedWrites, store_failures
from shared.publication import Broadcast, Content, Event, Explainer, Fact, Publication, RegulatoryAct, rank_of
from shared.vocabulary import Kind, Language, Section, Urgency

_NEWEST_FIRST = [("released_at", -1), ("_id", -1)]
_LAST_CHANGED_FIRST = [("changed_at", -1), ("_id", -1)]
_CHUNK = 50


class Standing(StrEnum):
    """Whether a page shows its publication or the notice that it was withdrawn."""

    SHOWN = "shown"
    WITHDRAWN = "withdrawn"


class Listed(BaseModel):
    """A page as lists, feeds and the sitemap need it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: UUID
    rank: int
    slug: str
    standing: Standing
    section: Section
    kind: Kind
    urgency: Urgency
    language: Language
    title: str
    lead: str
    department: str
    month: str
    """Of the first release, in Kyiv: `2026-11`."""
    released_at: datetime
    changed_at: datetime
    """The release, or the last correction, or the withdrawal."""
    happens_at: datetime | None = None
    """When the event begins, or the broadcast is aired."""
    happens_in: str | None = None
    """The event's place, or the broadcast's station."""
    explains: UUID | None = None
    heading: str | None = None
    """The kind in words where the kind's own name would be wrong: a draft, an act that is not normative."""

    @property
    def path(self) -> str:
        """Below the site's address."""
        return f"/publications/{self.slug}/"


class Page(Listed):
    """A page whole."""

    publication: Publication
    watch: str | None = None
    """Where YouTube shows the video, or the broadcast."""

    @classmethod
    def of(cls, publication: Publication, slug: str) -> Self:
        """The page of a publication that was released. Raises ValueError for one that never was."""
        if publication.released_at is None:
            raise ValueError("a publication that was never released has no page")
        content = publication.content
        changes = [correction.at for correction in publication.corrections]
        if publication.withdrawal is not None:
            changes.append(publication.withdrawal.at)
        fact = Fact.RELEASED if publication.withdrawal is None else Fact.WITHDRAWN
        return cls(
            id=publication.id,
            rank=rank_of(publication.revision, fact),
            slug=slug,
            standing=Standing.SHOWN if publication.withdrawal is None else Standing.WITHDRAWN,
            section=publication.section,
            kind=publication.kind,
            urgency=content.urgency,
            language=content.language,
            title=content.title,
            lead=content.lead,
            department=publication.department.name,
            month=month_of(publication.released_at),
            released_at=publication.released_at,
            changed_at=max((publication.released_at, *changes)),
            **_happening(content),
            explains=content.explains if isinstance(content, Explainer) else None,
            heading=_heading(content),
            publication=publication,
        )


_RESOLUTIONS = {
    "city_council": "рішення міської ради",
    "executive_committee": "рішення виконавчого комітету",
    "mayor": "розпорядження міського голови",
}


def _heading(content: Content) -> str | None:
    if not isinstance(content, RegulatoryAct) or (content.act.normative and not content.act.draft):
        return None
    name = "нормативно-правового акта" if content.act.normative else _RESOLUTIONS[content.act.issuer]
    # «рішення» and «розпорядження» are the same in the genitive.
    return f"проєкт {name}" if content.act.draft else name


class _Happening(TypedDict, total=False):
    happens_at: datetime
    happens_in: str


def _happening(content: Content) -> _Happening:
    if isinstance(content, Event):
        return {"happens_at": content.event.starts_at, "happens_in": content.event.place}
    if isinstance(content, Broadcast):
        return {"happens_at": content.broadcast.airs_at, "happens_in": content.broadcast.station}
    return {}


class Pages:
    """The pages, as they should stand on disk."""

    def __init__(self, database: Database) -> None:
        self._pages = database["pages"]
        self._writes = GroupedWrites(self._pages)

    async def prepare(self) -> None:
        """Make the indexes that lists are read by."""
        with store_failures():
            for keys in (
                [("listed", 1), ("standing", 1), *_NEWEST_FIRST],
                [("listed", 1), ("section", 1), ("standing", 1), *_NEWEST_FIRST],
                [("listed", 1), ("section", 1), ("month", 1), ("standing", 1), *_NEWEST_FIRST],
                [("listed", 1), *_LAST_CHANGED_FIRST],
                [("listed", 1), ("section", 1), *_LAST_CHANGED_FIRST],
            ):
                await self._pages.create_index(keys)
            await self._pages.create_index("explains", sparse=True)

    async def put(self, page: Page) -> None:
        """Keep the page unless something newer stands; return when a majority has it."""
        change = {"$set": _document(page), "$setOnInsert": {"listed": False}}
        await self._writes.put(UpdateOne({"_id": page.id, "rank": {"$lt": page.rank}}, change, upsert=True))

    async def renew(self, pages: Collection[Page]) -> None:
        """Derive again what lists need: an earlier version may have kept less."""
        for page in pages:
            anew = Page.of(page.publication, page.slug)
            await self._writes.put(UpdateOne({"_id": page.id, "rank": page.rank}, {"$set": _document(anew)}))

    async def watch(self, id: UUID, url: str | None) -> bool:
        """Keep where its video is watched; whether there is such a page."""
        change = {"$unset": {"watch": True}} if url is None else {"$set": {"watch": url}}
        with store_failures():
            return bool((await self._pages.update_one({"_id": id}, change)).matched_count)

    async def admit(self, ids: Collection[UUID]) -> None:
        """Let lists name these pages from now on: their files are there."""
        with store_failures():
            await self._pages.update_many(
                {"_id": {"$in": [*ids]}, "listed": False}, {"$set": {"listed": True}}
            )

    async def whole(self, ids: Collection[UUID]) -> list[Page]:
        """These pages, in no order."""
        with store_failures():
            documents = await self._pages.find({"_id": {"$in": [*ids]}}).to_list(None)
        return [_page(document) for document in documents]

    async def every(self) -> AsyncIterator[list[UUID]]:
        """The ids of all pages, some at a time, newest first."""
        found: list[UUID] = []
        with store_failures():
            async for document in self._pages.find({}, {"_id": True}).sort(_NEWEST_FIRST):
                found.append(document["_id"])
                if len(found) == _CHUNK:
                    yield found
                    found = []
        if found:
            yield found

    async def newest(self, section: Section | None, limit: int) -> list[Listed]:
        """What is shown, by the hour of release, newest first."""
        query = {"standing": Standing.SHOWN} | ({"section": section} if section else {})
        return await self._find(query, _NEWEST_FIRST, limit)

    async def last_changed(self, section: Section | None, limit: int) -> list[Listed]:
        """What changed last, withdrawals among it: a feed's reader has to hear of those."""
        return await self._find({"section": section} if section else {}, _LAST_CHANGED_FIRST, limit)

    async def of_month(self, section: Section, month: str) -> list[Listed]:
        """What is shown of what a rubric released in a month, newest first."""
        query = {"section": section, "month": month, "standing": Standing.SHOWN}
        return await self._find(query, _NEWEST_FIRST, 0)

    async def shown_in(self, month: str | None) -> list[Listed]:
        """What is shown of a month, or of all time, newest first."""
        query = {"standing": Standing.SHOWN} | ({"month": month} if month else {})
        return await self._find(query, _NEWEST_FIRST, 0)

    async def months(self, section: Section) -> list[str]:
        """Months in which a rubric ever had something, newest first."""
        with store_failures():
            months = await self._pages.distinct("month", {"listed": True, "section": section})
        return sorted(map(str, months), reverse=True)

    async def count(self) -> int:
        """All pages, roughly."""
        with store_failures():
            return int(await self._pages.estimated_document_count())

    async def bound_to(self, ids: Mapping[UUID, Page]) -> list[Page]:
        """The pages that explain one of these, and those that one of these explains."""
        explained = [page.explains for page in ids.values() if page.explains is not None]
        query = {"$or": [{"explains": {"$in": [*ids]}}, {"_id": {"$in": explained}}], "listed": True}
        with store_failures():
            documents = await self._pages.find(query).to_list(None)
        return [_page(document) for document in documents if document["_id"] not in ids]

    async def _find(
        self, query: Mapping[str, object], order: list[tuple[str, int]], limit: int
    ) -> list[Listed]:
        with store_failures():
            found = self._pages.find(
                {"listed": True, **query}, {"publication": False}, sort=order, limit=limit
            )
            return [_listed(document) for document in await found.to_list(None)]


def _document(page: Page) -> Document:
    kept = page.model_dump(exclude={"id", "publication", "watch"}, exclude_none=True)
    return {"heading": None, **kept, "publication": page.publication.model_dump_json()}


def _listed(document: Document) -> Listed:
    return Listed.model_validate(document | {"id": document["_id"]})


def _page(document: Document) -> Page:
    publication = Publication.model_validate_json(str(document["publication"]), extra="ignore")
    return Page.model_validate(document | {"id": document["_id"], "publication": publication})
