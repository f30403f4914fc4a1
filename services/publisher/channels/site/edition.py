"""An edition: pages, then all that lists them, brought on disk together.

Whoever publishes while one edition is being made waits for the next, which serves them all: the
lists are made once, however many pages are new. Everything is read from the database under the
folder's lock, so that of several processes on the same folder the last one writes what is newest.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar
from uuid import UUID

from services.publisher.channels.site import sitemap
from services.publisher.channels.site.attachments import Attachments
from services.publisher.channels.site.design import Design, Related
from services.publisher.channels.site.feeds import LIMIT, Feed, Item
from services.publisher.channels.site.files import Folder
from services.publisher.channels.site.invitations import NAME as INVITATION
from services.publisher.channels.site.invitations import invitation
from services.publisher.channels.site.pages import Listed, Page, Pages, Standing
from shared.events import now
from shared.mongo import StoreUnavailable
from shared.vocabulary import SECTION_NAMES, Section

NEWEST = 30
"""Publications on a rubric's first page."""
_NEWEST_AT_HOME = 12
_WAY_FREE = 0.05
"""Seconds that a rebuild leaves the folder between two locks, so that whoever publishes gets it."""
STAMP = ".design"
"""The file that says by which design the folder was made."""

T = TypeVar("T")


class Edition:
    """Makes editions, one at a time."""

    def __init__(
        self,
        folder: Folder,
        pages: Pages,
        attachments: Attachments,
        design: Design,
        *,
        site_name: str,
        site_url: str,
    ) -> None:
        self._folder = folder
        self._pages = pages
        self._attachments = attachments
        self._design = design
        self._site_name = site_name
        self._site_url = site_url
        self._waiting: dict[asyncio.Future[None], UUID] = {}
        self._making: asyncio.Task[None] | None = None
        self._kept: dict[UUID, Page] = {}

    async def include(self, id: UUID) -> None:
        """Return when the page, and everything that lists it, is on disk as the database has it."""
        done = asyncio.get_running_loop().create_future()
        self._waiting[done] = id
        if self._making is None or self._making.done():
            self._making = asyncio.create_task(self._make_until_all_are_served())
        await done

    async def close(self) -> None:
        """Let the edition that is being made come out."""
        if self._making is not None:
            await self._making

    async def outdated(self) -> bool:
        """Whether the folder is empty, or was made by another design."""
        stamp = await asyncio.to_thread(self._folder.read, STAMP)
        return stamp != self._design.stamp.encode()

    async def begin(self) -> int:
        """Make what a reader meets first, soon: the newest pages, and the lists that name them.

        Returns how many files had changed.
        """
        async with self._folder.locked():
            await _to_its_end(self._folder.sweep)
            written = await self._write(self._design.assets)
            async for ids in self._pages.every():
                pages = await self._pages.whole(ids)
                await self._pages.renew(pages)
                written += await self._write_pages(pages)
                break
            return written + await self._write(await self._lists(set()))

    async def rebuild(self) -> tuple[int, int]:
        """Make everything anew; return how many pages there are, and how many files had changed."""
        pages, written = 0, await self.begin()
        # Some pages at a time: publishing goes on meanwhile, in this process and in others.
        async for ids in self._pages.every():
            async with self._folder.locked():
                whole = await self._pages.whole(ids)
                await self._pages.renew(whole)
                written += await self._write_pages(whole)
                await self._pages.admit(ids)
            pages += len(ids)
            await asyncio.sleep(_WAY_FREE)
        async with self._folder.locked():
            months = {month for section in Section for month in await self._pages.months(section)}
            written += await self._write(await self._lists(months))
            # Last: a rebuild that was cut off is begun again.
            await self._write({STAMP: self._design.stamp.encode()})
        return pages, written

    async def _make_until_all_are_served(self) -> None:
        while self._waiting:
            # One turn of the loop lets everyone who is ready now come along.
            await asyncio.sleep(0)
            served, self._waiting = self._waiting, {}
            try:
                await self._make(set(served.values()))
            except Exception as error:  # noqa: BLE001  # told to everyone who waits for it
                for done in served:
                    if not done.done():
                        done.set_exception(error)
            else:
                for done in served:
                    if not done.done():
                        done.set_result(None)

    async def _make(self, ids: set[UUID]) -> None:
        async with self._folder.locked():
            pages = {page.id: page for page in await self._pages.whole(ids)}
            if len(pages) < len(ids):
                raise StoreUnavailable("a page that was just written can't be read")
            bound = await self._pages.bound_to(pages)
            await self._write_pages([*pages.values(), *bound])
            await self._pages.admit(ids)
            await self._write(await self._lists({page.month for page in pages.values()}))

    async def _write_pages(self, pages: list[Page]) -> int:
        around = {page.id: page for page in pages}
        around |= {page.id: page for page in await self._pages.bound_to(around)}

        # A page's files are there before it, and gone after it.
        for page in pages:
            if page.standing is Standing.SHOWN:
                await self._attachments.settle([page.publication])

        def write() -> int:
            files: dict[str, bytes] = {}
            for page in pages:
                folder = f"publications/{page.slug}"
                files[f"{folder}/index.html"] = self._design.publication(page, _related(page, around))
                entry = invitation(page, self._design.url(page), self._site_name)
                if entry is not None:
                    files[f"{folder}/{INVITATION}"] = entry
                else:
                    self._folder.remove(f"{folder}/{INVITATION}")
            return self._folder.write(files)

        written = await _to_its_end(write)
        await self._attachments.settle(
            page.publication for page in pages if page.standing is Standing.WITHDRAWN
        )
        return written

    async def _lists(self, months: Iterable[str]) -> dict[str, bytes]:
        """Everything that lists pages: what names one of these months, and what has no month."""
        pages = self._pages
        all_months = {section: await pages.months(section) for section in Section}
        archives = {
            (section, month): await pages.of_month(section, month)
            for section in Section
            for month in sorted(months)
            # A file without a month: what it listed moved to the other rubric with its kind.
            if month in all_months[section] or self._exists(_archive(section, month))
        }
        newest = {section: await pages.newest(section, NEWEST) for section in Section}
        feeds = {section: await self._items(section) for section in (None, *Section)}
        maps = await self._sitemaps(months, all_months)
        lately = await self._pages.newest(None, sitemap.MOST_NEWS)
        maps[sitemap.NEWS] = sitemap.news(self._site_url, self._site_name, lately, now())

        def render() -> dict[str, bytes]:
            design = self._design
            files: dict[str, bytes] = {}
            for (section, month), listed in archives.items():
                files[_archive(section, month)] = design.month(section, month, listed)
            for section, listed in newest.items():
                files[f"{section}/index.html"] = design.rubric(section, listed, all_months[section])
            files["index.html"] = design.home(
                {section: listed[:_NEWEST_AT_HOME] for section, listed in newest.items()}
            )
            for of, items in feeds.items():
                files |= self._feed(of, items).files()
            return (
                files
                | maps
                | {
                    "search/index.html": design.search(),
                    "404.html": design.not_found(),
                    "robots.txt": sitemap.robots(self._site_url),
                }
            )

        return await _to_its_end(render)

    async def _items(self, section: Section | None) -> list[Page]:
        """The feed's pages, whole; most are those of the last edition."""
        listed = await self._pages.last_changed(section, LIMIT)
        known = {page.id: self._kept[page.id] for page in listed if _same(self._kept.get(page.id), page)}
        missing = [page.id for page in listed if page.id not in known]
        if missing:
            known |= {page.id: page for page in await self._pages.whole(missing)}
        if section is None:
            self._kept = known
        return [known[page.id] for page in listed]

    def _feed(self, section: Section | None, pages: list[Page]) -> Feed:
        name = self._site_name if section is None else f"{SECTION_NAMES[section]} — {self._site_name}"
        return Feed(
            title=name,
            site_name=self._site_name,
            site_url=self._site_url,
            path="/" if section is None else f"/{section}/",
            items=[
                Item(page, self._design.url(page), self._design.feed_content(page), self._site_url)
                for page in pages
            ],
        )

    async def _sitemaps(
        self, months: Iterable[str], all_months: Mapping[Section, list[str]]
    ) -> dict[str, bytes]:
        if await self._pages.count() <= sitemap.LARGE:
            return {"sitemap.xml": sitemap.whole(self._site_url, await self._pages.shown_in(None))}
        every = sorted({month for of_section in all_months.values() for month in of_section}, reverse=True)
        # The month's maps first: the index must not name what isn't there.
        due = [month for month in every if month in months or not self._exists(sitemap.month_path(month))]
        files = {
            sitemap.month_path(month): sitemap.of_month(self._site_url, await self._pages.shown_in(month))
            for month in due
        }
        return files | dict(sitemap.index(self._site_url, every))

    def _exists(self, path: str) -> bool:
        return (self._folder.root / path).exists()

    async def _write(self, files: Mapping[str, bytes]) -> int:
        return await _to_its_end(lambda: self._folder.write(files))


async def _to_its_end(work: Callable[[], T]) -> T:
    """Run it in a thread, and wait for it even when cancelled: the lock must not be let go before."""
    task = asyncio.create_task(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _archive(section: Section, month: str) -> str:
    return f"{section}/{month.replace('-', '/')}/index.html"


def _same(kept: Page | None, page: Listed) -> bool:
    return kept is not None and kept.rank == page.rank


def _related(page: Page, around: Mapping[UUID, Page]) -> Related:
    shown = [other for other in around.values() if other.standing is Standing.SHOWN]
    explainers = [other for other in shown if other.explains == page.id]
    return Related(
        explains=next((other for other in shown if other.id == page.explains), None),
        explained_by=sorted(explainers, key=lambda other: (other.released_at, other.id)),
    )
