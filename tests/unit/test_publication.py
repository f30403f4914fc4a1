"""What a publication may be: the boundaries of its fields, and the order of its facts."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.bus.topology import wait_name
from shared.events import new_id, now
from shared.publication import Content, Fact, rank_of
from shared.vocabulary import (
    BODY_NAMES,
    KIND_NAMES,
    SECTION_OF_KIND,
    TOPIC_NAMES,
    URGENCY_NAMES,
    Body,
    Kind,
    Topic,
    Urgency,
)
from tests.samples import submission

CONTENT: TypeAdapter[Any] = TypeAdapter(Content)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_is_taken_with_the_fields_it_needs(kind: Kind) -> None:
    assert CONTENT.validate_python(submission(kind)).kind is kind


@pytest.mark.parametrize(
    ("kind", "needed"), [("event", "event"), ("regulatory_act", "act"), ("broadcast", "broadcast")]
)
def test_a_kind_without_its_own_fields_is_refused(kind: str, needed: str) -> None:
    body = submission(kind)
    del body[needed]
    with pytest.raises(ValidationError) as refused:
        CONTENT.validate_python(body)
    assert refused.value.errors()[0]["loc"] == (kind, needed)


@pytest.mark.parametrize(
    "fields",
    [
        {"title": ""},
        {"title": " \n "},
        {"title": "в\nдва рядки"},
        {"title": "я" * 251},
        {"body": "\x00"},
        {"body": "я" * 200_001},
        {"topics": []},
        {"topics": ["weather"]},
        {"topics": ["transport", "transport"]},
        {"covers": ["parliament"]},
        {"contact": {"name": "Х", "email": "not an address"}},
        {"release_at": "2026-11-22T10:00:00"},
        {"release_at": "1767225600"},
        {"release_at": 1767225600},
        {"embargo_until": "-5"},
        {"channels": ["../etc"]},
        {"unknown": 1},
    ],
)
def test_what_does_not_fit_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CONTENT.validate_python(submission(**fields))


@pytest.mark.parametrize("fields", [{"title": "я"}, {"title": "я" * 250}, {"body": "я" * 200_000}])
def test_the_limits_themselves_are_taken(fields: dict[str, Any]) -> None:
    CONTENT.validate_python(submission(**fields))


def test_an_embargo_and_a_scheduled_hour_exclude_each_other() -> None:
    hour = (now() + timedelta(hours=1)).isoformat()
    with pytest.raises(ValidationError, match="not both"):
        CONTENT.validate_python(submission(release_at=hour, embargo_until=hour))


@pytest.mark.parametrize(
    ("draft", "number", "adopted_on", "fits"),
    [
        (False, "1", "2026-11-01", True),
        (False, None, "2026-11-01", False),
        (False, "1", None, False),
        (True, None, None, True),
        (True, None, "2026-11-01", False),
    ],
)
def test_an_adopted_act_has_number_and_date_and_a_draft_has_no_date(
    draft: bool, number: str | None, adopted_on: str | None, fits: bool
) -> None:
    body = submission("regulatory_act")
    body["act"] |= {"draft": draft, "number": number, "adopted_on": adopted_on}
    if fits:
        CONTENT.validate_python(body)
    else:
        with pytest.raises(ValidationError):
            CONTENT.validate_python(body)


def test_ranks_order_revisions_first_and_a_withdrawal_last() -> None:
    facts = [(revision, fact) for revision in (1, 2, 3) for fact in Fact]
    ranks = [rank_of(revision, fact) for revision, fact in facts]
    assert ranks == sorted(set(ranks))
    assert rank_of(1, Fact.WITHDRAWN) > rank_of(1, Fact.RELEASED) > rank_of(1, Fact.SCHEDULED)
    assert rank_of(2, Fact.SCHEDULED) > rank_of(1, Fact.WITHDRAWN)


def test_every_word_has_a_ukrainian_name_and_every_kind_a_section() -> None:
    assert set(KIND_NAMES) == set(SECTION_OF_KIND) == set(Kind)
    assert set(TOPIC_NAMES) == set(Topic)
    assert set(BODY_NAMES) == set(Body)
    assert set(URGENCY_NAMES) == set(Urgency)


def test_ids_sort_by_the_time_of_their_making() -> None:
    ids = [new_id() for _ in range(1000)]
    assert ids == sorted(set(ids))
    assert {made.version for made in ids} == {7}


@pytest.mark.parametrize(
    ("delay", "name"),
    [
        (0.1, "wait.100ms"),
        (5, "wait.5s"),
        (30, "wait.30s"),
        (120, "wait.2m"),
        (3600, "wait.1h"),
        (90, "wait.90s"),
    ],
)
def test_wait_queues_are_named_after_their_delay(delay: float, name: str) -> None:
    assert wait_name(delay) == name


@pytest.mark.parametrize("hour", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_an_hour_that_utc_cannot_hold_is_refused_not_a_crash(hour: str) -> None:
    with pytest.raises(ValidationError, match="years 1 to 9999"):
        CONTENT.validate_python(submission(release_at=hour))


@pytest.mark.parametrize("email", ["press", "press@", "@rada.example", "a b@rada.example", ""])
def test_a_contact_needs_an_address_that_can_be_written_to(email: str) -> None:
    with pytest.raises(ValidationError):
        CONTENT.validate_python(submission(contact={"name": "Олена Ткачук", "email": email}))
