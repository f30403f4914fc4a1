"""A broadcast's history and the season's count, as pure functions."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.publisher.channels.rundown.agreements import Agreement, count
from services.publisher.channels.rundown.airing import Airing, Slot, answered, listed, taken_out
from services.publisher.channels.rundown.letters import news, slot_before, told_of
from services.publisher.channels.rundown.terms import Terms
from services.publisher.channels.rundown.wording import State, counted, key_of
from shared.publication import Broadcast, Publication
from tests.samples import corrected, publication, submission

START = datetime(2021, 1, 14, 17, 30, tzinfo=UTC)
STATES: tuple[State, ...] = ("planned", "recorded", "aired", "cancelled")


def planned(
    at: datetime = START,
    state: State = "planned",
    station: str = "ТРК «Аверс»",
    series: str = "Відкрита влада. МІСТО",
) -> Publication:
    details = submission("broadcast")["broadcast"] | {
        "airs_at": at.isoformat(),
        "state": state,
        "station": station,
        "series": series,
    }
    return publication("broadcast", content={"broadcast": details})


def revised(of: Publication, at: datetime | None = None, state: State | None = None) -> Publication:
    details = of.content.model_dump(mode="json")["broadcast"]
    details |= {"airs_at": at.isoformat()} if at else {}
    return corrected(of, broadcast=details | ({"state": state} if state else {}))


def apply(before: Airing | None, of: Publication) -> Airing:
    assert isinstance(of.content, Broadcast)
    return listed(before, of, of.content.broadcast)


def agreement(station: str, series: str, number: int, unit: str) -> Agreement:
    return Agreement.model_validate(
        {
            "station": station,
            "series": series,
            "contract": "1/2021",
            "since": "2021-01-01",
            "until": "2021-12-31",
            "number": number,
            "unit": unit,
        }
    )


def test_the_year_2021_counts_as_its_report_does() -> None:
    """21 broadcasts of one series and 22 programmes of another, among moved, cancelled and foreign ones."""
    city = ("ТРК «Аверс»", "Відкрита влада. МІСТО")
    europe = ("12 канал", "Луцьк європейський")
    archive = []
    for week in range(22):
        at = START + timedelta(weeks=2 * week)
        if week < 21:
            one = planned(at, station=city[0], series=city[1])
            two = revised(one, at + timedelta(days=1)) if week % 7 == 0 else one
            last = apply(apply(apply(None, one), two), revised(two, state="aired"))
            archive.append(last)
        archive.append(apply(None, planned(at, "aired", *europe)))
    archive.append(apply(None, planned(START, "cancelled", *city)))
    archive.append(apply(None, planned(datetime(2021, 12, 31, 23, tzinfo=UTC), "aired", *city)))
    archive.append(apply(None, planned(START, "aired", "Радіо «Аверс»", city[1])))

    live, film = agreement(*city, 21, "broadcast"), agreement(*europe, 22, "programme")
    of_live = count(each for each in archive if live.covers(each))
    of_film = count(each for each in archive if film.covers(each))
    assert of_live.aired_text("broadcast") == "21 ефір"
    assert of_film.aired_text("programme") == "22 програми"
    assert of_live.text(21) == "Вийшло 21 із 21, заплановано 0, скасовано 1, перенесено 3"


@pytest.mark.parametrize(
    ("number", "told"),
    [(0, "0 ефірів"), (1, "1 ефір"), (3, "3 ефіри"), (11, "11 ефірів"), (21, "21 ефір"), (112, "112 ефірів")],
)
def test_numbers_have_their_nouns(number: int, told: str) -> None:
    assert counted(number, "broadcast") == told


def test_names_are_the_same_whatever_their_quotation_marks() -> None:
    assert key_of("ТРК  “Аверс”") == key_of("ТРК «Аверс»") != key_of("Радіо «Аверс»")
    assert key_of("а", "б") != key_of("а б")


def test_moved_and_cancelled_are_told_apart() -> None:
    first = planned()
    moved = apply(apply(None, first), revised(first, START + timedelta(days=1)))
    both = apply(apply(None, first), revised(first, START + timedelta(days=1), "cancelled"))
    assert (count([moved]).moved, count([moved]).cancelled, count([moved]).planned) == (1, 0, 1)
    assert (count([both]).moved, count([both]).cancelled) == (0, 1)
    twice = revised(revised(first, START + timedelta(days=1)), START + timedelta(days=2))
    assert count([apply(moved, twice)]).moved == 1


def test_aired_stays_counted_though_it_was_withdrawn() -> None:
    known: tuple[tuple[State, int], ...] = (("aired", 1), ("planned", 0))
    for state, aired in known:
        airing = apply(None, planned(state=state))
        gone = taken_out(airing, rank=airing.rank + 1, revision=1, at=START)
        assert (count([gone]).aired, count([gone]).planned) == (aired, 0)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(STATES)), max_size=6))
def test_a_revision_applied_twice_leaves_what_once_leaves(steps: list[tuple[int, State]]) -> None:
    of = planned()
    airing = apply(None, of)
    for days, state in steps:
        of = revised(of, START + timedelta(days=days), state)
        airing = apply(airing, of)
        assert apply(airing, of) == airing
    counted_once = count([airing])
    assert counted_once.aired + counted_once.planned + counted_once.cancelled == 1


def test_a_text_correction_keeps_the_stations_answer_and_a_new_hour_ends_it() -> None:
    first = planned()
    said = answered(apply(None, first), Slot(airs_at=START, state="aired"), at=START, remark=None)
    kept = apply(said, corrected(first, title="Інша тема"))
    assert (kept.state, kept.disagree, kept.sequence) == ("aired", True, 3)
    ended = apply(said, revised(first, START + timedelta(days=7)))
    assert (ended.state, ended.disagree, ended.answer) == ("planned", False, None)


def test_the_weekly_hour_is_kyivs_on_both_sides_of_the_clock_change() -> None:
    terms = Terms.model_validate({"link_secret": "x" * 16, "mail_day": 4, "mail_hour": 10})
    kyiv = ZoneInfo("Europe/Kyiv")
    for now, slot in (
        (datetime(2026, 10, 22, 6, 59, tzinfo=UTC), datetime(2026, 10, 15, 10, tzinfo=kyiv)),
        (datetime(2026, 10, 22, 7, 0, tzinfo=UTC), datetime(2026, 10, 22, 10, tzinfo=kyiv)),
        (datetime(2026, 10, 29, 7, 59, tzinfo=UTC), datetime(2026, 10, 22, 10, tzinfo=kyiv)),
        (datetime(2026, 10, 29, 8, 0, tzinfo=UTC), datetime(2026, 10, 29, 10, tzinfo=kyiv)),
    ):
        assert slot_before(now, terms) == slot


def test_what_was_on_by_now_is_no_news() -> None:
    airing = apply(None, planned())
    gone = taken_out(airing, rank=airing.rank + 1, revision=1, at=START)
    later, until = START + timedelta(hours=1), START + timedelta(days=9)
    assert news([told_of(airing)], [gone], later, until) == []
    (before,) = news([told_of(airing)], [gone], START - timedelta(hours=1), until)
    assert (before.kind, before.title) == ("removed", None)
