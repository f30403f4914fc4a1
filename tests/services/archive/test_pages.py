"""The pages for people: what they say, that they are safe, and that they work without JavaScript."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest
from lxml import html

from services.archive.app import build
from services.archive.reading import Reading
from services.archive.settings import ArchiveSettings
from services.archive.store import Store
from shared.events import Outcome, new_id, now
from shared.mongo import Mongo
from shared.publication import Fact, Publication
from shared.vocabulary import Kind
from tests.samples import corrected, delivery, fact, publication, withdrawn
from tests.services.archive.conftest import Reader, http

REGULAR = {"re": "http://exslt.org/regular-expressions"}


async def page(reader: Reader, address: str, *, status: int = 200) -> html.HtmlElement:
    """A page, parsed, after what holds for every page."""
    answer = await reader.client.get(address)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Robots-Tag"] == "noindex"
    parsed = html.document_fromstring(answer.text)
    assert parsed.get("lang") == "uk"
    assert parsed.xpath("count(//h1)") == 1
    assert parsed.xpath("//script[not(@data-again)] | //script/text() | //*[@style] | //@onclick") == []
    # HTML allows an hour three digits of a second, and an address no spaces.
    assert not parsed.xpath(r"//time/@datetime[re:test(., '\.\d{4}')]", namespaces=REGULAR)
    assert parsed.xpath("//@href[contains(., ' ')]") == []
    return parsed


def text(parsed: html.HtmlElement) -> str:
    return " ".join(parsed.text_content().split())


def refresh(parsed: html.HtmlElement) -> str | None:
    assert parsed.xpath("//meta[@http-equiv='refresh']") == []
    found = parsed.xpath("//script/@data-again")
    return str(found[0]) if found else None


async def receipt_of(reader: Reader, of: Publication, query: str = "") -> html.HtmlElement:
    return await page(reader, f"/receipts/{of.id}{query}")


async def test_a_complete_receipt_says_what_happened_where_and_when(reader: Reader) -> None:
    at = datetime(2026, 11, 19, 8, 15, 7, tzinfo=UTC)
    one = publication(released_at=at, accepted_at=at, submitted_at=at)
    await reader.put(
        fact(one),
        delivery(one, "site", Outcome.PUBLISHED, url="https://rada.example/1", at=at),
        delivery(one, "mail", Outcome.PUBLISHED, recipients=7, failed=0, at=at),
    )
    parsed = await receipt_of(reader, one)
    said = text(parsed)
    assert one.content.title in said
    assert "Оприлюднено" in said
    assert "Усе зроблено" in said
    assert "19 листопада 2026 р., 10:15" in said
    assert "19.11.2026, 10:15:07" in said
    assert "Листів: 7" in said
    assert "Сайт Опубліковано" in said
    assert "https://rada.example/1" in parsed.xpath("//ul//a/@href")
    assert parsed.xpath("//table/caption")
    assert parsed.xpath("//table//th[@scope='col']")
    assert refresh(parsed) is None


async def test_an_incomplete_receipt_looks_again_by_itself_unless_told_not_to(reader: Reader) -> None:
    one = publication()
    await reader.put(fact(one), delivery(one, "site", Outcome.PUBLISHED))
    parsed = await receipt_of(reader, one)
    assert "Ще чекаємо: Листи редакціям" in text(parsed)
    assert "Очікуємо" in text(parsed)
    assert refresh(parsed) == "5"
    calm = await receipt_of(reader, one, "?refresh=0")
    assert refresh(calm) is None
    assert calm.xpath("//footer//a[@href='?']")


async def test_failures_are_told_in_words_that_help(reader: Reader) -> None:
    targets = ("site", "telegram", "mail", "newspaper")
    one = publication(targets=targets)
    await reader.put(
        fact(one),
        delivery(one, "site", Outcome.FAILED, reason="Немає місця на диску.", attempt=6),
        delivery(one, "telegram", Outcome.UNCONFIRMED, in_doubt=True),
        delivery(one, "mail", Outcome.PUBLISHED, recipients=3, failed=1),
        delivery(one, "newspaper", Outcome.SKIPPED, reason="Номер уже здано до друку."),
    )
    said = text(await receipt_of(reader, one))
    assert "Не все вдалося" in said
    assert "Немає місця на диску." in said
    assert "Повідомте адміністратора" in said
    assert "не повторює спроби, щоб не опублікувати двічі" in said
    assert "Надіслано не всім" in said
    assert "Листів: 3, з них відхилено: 1" in said
    assert "Номер уже здано до друку." in said


async def test_revisions_carry_their_notes(reader: Reader) -> None:
    first = publication()
    second = corrected(first, title="Уточнена назва", lead="Уточнений вступ.")
    await reader.put(fact(first), fact(second))
    parsed = await receipt_of(reader, first)
    said = text(parsed)
    assert "Суттєва зміна: Уточнено час." in said
    assert "Уточнений вступ." in said
    assert first.content.lead in said
    assert "Уточнена назва" in parsed.xpath("string(//h1)")


async def test_a_withdrawn_text_is_not_shown_but_the_reason_is(reader: Reader) -> None:
    one = publication(content={"body": "Хибні дані."})
    gone = withdrawn(one, "Дані не підтвердилися.")
    await reader.put(fact(one), fact(gone, Fact.WITHDRAWN))
    said = text(await receipt_of(reader, one))
    assert "Відкликано" in said
    assert "Дані не підтвердилися." in said
    assert "Хибні дані." not in said


@pytest.mark.parametrize(
    ("what", "hour", "words"),
    [
        (Fact.SCHEDULED, "release_at", "Стане публічною 1 грудня 2036 р., 10:00"),
        (Fact.ADVANCE, "embargo_until", "Оприлюднювати її до 1 грудня 2036 р., 10:00 заборонено"),
    ],
)
async def test_what_waits_says_for_what_hour(reader: Reader, what: Fact, hour: str, words: str) -> None:
    one = publication(released_at=None, content={hour: "2036-12-01T08:00:00Z"})
    await reader.put(fact(one, what))
    parsed = await receipt_of(reader, one)
    assert words in text(parsed)
    assert "Чекає на свій час" in text(parsed)
    assert refresh(parsed) is not None


@pytest.mark.parametrize("kind", list(Kind))
async def test_every_kind_has_a_receipt(reader: Reader, kind: Kind) -> None:
    one = publication(kind)
    await reader.put(fact(one))
    assert one.content.title in text(await receipt_of(reader, one))


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


async def test_nothing_that_came_from_outside_becomes_markup(reader: Reader) -> None:
    body = f"{HOSTILE}\n\n# Заголовок\n\n[натисніть](javascript:alert(1)) [сайт](https://rada.example) ![x](https://spy.example/1.png)"
    one = publication(content={"title": HOSTILE, "lead": HOSTILE, "body": body})
    second = corrected(one)
    await reader.put(
        fact(one),
        fact(second),
        delivery(second, "site", Outcome.UPDATED, url="javascript:alert(1)", reason=HOSTILE),
    )
    for parsed in (await receipt_of(reader, one), await page(reader, "/")):
        assert parsed.xpath("//script[not(@data-again)] | //script/text() | //img | //@onerror") == []
        hrefs = [str(href) for href in parsed.xpath("//@href")]
        assert not any(href.startswith("javascript:") for href in hrefs)
        assert HOSTILE in parsed.text_content()
    shown = await receipt_of(reader, one)
    assert "https://rada.example" in shown.xpath("//@href")
    assert "Заголовок" in shown.xpath("//h4/text()")


async def test_the_receipt_of_a_publication_on_its_way_waits_for_it(reader: Reader) -> None:
    """A department opens the link right after it was accepted: the record may be a moment behind."""
    answer = await reader.client.get(f"/receipts/{new_id()}")
    assert answer.status_code == 404
    assert int(answer.headers["Retry-After"]) > 0
    parsed = await page(reader, f"/receipts/{new_id()}", status=404)
    assert "Квитанція ще готується" in text(parsed)
    assert refresh(parsed) is not None


def uuid7_of(at: datetime) -> UUID:
    """An id as it would have been made then."""
    milliseconds = int(at.timestamp() * 1000)
    return UUID(int=(milliseconds << 80) | (new_id().int & ((1 << 80) - 1)))


@pytest.mark.parametrize(
    "id",
    ["x", str(uuid4()), str(uuid7_of(now() - timedelta(days=3))), "%00", "1" * 300],
    ids=["word", "version 4", "old", "zero", "long"],
)
async def test_an_address_that_leads_nowhere_says_so(reader: Reader, id: str) -> None:
    parsed = await page(reader, f"/receipts/{id}", status=404)
    assert "Такої квитанції немає" in text(parsed)
    assert refresh(parsed) is None


async def test_while_the_database_is_away_pages_say_so_to_people() -> None:
    away = Mongo("mongodb://127.0.0.1:9/?replicaSet=rs0", "archive", patience=0.2)
    app = build(ArchiveSettings())
    app.state.reading = Reading(Store(away.database), "https://archive.example")
    async with http(app) as client:
        for address in ("/", f"/receipts/{new_id()}"):
            answer = await client.get(address)
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) > 0
            assert "Архів зараз недоступний" in answer.text
    away.close()


async def test_the_style_sheet_is_found_and_kept(reader: Reader) -> None:
    parsed = await page(reader, "/")
    [address] = parsed.xpath("//link[@rel='stylesheet']/@href")
    answer = await reader.client.get(address)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/css")
    assert "immutable" in answer.headers["Cache-Control"]


def titles(parsed: html.HtmlElement) -> list[str]:
    return [" ".join(heading.text_content().split()) for heading in parsed.xpath("//main//li/h2")]


@pytest.fixture
async def published(reader: Reader) -> dict[str, Publication]:
    """Three public publications, a withdrawn one, and two that nobody may see."""
    noon = datetime(2026, 11, 19, 10, tzinfo=UTC)

    def made(title: str, hours: int, kind: str = "news", **fields: Any) -> Publication:
        at = noon - timedelta(hours=hours)
        content = {"title": title, "topics": fields.pop("topics", ["transport"])}
        return publication(kind, released_at=at, accepted_at=at, submitted_at=at, content=content, **fields)

    found = {
        "news": made("Новина", 0),
        "event": made("Подія", 1, "event", topics=["education"]),
        "gone": made("Відкликана", 2),
        "old": made("Давня", 48),
    }
    await reader.put(
        fact(found["news"]),
        delivery(found["news"], "site", Outcome.PUBLISHED, url="https://rada.example/news"),
        fact(found["event"]),
        fact(withdrawn(found["gone"], "Помилка в даті."), Fact.WITHDRAWN),
        fact(found["old"]),
        fact(publication(released_at=None, content={"title": "Секретна"}), Fact.ADVANCE),
        fact(publication(released_at=None, content={"title": "Майбутня"}), Fact.SCHEDULED),
    )
    return found


async def test_the_start_page_lists_what_is_public(reader: Reader, published: dict[str, Publication]) -> None:
    parsed = await page(reader, "/")
    assert titles(parsed) == ["Новина", "Подія", "Відкликана", "Давня"]
    assert "Помилка в даті." in text(parsed)
    assert "Секретна" not in text(parsed)
    [link] = parsed.xpath("//h2/a[text()='Новина']/@href")
    assert link == "https://rada.example/news"
    assert f"https://archive.example/receipts/{published['event'].id}" in parsed.xpath("//li//a/@href")


async def test_filters_of_the_start_page_are_links_and_a_form(
    reader: Reader, published: dict[str, Publication]
) -> None:
    start = await page(reader, "/")
    [events] = start.xpath("//nav//a[text()='анонс події']/@href")
    assert titles(await page(reader, events)) == ["Подія"]
    form = "/?kind=&topic=transport&department=transport&from=2026-11-18&to="
    parsed = await page(reader, form)
    assert titles(parsed) == ["Новина", "Відкликана"]
    assert parsed.xpath("//option[@value='transport'][@selected]/text()") == [
        "транспорт",
        "Управління транспорту та зв’язку",
    ]
    assert parsed.xpath("//input[@name='from']/@value") == ["2026-11-18"]
    [news] = parsed.xpath("//nav//a[text()='новина']/@href")
    assert parse_qs(urlsplit(news).query)["topic"] == ["transport"]
    assert titles(await page(reader, "/?topic=medicine")) == []


async def test_the_start_page_goes_on_page_by_page(reader: Reader, published: dict[str, Publication]) -> None:
    found: list[str] = []
    address = "/?limit=3&from=2026-11-01"
    for _ in range(2):
        parsed = await page(reader, address)
        found += titles(parsed)
        following = parsed.xpath("//a[@rel='next']/@href")
        address = str(following[0]) if following else ""
    assert found == ["Новина", "Подія", "Відкликана", "Давня"]
    assert address == ""
    assert parsed.xpath("//nav/a[text()='На початок']/@href") == ["/?from=2026-11-01&limit=3"]


@pytest.mark.parametrize(
    "query",
    ["kind=gossip", "from=yesterday", "after=xyz", "limit=1000", "state=embargoed", "state=scheduled"],
)
async def test_a_filter_that_makes_no_sense_is_said_so(reader: Reader, query: str) -> None:
    parsed = await page(reader, f"/?{query}", status=422)
    assert "Не вдалося прочитати запит" in text(parsed)
