"""The site channel from the bus to the folder, on real servers."""

import asyncio
import json
import re
import shutil
import threading
from datetime import datetime
from itertools import permutations
from pathlib import Path
from uuid import UUID

import pytest
from lxml import etree

from services.publisher.app import Publisher
from services.publisher.channels.site import SiteChannel, rebuild_site, sitemap
from services.publisher.channels.site.settings import SiteSection
from services.publisher.settings import PublisherSettings
from shared.events import Outcome
from shared.media import MediaStore
from shared.mongo import Mongo
from shared.publication import Fact
from tests.samples import corrected, fact, publication, withdrawn
from tests.services.publisher.conftest import SITE_URL, Desk, Memory, Start
from tests.waiting import eventually

ADDRESS = "publications/troleibus-no-5-tymchasovo-zminiuie-marshrut"


def opened(mongo: Mongo, settings: PublisherSettings, section: SiteSection) -> SiteChannel:
    """The channel alone; YouTube has nothing."""

    async def nothing(publication: UUID, channel: str) -> None:
        return None

    media = MediaStore(settings.mongo_url.get_secret_value())
    return SiteChannel(mongo.database, media, section, settings, nothing)


def page(root: Path, address: str = ADDRESS) -> str:
    return (root / address / "index.html").read_text()


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def written(root: Path) -> dict[Path, int]:
    """When each file was put in its place."""
    return {path: path.stat().st_mtime_ns for path in root.rglob("*.*")}


def emptied(root: Path) -> None:
    shutil.rmtree(root)
    root.mkdir()


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


async def test_a_correction_stands_at_the_same_address_though_the_title_changed(
    start: Start, desk: Desk, site_root: Path
) -> None:
    await start()
    first = publication()
    second = corrected(first, title="Тролейбус № 5 їде як звичайно")
    await desk.emit(fact(first))
    await desk.reported(1)
    await desk.emit(fact(second))
    report = (await desk.reported(2))[-1]
    assert report.data.outcome is Outcome.UPDATED
    assert report.data.url == f"{SITE_URL}/{ADDRESS}/"
    content = page(site_root)
    assert "Тролейбус № 5 їде як звичайно" in content
    assert "Виправлено" in content
    assert "їде як звичайно" in (site_root / "operational/index.html").read_text()
    assert len(list((site_root / "publications").iterdir())) == 1


async def test_a_withdrawal_leaves_a_notice_and_is_told_to_feed_readers(
    start: Start, desk: Desk, site_root: Path
) -> None:
    await start()
    first = publication()
    await desk.emit(fact(first))
    await desk.reported(1)
    await desk.emit(fact(withdrawn(first), Fact.WITHDRAWN))
    report = (await desk.reported(2))[-1]
    assert report.data.outcome is Outcome.REMOVED
    assert report.data.url == f"{SITE_URL}/{ADDRESS}/"
    assert "Дані не підтвердилися." in page(site_root)
    assert "контактної мережі" not in page(site_root)
    for listing in ("index.html", "operational/index.html", "sitemap.xml"):
        assert ADDRESS not in (site_root / listing).read_text(), listing
    for feed in ("feed.atom", "feed.rss", "feed.json", "operational/feed.atom"):
        content = (site_root / feed).read_text()
        assert str(first.id) in content
        assert "Відкликано: " in content
        assert "контактної мережі" not in content


async def test_what_was_never_public_shows_nothing_and_is_skipped(
    start: Start, desk: Desk, site_root: Path
) -> None:
    await start()
    taken_back = withdrawn(publication(released_at=None))
    await desk.emit(fact(taken_back, Fact.WITHDRAWN))
    [report] = await desk.reported(1)
    assert report.data.outcome is Outcome.SKIPPED
    assert report.data.reason is not None
    assert report.data.reason.startswith("Відкликано до оприлюднення")
    assert not (site_root / "publications").exists()
    assert taken_back.content.title.encode() not in b"".join(contents(site_root).values())


async def test_a_redelivery_sends_the_same_report_and_rewrites_nothing(
    start: Start, desk: Desk, site_root: Path
) -> None:
    publisher = await start()
    await publisher.ready()
    await rebuilt(publisher)
    event = fact(publication())
    await desk.emit(event)
    await desk.reported(1)
    before = written(site_root)
    await desk.emit(event, event)
    reports = await desk.reported(3)
    assert len({report.id for report in reports}) == 1
    assert written(site_root) == before


