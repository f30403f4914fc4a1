"""Lists of publications on a real database: filters, pages, indexes, who sees what."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.archive.listing import ListQuery, conditions
from services.archive.store import Received, Store
from shared.events import Outcome, now
from shared.mongo import Document
from shared.publication import Department, Fact, Publication
from tests.samples import corrected, delivery, fact, publication, withdrawn
from tests.services.archive.conftest import OPERATOR, Keep, Reader

NOON = datetime(2026, 11, 19, 10, tzinfo=UTC)
WATERWORKS = Department(id="waterworks", name="КП «Луцькводоканал»")


def released(at: datetime = NOON, kind: str = "news", **fields: Any) -> Publication:
    return publication(kind, released_at=at, accepted_at=at, submitted_at=at, **fields)


def ids(page: dict[str, Any]) -> list[str]:
    return [item["id"] for item in page["items"]]


async def test_the_latest_comes_first_without_bodies(reader: Reader) -> None:
    older, newer = released(NOON - timedelta(hours=1)), released(NOON)
    await reader.put(fact(older), fact(newer))
    page = await reader.listed()
    assert ids(page) == [str(newer.id), str(older.id)]
    assert page["next"] is None
    [item, _] = page["items"]
    assert item["title"] == newer.content.title
    assert item["receipt"] == {"complete": False, "page": f"https://archive.example/receipts/{newer.id}"}
    assert not {"body", "revisions", "place", "listed"} & set(item)


async def test_a_listed_receipt_is_complete_when_the_publications_is(reader: Reader) -> None:
    one = released()
    reports = [
        delivery(one, "site", Outcome.PUBLISHED, url="https://rada.example/1"),
        delivery(one, "mail", Outcome.SKIPPED, reason="Ніхто не підписаний."),
    ]
    event = fact(one)
    await reader.put(event, *reports)
    [item] = (await reader.listed())["items"]
    assert item["receipt"]["complete"] is True
    assert item["url"] == "https://rada.example/1"


async def test_filters(reader: Reader) -> None:
    news = released(content={"topics": ["transport", "tariffs"]})
    announcement = released(NOON - timedelta(minutes=1), "announcement", content={"topics": ["medicine"]})
    event = released(NOON - timedelta(minutes=2), "event", department=WATERWORKS)
    gone = withdrawn(released(NOON - timedelta(minutes=3)))
    await reader.put(fact(news), fact(announcement), fact(event), fact(gone, Fact.WITHDRAWN))
    expected: list[tuple[dict[str, Any], list[Publication]]] = [
        ({"kind": "news"}, [news, gone]),
        ({"kind": ["event", "announcement"]}, [announcement, event]),
        ({"section": "announcements"}, [announcement, event]),
        ({"department": "waterworks"}, [event]),
        ({"department": "nobody"}, []),
        ({"topic": "tariffs"}, [news]),
        ({"topic": ["tariffs", "transport", "medicine"]}, [news, announcement, event, gone]),
        ({"state": "withdrawn"}, [gone]),
        ({"state": "released", "kind": "news"}, [news]),
        (
            {"kind": "", "section": "", "topic": "", "from": "", "after": ""},
            [news, announcement, event, gone],
        ),
    ]
    for query, found in expected:
        assert ids(await reader.listed(**query)) == [str(one.id) for one in found], query


async def test_dates_are_days_in_kyiv(reader: Reader) -> None:
    """22:30 UTC is half past midnight of the next day there."""
    before = released(datetime(2026, 11, 18, 21, 59, 59, 999_000, tzinfo=UTC))
    first = released(datetime(2026, 11, 18, 22, 0, tzinfo=UTC))
    last = released(datetime(2026, 11, 19, 21, 59, 59, 999_000, tzinfo=UTC))
    after = released(datetime(2026, 11, 19, 22, 0, tzinfo=UTC))
    await reader.put(*(fact(one) for one in (before, first, last, after)))
    assert ids(await reader.listed(**{"from": "2026-11-19", "to": "2026-11-19"})) == [
        str(last.id),
        str(first.id),
    ]
    exactly = "2026-11-19T00:00:00+02:00"
    assert ids(await reader.listed(**{"from": exactly, "to": exactly})) == [str(first.id)]


async def test_pages_join_without_gap_or_repetition(reader: Reader) -> None:
    """Though several became public in the same millisecond, and new ones come between two pages."""
    publications = [released(NOON + timedelta(milliseconds=number // 4)) for number in range(23)]
    await reader.put(*(fact(one) for one in publications))
    expected = sorted(publications, key=lambda one: (one.released_at, one.id), reverse=True)
    found: list[str] = []
    query: dict[str, Any] = {"limit": 5, "kind": "news"}
    for number in itertools.count():
        page = await reader.listed(**query)
        assert len(page["items"]) <= 5
        found += ids(page)
        if number == 1:
            await reader.put(fact(released(NOON + timedelta(hours=1))))
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert found == [str(one.id) for one in expected]


async def test_a_page_that_is_exactly_full_has_no_next(reader: Reader) -> None:
    await reader.put(*(fact(released()) for _ in range(3)))
    assert (await reader.listed(limit=3))["next"] is None
    assert (await reader.listed(limit=2))["next"] is not None


@pytest.mark.parametrize("after", ["x", "AAAA", "%00", "0" * 200, "ї"])
async def test_a_cursor_that_was_not_given_out_is_refused(reader: Reader, after: str) -> None:
    answer = await reader.client.get("/v1/publications", params={"after": after})
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == "after"


async def test_a_cursor_of_a_list_with_other_filters_is_refused(reader: Reader) -> None:
    await reader.put(fact(released()), fact(released()))
    page = await reader.listed(limit=1)
    answer = await reader.client.get("/v1/publications", params={"after": page["next"], "kind": "event"})
    assert answer.status_code == 422
    assert len((await reader.listed(limit=1, after=page["next"]))["items"]) == 1


async def test_a_malformed_filter_names_its_field(reader: Reader) -> None:
    answer = await reader.client.get("/v1/publications?kind=gossip&from=yesterday&limit=1000")
    assert answer.status_code == 422
    problem = answer.json()
    assert {error["field"] for error in problem["errors"]} == {"kind.0", "from", "limit"}
    assert "'news'" in problem["errors"][0]["message"]


@pytest.fixture
async def unreleased(reader: Reader) -> dict[str, Publication]:
    """One publication of each state, and one taken back before it was ever public."""
    embargoed = publication(released_at=None)
    publications = {
        "scheduled": publication(released_at=None),
        "embargoed": embargoed,
        "released": released(),
        "withdrawn": withdrawn(released()),
        "never": withdrawn(publication(released_at=None)),
    }
    await reader.put(
        fact(publications["scheduled"], Fact.SCHEDULED),
        fact(embargoed, Fact.ADVANCE),
        fact(publications["released"]),
        fact(publications["withdrawn"], Fact.WITHDRAWN),
        fact(publications["never"], Fact.WITHDRAWN),
    )
    return publications


async def test_everyone_finds_only_what_has_been_public(
    reader: Reader, unreleased: dict[str, Publication]
) -> None:
    public = {str(unreleased["released"].id), str(unreleased["withdrawn"].id)}
    assert set(ids(await reader.listed())) == public
    assert set(ids(await reader.listed(state="withdrawn"))) == {str(unreleased["withdrawn"].id)}


@pytest.mark.parametrize("state", ["scheduled", "embargoed"])
@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic b3A6a2V5"}]
)
async def test_what_is_not_public_yet_needs_the_key(
    reader: Reader, unreleased: dict[str, Publication], state: str, headers: dict[str, str]
) -> None:
    answer = await reader.client.get("/v1/publications", params={"state": state}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_the_operator_finds_all(reader: Reader, unreleased: dict[str, Publication]) -> None:
    async def found(**query: str) -> set[str]:
        answer = await reader.client.get("/v1/publications", params=query, headers=OPERATOR)
        return set(ids(answer.json()))

    assert await found() == {str(one.id) for one in unreleased.values()}
    assert await found(state="scheduled") == {str(unreleased["scheduled"].id)}
    assert await found(state="embargoed") == {str(unreleased["embargoed"].id)}
    assert await found(state="withdrawn") == {
        str(unreleased["withdrawn"].id),
        str(unreleased["never"].id),
    }


async def test_another_key_opens_what_is_public_and_no_more(
    reader: Reader, unreleased: dict[str, Publication]
) -> None:
    """A department's client sends its own key everywhere."""
    without = (await reader.client.get("/v1/publications")).json()
    answer = await reader.client.get("/v1/publications", headers={b"Authorization": "Bearer ключ".encode()})
    assert answer.json() == without
    raw = await reader.client.get(
        f"/v1/publications/{publication().id}/events", headers={"Authorization": "Bearer wrong"}
    )
    assert raw.status_code == 401


