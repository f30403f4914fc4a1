"""The site, whose outside world is a folder."""

from collections.abc import Sequence

from lxml import html
from pydantic_settings import BaseSettings

from services.publisher.channels.site.settings import SiteSection
from tests.services.publisher.stands.interface import ChannelStand


class Stand(ChannelStand):
    """One folder; a web server would show what is in it."""

    notices = True

    async def open(self) -> Sequence[BaseSettings]:
        self._root = self.folder / "site"
        return [SiteSection(root=self._root, name="Луцька міська рада")]

    async def close(self) -> None:
        """Nothing was started."""

    async def shown(self) -> Sequence[str]:
        pages = sorted(self._root.glob("publications/*/index.html"))
        parsed = [html.document_fromstring(page.read_bytes()) for page in pages]
        return ["".join(map(str, main.itertext())) for page in parsed for main in page.iter("main")]