async def test_every_order_of_arrival_ends_the_same(start: Start, desk: Desk, site_root: Path) -> None:
    """Release, correction, withdrawal in all six orders: one after the other, and at once."""
    await start()
    ends: set[str] = set()
    addresses: list[str] = []
    for at_once in (False, True):
        for order in permutations(range(3)):
            first = publication(content={"title": f"Порядок {''.join(map(str, order))} {at_once}"})
            second = corrected(first)
            events = [fact(first), fact(second), fact(withdrawn(second), Fact.WITHDRAWN)]
            if at_once:
                await desk.emit(*(events[i] for i in order))
            else:
                for i in order:
                    await desk.emit(events[i])
            last = await desk.report_of(events[2])
            assert last.data.outcome is Outcome.REMOVED
            assert last.data.url is not None
            address = last.data.url.removeprefix(f"{SITE_URL}/")
            addresses.append(address)
            shown = page(site_root, address)
            assert "Публікацію відкликано" in shown
            ends.add(await desk.standing(first))
    assert ends == {"withdrawn at revision 2"}
    listed = "".join((site_root / name).read_text() for name in ("index.html", "operational/index.html"))
    assert not [address for address in addresses if address in listed]


async def test_corrections_that_overtake_each_other_leave_the_last(
    start: Start, desk: Desk, site_root: Path
) -> None:
    await start()
    revisions = [publication()]
    for number in range(2, 8):
        revisions.append(corrected(revisions[-1], body=f"Редакція {number}."))
    await desk.emit(*(fact(revision) for revision in reversed(revisions)))
    await desk.report_of(fact(revisions[-1]))
    await desk.idle()
    assert "Редакція 7." in page(site_root)


async def test_a_publication_for_other_channels_is_none_of_the_sites_business(
    start: Start, desk: Desk, site_root: Path
) -> None:
    await start()
    elsewhere = publication(targets=("telegram", "mail"))
    here = publication()
    await desk.emit(fact(elsewhere))
    await desk.emit(fact(here))
    [report] = await desk.reported(1)
    assert report.subject == here.id
    assert len(list((site_root / "publications").iterdir())) == 1


async def test_a_publication_taken_off_the_site_is_still_withdrawn_there(
    start: Start, desk: Desk, site_root: Path
) -> None:
    await start()
    first = publication()
    await desk.emit(fact(first))
    await desk.reported(1)
    moved = withdrawn(first).model_copy(update={"targets": ("mail",)})
    await desk.emit(fact(moved, Fact.WITHDRAWN))
    await desk.report_of(fact(moved, Fact.WITHDRAWN))
    assert "Публікацію відкликано" in page(site_root)


async def test_repeated_titles_get_numbers_though_they_come_at_once(
    start: Start, desk: Desk, site_root: Path
) -> None:
    await start()
    title = {"title": "До уваги представників ЗМІ"}
    await desk.emit(*(fact(publication(content=title)) for _ in range(12)))
    reports = await desk.reported(12)
    base = f"{SITE_URL}/publications/do-uvahy-predstavnykiv-zmi"
    assert {report.data.url for report in reports} == {
        f"{base}/",
        *(f"{base}-{number}/" for number in range(2, 14)),
    } - {f"{base}-13/"}


async def test_an_explainer_and_its_act_point_at_each_other_in_whichever_order_they_come(
    start: Start, desk: Desk, site_root: Path
) -> None:
    await start()
    act = publication("regulatory_act", content={"title": "Рішення про тарифи"})
    explainer = publication("explainer", content={"title": "Чому зросли тарифи", "explains": str(act.id)})
    for event in (fact(explainer), fact(act)):
        await desk.emit(event)
        await desk.report_of(event)
    assert "/publications/rishennia-pro-taryfy/" in page(site_root, "publications/chomu-zrosly-taryfy")
    assert "/publications/chomu-zrosly-taryfy/" in page(site_root, "publications/rishennia-pro-taryfy")
    gone = fact(withdrawn(act), Fact.WITHDRAWN)
    await desk.emit(gone)
    await desk.report_of(gone)
    assert "rishennia-pro-taryfy" not in page(site_root, "publications/chomu-zrosly-taryfy")


