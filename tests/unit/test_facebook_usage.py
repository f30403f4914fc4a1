"""How Facebook's usage headers slow the channel down."""

import json

from hypothesis import given
from hypothesis import strategies as st

from services.publisher.channels.facebook.usage import CALM, FULL, LONGEST, OVER, Usage, pause_after, usage_of

percents = st.floats(min_value=0, max_value=1000)
regains = st.floats(min_value=0, max_value=2 * LONGEST)


@given(percents, percents, regains)
def test_more_usage_never_means_less_waiting(one: float, other: float, regain: float) -> None:
    less, more = sorted((one, other))
    assert pause_after(Usage(less, regain)) <= pause_after(Usage(more, regain))


@given(percents, regains)
def test_it_waits_as_long_as_facebook_asks_for_and_never_longer_than_a_day(
    percent: float, regain: float
) -> None:
    assert min(regain, LONGEST) <= pause_after(Usage(percent, regain)) <= LONGEST


@given(st.floats(min_value=0, max_value=CALM))
def test_nothing_is_slowed_down_as_long_as_it_is_calm(percent: float) -> None:
    assert pause_after(Usage(percent)) == 0


@given(st.floats(min_value=FULL, max_value=1000))
def test_at_the_limit_it_waits_without_being_told_how_long(percent: float) -> None:
    assert pause_after(Usage(percent)) == OVER


def test_the_highest_share_of_all_headers_counts() -> None:
    usage = {"type": "pages", "call_count": 12, "total_time": 80, "estimated_time_to_regain_access": 2}
    ads = {"type": "ads_management", "call_count": 100, "estimated_time_to_regain_access": 60}
    headers = {
        "X-App-Usage": '{"call_count": 30, "total_time": 1, "total_cputime": 70.5}',
        "X-Page-Usage": '{"call_count": 40}',
        "X-Business-Use-Case-Usage": json.dumps({"1": [usage], "2": [ads]}),
    }
    assert usage_of(headers) == Usage(percent=80, regain=120)


@given(st.dictionaries(st.sampled_from(["X-App-Usage", "X-Business-Use-Case-Usage"]), st.text()))
def test_nonsense_is_no_usage(headers: dict[str, str]) -> None:
    usage = usage_of(headers)
    assert 0 <= pause_after(usage) <= LONGEST


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["type", "call_count", "x"]), inner),
)


@given(json_values, json_values)
def test_whatever_json_stands_there_it_waits_no_longer_than_a_day(app: object, business: object) -> None:
    headers = {"X-App-Usage": json.dumps(app), "X-Business-Use-Case-Usage": json.dumps(business)}
    assert 0 <= pause_after(usage_of(headers)) <= LONGEST
