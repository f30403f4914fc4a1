"""Photographs, videos, documents, acts and events on their pages."""

import json
from typing import Any

import feedparser  # type: ignore[import-untyped]  # it has no types
import pytest
from icalendar import Calendar
from lxml import html as lxml_html

from services.publisher.channels.site.attachments import files_of
from services.publisher.channels.site.design import Design, Related, embed_url, size
from services.publisher.channels.site.feeds import Feed, Item
from services.publisher.channels.site.invitations import invitation
from services.publisher.channels.site.pages import Page
from services.publisher.channels.site.settings import SiteSection
from shared.events import new_id
from shared.publication import MediaFile, Publication
from shared.vocabulary import MediaForm
from tests.samples import corrected, publication, withdrawn

URL = "https://rada.example"


def file(form: MediaForm, media_type: str, number: int = 1, **fields: Any) -> MediaFile:
    given: dict[str, Any] = {
        "id": new_id(),
        "form": form,
        "media_type": media_type,
        "sha256": f"{number:064x}",
        "size": 1_234_567,
    }
    return MediaFile.model_validate(given | fields)


def photo(number: int = 1, **fields: Any) -> MediaFile:
    given = {"width": 3000, "height": 2000, "alt": f"Міст, знімок {number}", "author": "І. Коваль"}
    return file(MediaForm.PHOTO, "image/jpeg", number, **(given | fields))


@pytest.fixture
def design() -> Design:
    return Design(SiteSection(name="Рада"), URL, "https://archive.example")


def shown(design: Design, of: Publication, **fields: Any) -> Any:
    page = Page.of(of, "novyna").model_copy(update=fields)
    return lxml_html.document_fromstring(design.publication(page, Related()))


def test_a_report_shows_all_its_photographs_the_first_one_at_once(design: Design) -> None:
    report = publication("photo_report", media=(photo(1, caption="Відкриття"), photo(2), photo(3)))
    page = shown(design, report)
    images = page.xpath("//figure//img")
    assert [image.get("alt") for image in images] == [f"Міст, знімок {n}" for n in (1, 2, 3)]
    assert [image.get("loading") for image in images] == [None, "lazy", "lazy"]
    assert {(image.get("width"), image.get("height")) for image in images} == {("3000", "2000")}
    assert all("/2560.jpg 2560w" in image.get("srcset") for image in images)
    assert all(".webp 480w" in srcset for srcset in page.xpath("//picture/source/@srcset"))
    assert "Фото: І. Коваль" in page.xpath("//figcaption")[0].text_content()
    assert page.xpath("//meta[@property='og:image']/@content") == [f"{URL}/media/{1:064x}/1600.jpg"]
    assert page.xpath("//meta[@property='og:image:height']/@content") == ["1067"]
    graph = json.loads(page.xpath("//script/text()")[0])["@graph"]
    assert len(graph[0]["image"]) == 3


def test_every_address_that_a_page_shows_is_copied(design: Design) -> None:
    files = (
        photo(1, width=700, height=500),
        file(MediaForm.VIDEO, "video/mp4", 2, poster=True),
        file(MediaForm.DOCUMENT, "application/pdf", 3, name="Рішення №5.pdf"),
    )
    one = publication(media=files)
    page = shown(design, one)
    addresses = {str(a) for a in page.xpath("//@src | //main//@href") if str(a).startswith("/media/")}
    for srcset in page.xpath("//@srcset"):
        addresses |= {part.split()[0] for part in srcset.split(",")}
    assert addresses == {f"/{path}" for path in files_of(one)}
    assert files_of(withdrawn(one)) == {}