async def test_with_the_link_everything_is_readable(
    reader: Reader, unreleased: dict[str, Publication]
) -> None:
    for name, state in (("scheduled", "scheduled"), ("embargoed", "embargoed"), ("never", "withdrawn")):
        found = await reader.publication(unreleased[name].id)
        assert found is not None
        assert found["state"] == state


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"kind": ["news"]},
        {"kind": ["news", "event", "announcement"]},
        {"section": "operational"},
        {"department": "transport"},
        {"topic": ["transport"]},
        {"topic": ["transport", "medicine"]},
        {"state": "withdrawn"},
        {"kind": ["news"], "topic": ["tariffs"], "section": "operational"},
        {"from": "2026-11-01", "to": "2026-12-01"},
        {"kind": ["event", "news"], "from": "2026-11-01"},
    ],
    ids=str,
)
@pytest.mark.parametrize("operator", [False, True])
async def test_every_list_is_read_from_an_index_in_its_order(
    store: Store, keep: Keep, query: dict[str, Any], operator: bool
) -> None:
    """No scan of the collection, no sorting in memory, whoever asks."""
    topics = ["transport", "medicine", "tariffs"]
    kinds = ("news", "event", "announcement")
    await keep(
        *(
            fact(released(NOON + timedelta(minutes=n), kinds[n % 3], content={"topics": [topics[n % 3]]}))
            for n in range(60)
        )
    )
    asked = ListQuery.model_validate(query)
    found = conditions(asked, operator=operator)
    plan = await store.publications.database.command(
        {
            "explain": {
                "find": "publications",
                "filter": found,
                "sort": {"listed": -1},
                "limit": 5,
            },
            "verbosity": "executionStats",
        }
    )
    stages = set(_stages(plan["queryPlanner"]["winningPlan"]))
    assert "IXSCAN" in stages
    assert not stages & {"COLLSCAN", "SORT"}


