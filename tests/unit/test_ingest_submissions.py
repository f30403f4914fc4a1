"""Decisions about submissions: targets, hours, what is refused."""

from datetime import timedelta
from typing import Any

import pytest

from services.ingest.reading import CONTENT
from services.ingest.submissions import Refused, State, Step, accept, release, revise, withdraw
from services.ingest.targets import targets_of, unknown_channels
from shared.events import decode, new_id, now
from shared.publication import Change, Fact, Significance
from shared.vocabulary import Kind
from tests.samples import TRANSPORT, submission

NOW = now()
HOUR = timedelta(hours=1)
ALL = ("site", "telegram", "facebook", "youtube", "newspaper", "television", "radio")
CHANGE = Change(significance=Significance.MAJOR, note="Змінено день.")


def content(kind: str = "news", **fields: Any) -> Any:
    """Content as it was read from a request."""
    return CONTENT.validate_python(submission(kind, **fields))


def accepted(kind: str = "news", **fields: Any) -> Step:
    """A submission taken now."""
    return accept(new_id(), content(kind, **fields), TRANSPORT, channels=ALL, at=NOW)


def revised(before: Step, at: timedelta = timedelta(0), /, **fields: Any) -> Step:
    """Its next revision."""
    return revise(before.submission, content(**fields), CHANGE, channels=ALL, at=NOW + at)


@pytest.mark.parametrize(
    ("fields", "fact", "state", "due"),
    [
        ({}, Fact.RELEASED, State.RELEASED, None),
        ({"release_at": NOW - HOUR}, Fact.RELEASED, State.RELEASED, None),
        ({"release_at": NOW}, Fact.RELEASED, State.RELEASED, None),
        ({"embargo_until": NOW}, Fact.RELEASED, State.RELEASED, None),
        ({"release_at": NOW + HOUR}, Fact.SCHEDULED, State.SCHEDULED, NOW + HOUR),
        ({"embargo_until": NOW + HOUR}, Fact.ADVANCE, State.EMBARGOED, NOW + HOUR),
    ],
)
def test_the_hour_decides_what_is_told_at_once(
    fields: dict[str, Any], fact: Fact, state: State, due: object
) -> None:
    step = accepted(**fields)
    assert step.event.fact is fact
    assert step.submission.state is state
    assert step.submission.due_at == due
    assert step.event.data.was_released == (state is State.RELEASED)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_goes_to_the_site_and_the_media(kind: Kind) -> None:
    assert {"site", "mail"} <= set(targets_of(content(kind), ALL, advance=False))
    assert targets_of(content(kind), ("site",), advance=False) == ("site", "mail")


def test_a_channel_that_nobody_foresaw_is_one_more_feed() -> None:
    on = (*ALL, "pigeons")
    assert "pigeons" in targets_of(content("news"), on, advance=False)
    assert "pigeons" not in targets_of(content("regulatory_act"), on, advance=False)


@pytest.mark.parametrize(
    ("wanted", "targets"),
    [
        (None, ("site", "telegram", "facebook", "mail")),
        (["telegram", "site"], ("telegram", "site", "mail")),
        ([], ("mail",)),
    ],
)
def test_channels_are_those_wanted_or_the_default_of_the_kind(
    wanted: list[str] | None, targets: tuple[str, ...]
) -> None:
    assert targets_of(content(channels=wanted), ALL, advance=False) == targets
    assert targets_of(content(channels=wanted), ALL, advance=True) == ("advance", *targets)


def test_a_channel_that_is_off_is_unknown() -> None:
    assert unknown_channels(content(channels=["site", "telegram", "pigeon"]), ("site",)) == [
        "telegram",
        "pigeon",
    ]
    assert unknown_channels(content(), ("site",)) == []


def test_an_advance_that_was_sent_is_waited_for_ever_after() -> None:
    """The embargo may be lifted by a revision; the media that had it still belong to the receipt."""
    lifted = revised(accepted(embargo_until=NOW + HOUR), embargo_until=NOW)
    assert lifted.event.fact is Fact.RELEASED
    assert lifted.submission.publication.targets[0] == "advance"
    assert revised(lifted).submission.publication.targets[0] == "advance"
    assert accepted().submission.publication.targets[0] != "advance"


def test_a_release_keeps_the_revision_and_is_no_correction() -> None:
    scheduled = revised(accepted(release_at=NOW + HOUR), release_at=NOW + HOUR)
    released = release(scheduled.submission, at=NOW + HOUR)
    assert released.event.rank > scheduled.event.rank
    assert released.event.data.revision == 2
    assert released.event.data.corrections == ()
    assert released.event.data.released_at == released.event.data.accepted_at == NOW + HOUR
    assert released.submission.due_at is None


def test_corrections_are_counted_from_the_first_release_on() -> None:
    released = release(accepted(release_at=NOW + HOUR).submission, at=NOW + HOUR)
    twice = revised(revised(released, HOUR), 2 * HOUR)
    publication = twice.event.data
    assert [(each.revision, each.at) for each in publication.corrections] == [
        (2, NOW + HOUR),
        (3, NOW + 2 * HOUR),
    ]
    assert publication.released_at == NOW + HOUR
    assert publication.submitted_at == NOW


@pytest.mark.parametrize(("field", "fact"), [("release_at", Fact.SCHEDULED), ("embargo_until", Fact.ADVANCE)])
def test_an_hour_to_come_stays_where_a_revision_leaves_it_out(field: str, fact: Fact) -> None:
    hour: dict[str, Any] = {field: NOW + HOUR}
    step = revised(accepted(**hour))
    assert step.event.fact is fact
    assert step.submission.due_at == getattr(step.event.data.content, field) == NOW + HOUR


@pytest.mark.parametrize("field", ["release_at", "embargo_until"])
def test_the_hour_of_what_is_public_may_stand_as_it_was_or_be_left_out(field: str) -> None:
    hour: dict[str, Any] = {field: NOW + HOUR}
    released = release(accepted(**hour).submission, at=NOW + HOUR)
    assert revised(released, **hour).event.fact is Fact.RELEASED
    assert revised(released).event.fact is Fact.RELEASED
    with pytest.raises(Refused) as refused:
        revised(released, **{str(field): NOW + 2 * HOUR})
    assert refused.value.field == field


@pytest.mark.parametrize("before", [accepted(), accepted(release_at=NOW + HOUR)])
def test_nothing_follows_a_withdrawal(before: Step) -> None:
    withdrawn = withdraw(before.submission, "Помилка.", at=NOW)
    assert withdrawn.submission.due_at is None
    assert withdrawn.event.rank > before.event.rank
    assert withdrawn.event.data.was_released == (before.submission.state is State.RELEASED)
    with pytest.raises(Refused):
        revised(withdrawn)
    with pytest.raises(Refused):
        withdraw(withdrawn.submission, "Ще раз.", at=NOW)


def test_the_kind_never_changes() -> None:
    with pytest.raises(Refused) as refused:
        revise(accepted().submission, content("announcement"), CHANGE, channels=ALL, at=NOW)
    assert refused.value.field == "kind"


@pytest.mark.parametrize("kind", list(Kind))
def test_an_event_is_read_again_as_it_was_written(kind: Kind) -> None:
    step = revised(accepted("news"))
    assert decode(step.event.encode()) == step.event
    other = accepted(kind)
    assert decode(other.event.encode()) == other.event