async def test_a_kind_that_changed_moves_between_the_rubrics(
    start: Start, desk: Desk, site_root: Path
) -> None:
    await start()
    first = publication("news")
    second = corrected(publication("announcement")).model_copy(
        update={"id": first.id, "released_at": first.released_at}
    )
    for event in (fact(first), fact(second)):
        await desk.emit(event)
        await desk.report_of(event)
    month = f"{first.released_at:%Y/%m}"
    assert ADDRESS not in (site_root / f"operational/{month}/index.html").read_text()
    assert ADDRESS in (site_root / f"announcements/{month}/index.html").read_text()
    assert ADDRESS not in (site_root / "operational/index.html").read_text()


async def test_the_empty_site_has_its_pages_before_the_first_publication(
    start: Start, site_root: Path
) -> None:
    publisher = await start()
    await publisher.ready()
    for name in ("index.html", "operational/index.html", "announcements/index.html", "404.html", "feed.atom"):
        assert (site_root / name).exists(), name
    [style] = (site_root / "assets").glob("site.*.css")
    assert f"/assets/{style.name}" in (site_root / "index.html").read_text()


async def rebuilt(publisher: Publisher) -> None:
    """Wait until the whole site is as the templates and the database have it."""
    site = publisher.channels["site"]
    assert isinstance(site, SiteChannel)

    async def up_to_date() -> bool:
        return not await site.edition.outdated()

    await eventually(up_to_date)


async def test_a_lost_folder_is_made_again_from_the_database(
    start: Start,
    desk: Desk,
    site_root: Path,
    site_section: SiteSection,
    publisher_settings: PublisherSettings,
) -> None:
    """By the command, and by the next start alone; byte for byte the same site."""
    publisher = await start()
    await publisher.ready()
    await rebuilt(publisher)
    gone = publication(content={"title": "Відкликана"})
    events = [
        fact(publication()),
        fact(publication("event", content={"title": "Подія"})),
        fact(gone),
        fact(withdrawn(gone), Fact.WITHDRAWN),
    ]
    for event in events:
        await desk.emit(event)
        await desk.report_of(event)
    before = contents(site_root)

    emptied(site_root)
    pages, written = await rebuild_site(publisher_settings, site_section)
    assert contents(site_root) == before
    assert (pages, written) == (3, len(before) - 1)
    assert await rebuild_site(publisher_settings, site_section) == (3, 0)

    emptied(site_root)
    await publisher.stop()
    again = await start()
    await again.ready()
    await rebuilt(again)
    assert contents(site_root) == before


async def test_a_new_design_is_brought_to_every_page_by_the_next_start(
    start: Start,
    desk: Desk,
    site_root: Path,
    publisher_settings: PublisherSettings,
    site_section: SiteSection,
) -> None:
    publisher = await start()
    await desk.emit(fact(publication()))
    await desk.reported(1)
    await publisher.stop()
    renamed = site_section.model_copy(update={"name": "Сайт Луцька"})
    second = Publisher(publisher_settings, [renamed])
    await second.start()
    try:
        await second.ready()
        await rebuilt(second)
        assert "Сайт Луцька" in page(site_root)
        assert "Сайт Луцька" in (site_root / "index.html").read_text()
    finally:
        await second.stop()


async def test_a_reader_never_meets_half_a_page(start: Start, desk: Desk, site_root: Path) -> None:
    """Everything listed is there, and every file is whole, however often they are read while they change."""
    await start()
    stop = threading.Event()
    seen: list[int] = []
    faults: list[str] = []

    def read() -> None:
        while not stop.is_set():
            listing = (site_root / "operational/index.html").read_text()
            if not listing.rstrip().endswith("</html>"):
                faults.append("half a list")
            links = re.findall(r'href="/(publications/[^"]+/)"', listing)
            for link in links:
                path = site_root / link / "index.html"
                if not path.exists():
                    faults.append(f"{link} is listed and not there")
                elif not path.read_text().rstrip().endswith("</html>"):
                    faults.append(f"{link} is half there")
            etree.fromstring((site_root / "feed.atom").read_bytes())
            json.loads((site_root / "feed.json").read_bytes())
            seen.append(len(links))

    first = fact(publication())
    await desk.emit(first)
    await desk.report_of(first)
    reader = asyncio.get_running_loop().run_in_executor(None, read)
    try:
        for number in range(8):
            await desk.emit(
                *(fact(publication(content={"title": f"Новина {number} {n}"})) for n in range(10))
            )
        await desk.reported(81)
    finally:
        stop.set()
        await reader
    assert faults == []
    assert len(set(seen)) > 2, "the reader must have seen it change"


