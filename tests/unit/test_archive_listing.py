"""What lists may be asked for: filters, days in Kyiv, cursors."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.archive.listing import BadCursor, ListQuery, conditions, cursor_after, read_cursor
from services.archive.precedence import milliseconds, place_in_list
from tests.samples import publication


def query(**given: Any) -> ListQuery:
    return ListQuery.model_validate(given)


def ms(*at: int) -> str:
    return f"{milliseconds(datetime(*at, tzinfo=UTC)):015d}:"  # type: ignore[misc, arg-type]  # year, month, day, …


def test_everyone_sees_what_is_public_only() -> None:
    assert conditions(query(), operator=False) == {"public": True}


def test_the_operator_sees_all() -> None:
    assert conditions(query(), operator=True) == {"public": {"$in": [True, False]}}


def test_filters_combine_and_repeated_ones_mean_or() -> None:
    asked = query(
        kind=["news", "event", "news"],
        section="operational",
        department="transport",
        topic=["tariffs", "transport"],
        state="withdrawn",
    )
    assert conditions(asked, operator=False) == {
        "public": True,
        "kind": {"$in": ["event", "news"]},
        "section": "operational",
        "department": "transport",
        "topics": {"$in": ["tariffs", "transport"]},
        "state": "withdrawn",
    }


def test_empty_values_are_none_as_forms_send_them() -> None:
    empty = {
        "kind": [""],
        "section": "",
        "department": "",
        "topic": ["", ""],
        "state": "",
        "from": "",
        "to": "",
        "limit": "",
        "after": "",
    }
    assert query(**empty) == query()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"kind": ["gossip"]}, "kind"),
        ({"section": "front"}, "section"),
        ({"topic": ["sport"]}, "topic"),
        ({"state": "lost"}, "state"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-02-30"}, "from"),
        ({"to": "2026-11-19T25:00"}, "to"),
        ({"to": "9999-12-31"}, "to"),
        ({"from": "0001-01-01"}, "from"),
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"department": "x" * 64}, "department"),
    ],
)
def test_what_cannot_be_asked_for(given: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        query(**given)
    assert refused.value.errors()[0]["loc"][0] == field


@pytest.mark.parametrize("limit", [1, 100])
def test_limits_that_are_taken(limit: int) -> None:
    assert query(limit=limit).limit == limit


def test_a_day_is_a_day_in_kyiv_from_its_first_to_its_last_moment() -> None:
    """In November Kyiv is two hours ahead of UTC, in July three."""
    winter = conditions(query(**{"from": "2026-11-19", "to": "2026-11-19"}), operator=False)
    assert winter["listed"] == {"$gte": ms(2026, 11, 18, 22), "$lt": ms(2026, 11, 19, 22)}
    summer = conditions(query(**{"from": "2026-07-01", "to": "2026-07-02"}), operator=False)
    assert summer["listed"] == {"$gte": ms(2026, 6, 30, 21), "$lt": ms(2026, 7, 2, 21)}


def test_the_days_when_clocks_change_have_23_and_25_hours() -> None:
    spring = conditions(query(**{"from": "2026-03-29", "to": "2026-03-29"}), operator=False)
    assert spring["listed"] == {"$gte": ms(2026, 3, 28, 22), "$lt": ms(2026, 3, 29, 21)}
    autumn = conditions(query(**{"from": "2026-10-25", "to": "2026-10-25"}), operator=False)
    assert autumn["listed"] == {"$gte": ms(2026, 10, 24, 21), "$lt": ms(2026, 10, 25, 22)}


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-19T10:00:00+02:00",
        "2026-11-19T10:00:00 02:00",
        "2026-11-19T10:00:00",
        "2026-11-19T10:00",
        "2026-11-19T08:00:00Z",
    ],
)
def test_a_time_may_have_an_offset_or_be_one_in_kyiv(text: str) -> None:
    """The plus of an offset that was not escaped arrives as a space."""
    assert query(**{"from": text}).since == datetime(2026, 11, 19, 8, tzinfo=UTC)


PLACE = place_in_list(publication())


def test_a_cursor_continues_below_its_place() -> None:
    cursor = cursor_after(PLACE, query(kind=["news"]))
    asked = query(kind=["news"], after=cursor, limit=50)
    assert conditions(asked, operator=False)["listed"] == {"$lt": PLACE}


def test_a_cursor_within_dates_keeps_to_them() -> None:
    dates = {"from": "2026-11-01", "to": "2020-01-01"}
    asked = query(**dates, after=cursor_after(PLACE, query(**dates)))
    listed = conditions(asked, operator=False)["listed"]
    assert listed == {"$gte": ms(2026, 10, 31, 22), "$lt": ms(2020, 1, 1, 22)}


def test_a_cursor_of_another_list_is_refused() -> None:
    cursor = cursor_after(PLACE, query(kind=["news"]))
    with pytest.raises(BadCursor):
        read_cursor(cursor, query(kind=["event"]))


@given(st.integers(0, 200), st.characters())
def test_a_cursor_with_any_one_character_changed_is_refused(index: int, char: str) -> None:
    cursor = cursor_after(PLACE, query())
    index %= len(cursor)
    changed = cursor[:index] + char + cursor[index + 1 :]
    if changed == cursor:
        assert read_cursor(changed, query()) == PLACE
    else:
        with pytest.raises(BadCursor):
            read_cursor(changed, query())


@given(st.text(max_size=200))
def test_no_text_crashes_the_reading_of_a_cursor(text: str) -> None:
    with pytest.raises(BadCursor):
        read_cursor(text, query())


@given(st.text(max_size=40))
def test_no_text_crashes_the_reading_of_dates(text: str) -> None:
    try:
        asked = query(**{"from": text, "to": text})
    except ValidationError:
        return
    conditions(asked, operator=False)
