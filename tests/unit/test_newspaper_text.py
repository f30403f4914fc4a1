"""When copy is due, and what of CommonMark reaches the galley."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.publisher.channels.newspaper.blocks import blocks_of, count
from services.publisher.channels.newspaper.deadlines import KYIV, next_deadline


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(1, 7),
    st.integers(0, 23),
)
def test_the_next_deadline_is_at_most_a_week_and_an_hour_away(
    after: datetime, weekday: int, hour: int
) -> None:
    found = next_deadline(after, weekday=weekday, hour=hour)
    assert after < found.astimezone(UTC) <= after + timedelta(days=7, hours=1)
    assert found.astimezone(KYIV).isoweekday() == weekday


def test_lists_headings_and_links_are_told_apart() -> None:
    found = blocks_of("# А\n\n3. раз\n4. два\n\n- [сайт](https://rada.example)\n")
    assert [(block.style, block.text, block.starts) for block in found] == [
        ("heading", "А", None),
        ("number", "раз", 3),
        ("number", "два", None),
        ("bullet", "сайт (https://rada.example)", None),
    ]


def test_characters_are_counted_with_and_without_spaces() -> None:
    counted = count("Міст", blocks_of("Два слова\n\nі ще"))
    assert (counted.with_spaces, counted.without_spaces) == (17, 15)