async def test_two_processes_on_one_folder_lose_nothing_in_the_lists(
    publisher_settings: PublisherSettings, site_section: SiteSection, site_root: Path
) -> None:
    """Each writes the lists from what both have published."""
    mongos = [Mongo(publisher_settings.mongo_url.get_secret_value(), "publisher") for _ in range(2)]
    sites = [opened(mongo, publisher_settings, site_section) for mongo in mongos]
    for site in sites:
        await site.prepare()
    publications = [publication(content={"title": f"Новина {n}"}) for n in range(28)]
    await asyncio.gather(
        *(sites[n % 2].publish(each, Memory()) for n, each in enumerate(publications)),
    )
    listing = (site_root / "operational/index.html").read_text()
    assert len(set(re.findall(r'href="/publications/(novyna-[0-9]+)/"', listing))) == 28
    for site, mongo in zip(sites, mongos, strict=True):
        await site.close()
        mongo.close()


async def test_many_publications_share_one_making_of_the_lists(
    publisher_settings: PublisherSettings, site_section: SiteSection, monkeypatch: pytest.MonkeyPatch
) -> None:
    mongo = Mongo(publisher_settings.mongo_url.get_secret_value(), "publisher")
    site = opened(mongo, publisher_settings, site_section)
    await site.prepare()
    made: list[int] = []
    make = site.edition._make

    async def counted(ids: set[UUID]) -> None:
        made.append(len(ids))
        await make(ids)

    monkeypatch.setattr(site.edition, "_make", counted)
    await asyncio.gather(*(site.publish(publication(), Memory()) for _ in range(60)))
    assert sum(made) == 60
    assert len(made) < 15
    await site.close()
    mongo.close()


async def test_a_large_site_has_a_map_a_month_and_an_index_of_them(
    publisher_settings: PublisherSettings,
    site_section: SiteSection,
    site_root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sitemap, "LARGE", 3)
    mongo = Mongo(publisher_settings.mongo_url.get_secret_value(), "publisher")
    site = opened(mongo, publisher_settings, site_section)
    await site.prepare()
    for month in ("2026-09", "2026-10", "2026-11"):
        for n in range(2):
            at = datetime.fromisoformat(f"{month}-05T10:00:00+00:00")
            await site.publish(publication(content={"title": f"{month} {n}"}, released_at=at), Memory())
    names = {"m": "http://www.sitemaps.org/schemas/sitemap/0.9"}
    index = etree.parse(site_root / "sitemap.xml").xpath("//m:sitemap/m:loc/text()", namespaces=names)
    assert index == [
        f"{SITE_URL}/sitemaps/{name}.xml" for name in ("rubrics", "2026-11", "2026-10", "2026-09")
    ]
    for month in ("2026-09", "2026-10", "2026-11"):
        found = etree.parse(site_root / f"sitemaps/{month}.xml").xpath("count(//m:loc)", namespaces=names)
        assert found == 2
    await site.close()
    mongo.close()


async def test_two_publishers_share_the_work_and_one_takes_over_from_the_other(
    start: Start, desk: Desk, site_root: Path
) -> None:
    """One of them consumes at a time; when it goes in the middle, the other one goes on."""
    publishers = [await start(), await start()]
    for publisher in publishers:
        await publisher.ready()
    events = [fact(publication(content={"title": f"Новина {n}"})) for n in range(40)]
    await desk.emit(*events[:20])
    await desk.report_of(events[0])
    await publishers[0].stop()
    await desk.emit(*events[20:])
    for event in events:
        assert (await desk.report_of(event)).data.outcome is Outcome.PUBLISHED
    assert len(list((site_root / "publications").iterdir())) == 40
    by_publication = {report.subject: report.id for report in await desk.heard()}
    assert {report.id for report in desk.reports} == set(by_publication.values())


async def test_a_folder_that_cannot_be_written_is_retried_and_told(
    start: Start, desk: Desk, site_root: Path
) -> None:
    """A full or read-only disk: the receipt says so, and the publication goes up when it is well again."""
    publisher = await start()
    await publisher.ready()
    (site_root / "publications").write_text("not a folder")
    event = fact(publication())
    await desk.emit(event)

    async def told() -> bool:
        return any(report.data.outcome is Outcome.RETRYING for report in await desk.heard())

    await eventually(told)
    (site_root / "publications").unlink()
    assert (await desk.report_of(event)).data.outcome is Outcome.PUBLISHED
    assert "контактної мережі" in page(site_root)
