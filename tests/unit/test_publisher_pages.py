"""Pages, feeds and maps as they are rendered, without a server."""

import json
from datetime import UTC, datetime, timedelta
from html import unescape
from itertools import pairwise

import feedparser  # type: ignore[import-untyped]  # it has no types
import pytest
from lxml import etree
from lxml import html as lxml_html

from services.publisher.channels.site import dates, sitemap
from services.publisher.channels.site.design import Design, Related
from services.publisher.channels.site.feeds import Feed, Item
from services.publisher.channels.site.pages import Page
from services.publisher.channels.site.settings import SiteSection
from shared.publication import Publication
from shared.vocabulary import Kind
from tests.samples import corrected, publication, withdrawn

URL = "https://rada.example"


@pytest.fixture
def design() -> Design:
    return Design(SiteSection(name="Луцька міська рада"), URL, "https://archive.example")


def page_of(of: Publication, slug: str = "novyna") -> Page:
    return Page.of(of, slug)


def parsed(content: bytes) -> lxml_html.HtmlElement:
    return lxml_html.document_fromstring(content)


def text(content: bytes) -> str:
    return " ".join(parsed(content).text_content().split())


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_a_page_with_one_title_and_its_outline_in_order(design: Design, kind: Kind) -> None:
    content = design.publication(
        page_of(publication(kind, content={"body": "### Розділ\n\nТекст"})), Related()
    )
    levels = [int(str(e.tag)[1]) for e in parsed(content).iter("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert parsed(content).get("lang") == "uk"


def test_an_event_says_when_where_who_and_until_when_media_may_register(design: Design) -> None:
    event = publication(
        "event",
        content={
            "event": {
                "starts_at": "2026-12-11T10:00:00Z",
                "ends_at": "2026-12-11T11:30:00Z",
                "place": "Театральний майдан",
                "agenda": "1. Відкриття\n2. Обговорення",
                "participants": ["Міський голова", "Головний архітектор"],
                "accreditation_until": "2026-12-10T15:00:00Z",
            }
        },
    )
    content = design.publication(page_of(event), Related())
    shown = text(content)
    for part in (
        "п’ятниця, 11 грудня 2026 р., 12:00 – 13:30",
        "Театральний майдан",
        "1. Відкриття2. Обговорення",
        "Головний архітектор",
        "до 10 грудня 2026 р., 17:00",
    ):
        assert part in shown
    graph = json.loads(parsed(content).xpath("//script[@type='application/ld+json']/text()")[0])["@graph"]
    assert graph[1]["@type"] == "Event"
    assert graph[1]["startDate"] == "2026-12-11T12:00:00+02:00"


def test_an_act_says_who_adopted_what_and_when(design: Design) -> None:
    content = text(design.publication(page_of(publication("regulatory_act")), Related()))
    for part in ("виконавчий комітет", "712-1", "19 листопада 2026 р.", "нормативно-правовий акт"):
        assert part in content


def test_a_draft_says_when_it_is_considered(design: Design) -> None:
    act = {
        "issuer": "city_council",
        "title": "Про бюджет",
        "normative": True,
        "draft": True,
        "considered_on": "2026-12-20",
    }
    content = text(
        design.publication(page_of(publication("regulatory_act", content={"act": act})), Related())
    )
    assert "Проєкт" in content
    assert "Дата розгляду20 грудня 2026 р." in content


def test_a_broadcast_says_where_and_when_it_is_aired_and_with_whom(design: Design) -> None:
    content = text(design.publication(page_of(publication("broadcast")), Related()))
    for part in (
        "Відкрита влада. МІСТО",
        "ТРК «Аверс» (телебачення)",
        "Ірина Мельник, депутатка міської ради",
    ):
        assert part in content


def test_corrections_stand_in_place_with_their_date(design: Design) -> None:
    twice = corrected(corrected(publication()), significance="minor")
    content = text(design.publication(page_of(twice), Related()))
    assert content.count(f"Виправлено {dates.moment(twice.corrections[0].at)}: Уточнено час.") == 2


def test_a_withdrawal_notice_keeps_the_title_and_nothing_of_the_text(design: Design) -> None:
    content = design.publication(page_of(withdrawn(publication())), Related())
    shown = text(content)
    assert "Публікацію відкликано" in shown
    assert "Причина: Дані не підтвердилися." in shown
    assert "Тролейбус № 5" in shown
    assert "контактної мережі" not in content.decode()
    assert "Лесі Українки" not in content.decode()
    assert b'content="noindex"' in content


def test_what_was_never_public_has_no_page() -> None:
    with pytest.raises(ValueError, match="never released"):
        page_of(publication(released_at=None))


def test_hostile_fields_stay_text(design: Design) -> None:
    """Every field that people write, not the body alone."""
    hostile = '</script><script>alert("x")</script>'
    attack = publication(
        "broadcast",
        content={
            "title": f"Т {hostile}",
            "lead": f"Л {hostile}",
            "contact": {"name": f"К {hostile}"},
            "broadcast": {
                "series": f"С {hostile}",
                "station": f"С {hostile}",
                "medium": "tv",
                "airs_at": "2026-12-11T10:00:00Z",
                "guests": [{"name": f"Г {hostile}", "post": hostile, "faction": hostile}],
            },
        },
    )
    page = page_of(corrected(attack))
    content = design.publication(page, Related())
    scripts = parsed(content).xpath("//script")
    assert [script.get("type") for script in scripts] == ["application/ld+json"]
    assert json.loads(scripts[0].text)["@graph"][0]["headline"].startswith("Т </script>")
    assert not lxml_html.fromstring(f"<div>{design.feed_content(page)}</div>").xpath("//script")


def test_a_page_in_english_says_so_around_its_own_text(design: Design) -> None:
    content = design.publication(
        page_of(publication(content={"language": "en", "title": "Road works"})), Related()
    )
    assert parsed(content).xpath("//h1")[0].get("lang") == "en"
    assert parsed(content).xpath("//div[@class='text']")[0].get("lang") == "en"


def test_the_preview_of_a_link_is_complete(design: Design) -> None:
    content = parsed(design.publication(page_of(publication()), Related()))
    assert content.xpath("//link[@rel='canonical']/@href") == [f"{URL}/publications/novyna/"]
    for name in ("og:title", "og:description", "og:url", "og:type", "og:site_name"):
        assert content.xpath(f"//meta[@property='{name}']/@content")[0]
    assert content.xpath("//meta[@name='description']/@content")[0]


def test_blank_lines_in_code_stay(design: Design) -> None:
    content = design.publication(page_of(publication(content={"body": "```\nодин\n\n\nдва\n```"})), Related())
    assert "один\n\n\nдва" in content.decode()


def test_no_page_needs_a_script_or_another_server(design: Design) -> None:
    for content in (
        design.publication(page_of(publication()), Related()),
        design.home({}),
        design.not_found(),
    ):
        page = parsed(content)
        assert page.xpath("//script[not(@type='application/ld+json')]") == []
        assert all(str(src).startswith("/assets/") for src in page.xpath("//@src"))
        assert all(str(href).startswith("/assets/") for href in page.xpath("//link[@rel='stylesheet']/@href"))


def feed(design: Design, *pages: Page) -> Feed:
    items = [Item(page, design.url(page), design.feed_content(page), URL) for page in pages]
    return Feed(title="Стрічка", site_name="Рада", site_url=URL, path="/operational/", items=items)


def test_the_three_feeds_say_the_same_and_parse_clean(design: Design) -> None:
    plain = publication(content={"title": "Тарифи < 5 & > 3", "lead": "Ліміт <b>\"5\"</b> & 'більше'"})
    fixed = corrected(publication())
    gone = withdrawn(publication())
    files = feed(design, page_of(plain), page_of(fixed, "druha"), page_of(gone, "tretia")).files()
    ids = [f"urn:uuid:{of.id}" for of in (plain, fixed, gone)]
    titles = ["Тарифи < 5 & > 3", fixed.content.title, f"Відкликано: {gone.content.title}"]
    for name in ("operational/feed.atom", "operational/feed.rss"):
        etree.fromstring(files[name])
        read = feedparser.parse(files[name])
        assert not read.bozo
        assert [entry.id for entry in read.entries] == ids
        assert [unescape(entry.title) for entry in read.entries] == titles
        assert read.entries[0].link == f"{URL}/publications/novyna/"
    told = json.loads(files["operational/feed.json"])
    assert told["version"] == "https://jsonfeed.org/version/1.1"
    assert [item["id"] for item in told["items"]] == ids
    assert [item["title"] for item in told["items"]] == titles
    assert "контактної мережі" in told["items"][1]["content_html"]
    assert "Виправлено" in told["items"][1]["content_html"]
    assert "контактної мережі" not in told["items"][2]["content_html"]
    assert "Дані не підтвердилися." in told["items"][2]["content_html"]


def test_a_feed_tells_when_an_item_was_published_and_when_it_changed(design: Design) -> None:
    at = datetime(2026, 11, 22, 10, tzinfo=UTC)
    fixed = corrected(publication(released_at=at))
    atom = feedparser.parse(feed(design, page_of(fixed)).files()["operational/feed.atom"])
    assert atom.entries[0].published_parsed[:5] == (2026, 11, 22, 10, 0)
    changed = fixed.corrections[0].at
    assert atom.entries[0].updated_parsed[:5] == changed.timetuple()[:5]
    assert atom.feed.updated_parsed[:5] == changed.timetuple()[:5]


def test_an_empty_feed_is_the_same_file_every_time(design: Design) -> None:
    first, second = feed(design).files(), feed(design).files()
    assert first == second
    assert not feedparser.parse(first["operational/feed.atom"]).bozo


def test_the_maps_are_well_formed_and_name_every_page() -> None:
    pages = [page_of(publication(), f"page-{n}") for n in range(3)]
    urls = etree.fromstring(sitemap.whole(URL, pages))
    names = {"m": "http://www.sitemaps.org/schemas/sitemap/0.9"}
    found = urls.xpath("//m:loc/text()", namespaces=names)
    assert found == [
        f"{URL}/",
        f"{URL}/operational/",
        f"{URL}/announcements/",
        *(f"{URL}/publications/page-{n}/" for n in range(3)),
    ]
    index = etree.fromstring(sitemap.index(URL, ["2026-11", "2026-10"])["sitemap.xml"])
    assert index.xpath("//m:loc/text()", namespaces=names) == [
        f"{URL}/sitemaps/rubrics.xml",
        f"{URL}/sitemaps/2026-11.xml",
        f"{URL}/sitemaps/2026-10.xml",
    ]


def test_dates_are_kyivs() -> None:
    """Half past eleven in the evening, UTC, of the month's last day is the next month in Kyiv."""
    at = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)
    assert dates.month_of(at) == "2026-11"
    assert dates.moment(at) == "1 листопада 2026 р., 01:30"
    assert dates.machine(at) == "2026-11-01T01:30:00+02:00"
    assert dates.month_name("2026-11") == "листопад 2026 року"
    ends = at + timedelta(days=1)
    assert (
        dates.span(at, ends) == "неділя, 1 листопада 2026 р., 01:30 – понеділок, 2 листопада 2026 р., 01:30"
    )