def test_a_video_waits_and_is_then_embedded_without_cookies(design: Design) -> None:
    one = publication(
        "video",
        targets=("site", "youtube"),
        media=(file(MediaForm.VIDEO, "video/mp4", poster=True, duration=61.0),),
    )
    before = shown(design, one)
    assert before.xpath("//iframe") == []
    assert "щойно його опублікує YouTube" in before.text_content()
    after = shown(design, one, watch="https://www.youtube.com/watch?v=dQw4w9WgXcQ")
    [frame] = after.xpath("//iframe")
    assert frame.get("src") == "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ"
    assert frame.get("title")
    graph = json.loads(after.xpath("//script/text()")[0])["@graph"]
    assert graph[1]["@type"] == "VideoObject"
    assert graph[1]["duration"] == "PT61S"


def test_an_address_that_is_not_youtubes_is_not_embedded() -> None:
    assert embed_url("https://example.org/x") is None
    assert embed_url("https://youtu.be/dQw4w9WgXcQ") == "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ"


@pytest.mark.parametrize(
    ("act", "heading"),
    [
        ({"normative": True, "draft": True}, "Проєкт нормативно-правового акта"),
        ({"normative": False, "draft": True}, "Проєкт рішення міської ради"),
        ({"normative": False, "number": "5", "adopted_on": "2026-11-01"}, "Рішення міської ради"),
        ({"normative": True, "number": "5", "adopted_on": "2026-11-01"}, "Нормативно-правовий акт"),
    ],
)
def test_an_act_is_headed_by_what_it_is(design: Design, act: dict[str, Any], heading: str) -> None:
    given = {"issuer": "city_council", "title": "Про назву"} | act
    document = file(MediaForm.DOCUMENT, "application/pdf", name="Додаток.pdf")
    page = shown(design, publication("regulatory_act", content={"act": given}, media=(document,)))
    assert page.xpath("string(//span[@class='kind'])") == heading
    [link] = page.xpath("//section[@class='documents']//a")
    assert link.text_content() == "Додаток.pdf (PDF, 1,2 МБ)"
    assert link.get("href").endswith("/dodatok.pdf")


def test_an_event_is_a_file_for_calendars_until_it_is_cancelled() -> None:
    first = publication("event")
    uids, sequences = set(), []
    for of in (first, corrected(first), withdrawn(corrected(first))):
        content = invitation(Page.of(of, "podiia"), f"{URL}/publications/podiia/", "Рада")
        assert content is not None
        entry: Any = Calendar.from_ical(content).walk("VEVENT")[0]
        uids.add(str(entry["uid"]))
        sequences.append(entry["sequence"])
    assert len(uids) == 1
    assert sequences == sorted(set(sequences))
    assert str(entry["status"]) == "CANCELLED"
    assert "location" not in entry
    assert str(entry["dtstart"].dt.tzinfo) == "UTC"
    assert invitation(Page.of(publication(), "x"), URL, "Рада") is None


def test_feeds_bring_the_photograph_and_whole_links(design: Design) -> None:
    one = Page.of(publication(content={"body": "[тут](/a/) і [там](b.pdf)"}, media=(photo(),)), "novyna")
    item = Item(one, design.url(one), design.feed_content(one), URL)
    assert f'href="{URL}/a/"' in item.content
    assert f'href="{URL}/publications/novyna/b.pdf"' in item.content
    files = Feed(title="С", site_name="Р", site_url=URL, path="/", items=[item]).files()
    picture = f"{URL}/media/{1:064x}/1600.jpg"
    for name in ("feed.atom", "feed.rss"):
        read = feedparser.parse(files[name])
        assert not read.bozo
        assert [enclosure.href for enclosure in read.entries[0].enclosures] == [picture]
    assert json.loads(files["feed.json"])["items"][0]["image"] == picture


def test_the_search_page_asks_the_archive(design: Design) -> None:
    page: Any = lxml_html.document_fromstring(design.search())
    assert page.xpath("//form/@action") == ["https://archive.example/"]
    assert page.xpath("//form//input/@name") == ["q"]
    policy = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0]
    assert "form-action https://archive.example" in policy
    assert "frame-src https://www.youtube-nocookie.com" in policy


def test_sizes_are_told_in_words() -> None:
    assert [size(n) for n in (1, 340_000, 1_234_567)] == ["1 кБ", "340 кБ", "1,2 МБ"]
