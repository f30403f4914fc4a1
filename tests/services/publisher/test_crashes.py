"""The publisher dies at every step of a publication; the next one ends it as if nothing had happened."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from services.publisher.settings import PublisherSettings
from shared.events import Outcome
from shared.publication import Fact
from tests.samples import corrected, fact, publication, withdrawn
from tests.services.publisher.conftest import SITE_URL, Desk, Start
from tests.services.publisher.dying import PLACES

ADDRESS = "publications/troleibus-no-5-tymchasovo-zminiuie-marshrut"


async def dying(place: str, settings: PublisherSettings, root: Path) -> asyncio.subprocess.Process:
    environment = os.environ | {
        "AMQP_URL": settings.amqp_url.get_secret_value(),
        "MONGO_URL": settings.mongo_url.get_secret_value(),
        "RETRY_LADDER": ",".join(map(str, settings.retry_ladder)),
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.services.publisher.dying",
        place,
        str(root),
        SITE_URL,
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
    )


SOAK = bool(os.environ.get("SOAK"))
TELLING = (
    "the call is recorded",
    "the page is half on disk",
    "the page is on disk",
    "the outcome is recorded",
)


@pytest.mark.parametrize("place", PLACES if SOAK else TELLING)
async def test_a_death_at_any_step_of_a_release_is_made_good(
    place: str, start: Start, desk: Desk, publisher_settings: PublisherSettings, site_root: Path
) -> None:
    event = fact(publication())
    await desk.emit(event)
    process = await dying(place, publisher_settings, site_root)
    assert await asyncio.wait_for(process.wait(), 60) == -9
    await start()
    report = await desk.report_of(event)
    assert report.data.outcome is Outcome.PUBLISHED
    await desk.idle()
    assert len({each.id for each in await desk.heard()}) == 1, "one effect, one report"
    for listing in ("index.html", "operational/index.html", "feed.atom", "sitemap.xml"):
        assert (site_root / listing).read_text().count(f"/{ADDRESS}/") >= 1, listing
    assert "контактної мережі" in (site_root / ADDRESS / "index.html").read_text()
    assert len(list((site_root / "publications").iterdir())) == 1


@pytest.mark.parametrize("place", PLACES if SOAK else ("the page is on disk",))
async def test_a_death_during_a_withdrawal_leaves_nothing_up(
    place: str, start: Start, desk: Desk, publisher_settings: PublisherSettings, site_root: Path
) -> None:
    first = publication()
    publisher = await start()
    await desk.emit(fact(first))
    await desk.report_of(fact(first))
    await publisher.stop()
    second = corrected(first)
    event = fact(withdrawn(second), Fact.WITHDRAWN)
    await desk.emit(event)
    process = await dying(place, publisher_settings, site_root)
    assert await asyncio.wait_for(process.wait(), 60) == -9
    # What overtook it is older, and must not come back.
    await desk.emit(fact(first), fact(second))
    await start()
    assert (await desk.report_of(event)).data.outcome is Outcome.REMOVED
    await desk.idle()
    assert "контактної мережі" not in (site_root / ADDRESS / "index.html").read_text()


async def test_what_a_dead_process_was_writing_is_swept_away_by_a_rebuild(
    start: Start, site_root: Path
) -> None:
    (site_root / "operational").mkdir()
    left = site_root / "operational" / ".index.html.deadbeef.tmp"
    left.write_text("<html>half")
    publisher = await start()
    await publisher.ready()
    assert not left.exists()
