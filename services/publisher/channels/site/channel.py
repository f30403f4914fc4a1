"""The site as a channel."""

import asyncio

from services.publisher.channels.interface import Call, Channel, Posted, Surroundings
from services.publisher.channels.site.addresses import Addresses
from services.publisher.channels.site.design import Design
from services.publisher.channels.site.edition import Edition
from services.publisher.channels.site.files import Folder
from services.publisher.channels.site.pages import Page, Pages
from services.publisher.channels.site.settings import SiteSection
from services.publisher.settings import PublisherSettings
from shared.mongo import Database, Mongo
from shared.preview import Piece, Preview
from shared.publication import Publication
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

    def __init__(self, database: Database, section: SiteSection, site_url: str) -> None:
        self._addresses = Addresses(database)
        self._pages = Pages(database)
        self._site_url = site_url
        self._rebuilding: asyncio.Task[None] | None = None
        self.edition = Edition(
            Folder(section.root),
            self._pages,
            Design(section, site_url),
            site_name=section.name,
            site_url=site_url,
        )

    async def prepare(self) -> None:
        """Make the database ready, and the site's first pages where it is missing or has an older design.

        The rest of a large site is made in the background: news doesn't wait for the archive.
        """
        await self._addresses.prepare()
        await self._pages.prepare()
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
        """The page's text."""
        content = publication.content
        text = f"{content.title}\n\n{content.lead}\n\n{content.body}"
        return Preview(channel=self.name, pieces=(Piece(text=text),))

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

    async def find(self, publication: Publication) -> Posted | None:
        """Never asked: every call may be repeated."""
        raise NotImplementedError(f"the site is repeatable, and was asked for {publication.id}")

    async def _show(self, publication: Publication) -> Posted:
        slug = await self._addresses.reserve(publication.id, publication.content.title)
        page = Page.of(publication, slug)
        await self._pages.put(page)
        await self.edition.include(publication.id)
        return Posted(remote={"slug": slug}, url=f"{self._site_url}{page.path}")


def open_channel(surroundings: Surroundings) -> SiteChannel:
    """The site as the settings describe it."""
    return SiteChannel(
        surroundings.database, surroundings.section(SiteSection), surroundings.settings.site_url
    )


async def rebuild_site(settings: PublisherSettings, section: SiteSection | None = None) -> tuple[int, int]:
    """Make the whole site anew from the database; return its pages and the files that had changed."""
    mongo = Mongo(settings.mongo_url.get_secret_value(), "publisher")
    try:
        site = SiteChannel(mongo.database, section or SiteSection(), settings.site_url)
        return await site.edition.rebuild()
    finally:
        mongo.close()