def _stages(plan: Document) -> list[str]:
    """The names of all stages of a plan."""
    below = [plan["inputStage"]] if "inputStage" in plan else plan.get("inputStages", [])
    assert isinstance(below, list)
    return [str(plan["stage"]), *(name for stage in below for name in _stages(stage))]


async def test_a_page_looks_at_few_more_documents_than_it_shows(store: Store, keep: Keep) -> None:
    await keep(*(fact(released(NOON + timedelta(minutes=number))) for number in range(200)))
    plan = await store.publications.database.command(
        {
            "explain": {
                "find": "publications",
                "filter": conditions(ListQuery(kind=[], limit=10), operator=False),
                "sort": {"listed": -1},
                "limit": 11,
            },
            "verbosity": "executionStats",
        }
    )
    assert plan["executionStats"]["totalDocsExamined"] == 11


async def test_departments_are_named_as_they_were_last(store: Store, keep: Keep) -> None:
    renamed = Department(id="transport", name="Департамент транспорту")
    hidden = Department(id="hidden", name="Ще не публічне")
    await keep(
        fact(released(NOON, department=renamed)),
        fact(released(NOON - timedelta(days=1))),
        fact(released(NOON, department=WATERWORKS)),
        fact(publication(released_at=None, department=hidden), Fact.SCHEDULED),
    )
    assert await store.departments() == {"transport": renamed.name, "waterworks": WATERWORKS.name}


async def test_a_correction_keeps_its_place_in_the_list(reader: Reader) -> None:
    """Lists are by the hour something became public; a correction doesn't bring it up again."""
    older, newer = released(NOON - timedelta(hours=1)), released(NOON)
    await reader.put(fact(older), fact(newer), fact(corrected(older, title="Уточнено")))
    page = await reader.listed()
    assert [item["title"] for item in page["items"]] == [newer.content.title, "Уточнено"]
    assert page["items"][1]["revision"] == 2


async def test_the_same_event_twice_changes_nothing(store: Store) -> None:
    event = fact(released())
    received = Received(event, event.encode())
    assert await store.add(received, now()) is True
    before = await store.publications.find_one({"_id": event.subject})
    assert await store.add(received, now()) is False
    assert await store.publications.find_one({"_id": event.subject}) == before
