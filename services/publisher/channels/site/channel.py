"""The site as a channel."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

from services.publisher.channels.interface import Call, Channel, Posted, Surroundings
from services.publisher.channels.site.addresses import Addresses, slug_of
from services.publisher.channels.site.attachments import Attachments
from services.publisher.channels.site.design import Design
from services.publisher.channels.site.edition import Edition
from services.publisher.channels.site.files import Folder
from services.publisher.channels.site.markup import to_plain
from services.publisher.channels.site.pages import Page, Pages
from services.publisher.channels.site.settings import SiteSection
from services.publisher.settings import PublisherSettings
from shared.events import Delivery
from shared.media import MediaStore
from shared.mongo import Database, Mongo
from shared.preview import Piece, Preview
from shared.publication import Publication
from shared.settings import SharedSettings
from shared.telemetry import logger

_REBUILD_AGAIN = 5.0
"""Seconds between two tries to rebuild the site."""

_log = logger(__name__)


class SiteChannel(Channel):
    """Shows every publication on a page of its own; what is withdrawn leaves a notice at its address."""

    name = "site"
    repeatable = True
    deadline = 60.0
    concurrency = 100

    heeds = ("youtube",)

    def __init__(
        self,
        database: Database,
        media: MediaStore,
        section: SiteSection,
        settings: SharedSettings,
        posted: Callable[[UUID, str], Awaitable[Posted | None]],
    ) -> None:
        site_url = settings.site_url
        self._addresses = Addresses(database)
        self._pages = Pages(database)
        self._site_url = site_url
        self._posted = posted
        folder = Folder(section.root)
        self._attachments = Attachments(database, folder, media)
        self._rebuilding: asyncio.Task[None] | None = None
        self.edition = Edition(
            folder,
            self._pages,
            self._attachments,
            Design(section, site_url, settings.archive_url),
            site_name=section.name,
            site_url=site_url,
        )

    async def prepare(self) -> None:
        """Make the database ready, and the site's first pages where it is missing or has an older design.

        The rest of a large site is made in the background: news doesn't wait for the archive.
        """
        await self._addresses.prepare()
        await self._pages.prepare()
        await self._attachments.prepare()
        if await self.edition.outdated():
            await self.edition.begin()
            self._rebuilding = asyncio.create_task(self._rebuild())

    async def _rebuild(self) -> None:
        while True:
            try:
                pages, written = await self.edition.rebuild()
            except Exception:  # noqa: BLE001  # whatever it was: it is logged, and tried again
                _log.exception("the site could not be rebuilt yet")
                await asyncio.sleep(_REBUILD_AGAIN)
            else:
                _log.info("the site was rebuilt", pages=pages, files_written=written)
                return

    async def close(self) -> None:
        """Let what is being written be written; the next start begins a rebuild again that isn't done."""
        if self._rebuilding is not None:
            self._rebuilding.cancel()
            await asyncio.gather(self._rebuilding, return_exceptions=True)
        await self.edition.close()

    def takes(self, publication: Publication) -> str | None:  # noqa: ARG002  # the site takes everything
        """Everything."""
        return None

    def preview(self, publication: Publication) -> Preview:
        """The page's text, and where it would stand unless the address is another's already."""
        content = publication.content
        text = f"{content.title}\n\n{content.lead}\n\n{to_plain(content.body)}"
        address = f"{self._site_url}/publications/{slug_of(content.title)}/"
        piece = Piece(
            text=text,
            images=tuple(photo.alt or "" for photo in publication.photos),
            video=next((video.name or video.caption for video in publication.videos), None),
            link=address,
        )
        return Preview(channel=self.name, pieces=(piece,), address=address)

    async def publish(self, publication: Publication, call: Call) -> Posted:  # noqa: ARG002
        """Give it an address for good, keep it, write its page and the lists."""
        return await self._show(publication)

    async def update(self, publication: Publication, posted: Posted, call: Call) -> Posted:  # noqa: ARG002
        """The same page with its new text; the address stays, whatever the title says now."""
        return await self._show(publication)

    async def withdraw(
        self,
        publication: Publication,
        posted: Posted | None,  # noqa: ARG002  # found by the publication's id
        call: Call,  # noqa: ARG002
    ) -> Posted | None:
        """Put the notice in the page's place; nothing for what was never public."""
        if not publication.was_released:
            return None
        return await self._show(publication)

    async def hear(self, delivery: Delivery) -> None:
        """Show the video where YouTube has it now, and no longer where it is gone."""
        url = await self._watched(delivery.publication_id)
        if await self._pages.watch(delivery.publication_id, url):
            await self.edition.include(delivery.publication_id)

    async def _watched(self, id: UUID) -> str | None:
        posted = await self._posted(id, "youtube")
        return None if posted is None or posted.awaiting is not None else posted.url

    async def find(self, publication: Publication) -> Posted | None:
        """Never asked: every call may be repeated."""
        raise NotImplementedError(f"the site is repeatable, and was asked for {publication.id}")

    async def _show(self, publication: Publication) -> Posted:
        # Before anything names the page: a file that isn't made yet holds it back.
        await self._attachments.bring(publication)
        slug = await self._addresses.reserve(publication.id, publication.content.title)
        page = Page.of(publication, slug)
        await self._pages.put(page)
        # Heard of before there was a page to show it on.
        if url := await self._watched(publication.id):
            await self._pages.watch(publication.id, url)
        await self.edition.include(publication.id)
        return Posted(remote={"slug": slug}, url=f"{self._site_url}{page.path}")


def open_channel(surroundings: Surroundings) -> SiteChannel:
    """The site as the settings describe it."""
    return SiteChannel(
        surroundings.database,
        surroundings.media,
        surroundings.section(SiteSection),
        surroundings.settings,
        surroundings.posted,
    )


async def rebuild_site(settings: PublisherSettings, section: SiteSection | None = None) -> tuple[int, int]:
    """Make the whole site anew from the database; return its pages and the files that had changed."""
    url = settings.mongo_url.get_secret_value()
    mongo, media = Mongo(url, "publisher"), MediaStore(url)
    try:
        site = SiteChannel(mongo.database, media, section or SiteSection(), settings, _nowhere)
        return await site.edition.rebuild()
    finally:
        mongo.close()
        media.close()


async def _nowhere(publication: UUID, channel: str) -> Posted | None:
    """A rebuild hears of nothing: the pages know where their videos are."""
    raise AssertionError(f"{channel} was asked for {publication}")
