"""The site channel from the bus to the folder, on real servers."""

from pathlib import Path

from shared.events import Outcome
from tests.samples import fact, publication
from tests.services.publisher.conftest import SITE_URL, Desk, Start

ADDRESS = "publications/troleibus-no-5-tymchasovo-zminiuie-marshrut"


def page(root: Path, address: str = ADDRESS) -> str:
    return (root / address / "index.html").read_text()


async def test_a_release_is_on_its_page_in_the_lists_and_in_the_feeds(
    start: Start, desk: Desk, site_root: Path
) -> None:
    await start()
    event = fact(publication())
    await desk.emit(event)
    [report] = await desk.reported(1)
    assert report.data.outcome is Outcome.PUBLISHED
    assert report.data.url == f"{SITE_URL}/{ADDRESS}/"
    assert report.data.accepted_at == event.data.accepted_at
    assert "<strong>ремонт контактної мережі</strong>" in page(site_root)
    month = event.data.released_at
    assert month is not None
    for listing in (
        "index.html",
        "operational/index.html",
        f"operational/{month:%Y/%m}/index.html",
        "feed.atom",
        "feed.rss",
        "feed.json",
        "operational/feed.atom",
        "operational/feed.rss",
        "operational/feed.json",
        "sitemap.xml",
    ):
        assert ADDRESS in (site_root / listing).read_text(), listing
    assert ADDRESS not in (site_root / "announcements/index.html").read_text()
