"""What the receipt hears of a fan-out."""

import pytest

from services.notifier.records import FanOut, MailState, Target
from services.notifier.reports import Counts, outcome_of, report, subject_of
from shared.events import Outcome
from shared.publication import Fact
from tests.samples import publication

OF = publication()
SENT, REFUSED, QUEUED, PARKED = MailState.SENT, MailState.REFUSED, MailState.QUEUED, MailState.PARKED


def fanout(**fields: object) -> FanOut:
    given: dict[str, object] = {
        "id": "f",
        "target": Target.MAIL,
        "publication": OF.id,
        "revision": 1,
        "kind": OF.kind,
        "accepted_at": OF.accepted_at,
    }
    return FanOut.model_validate(given | fields)


@pytest.mark.parametrize(
    ("fields", "states", "outcome"),
    [
        ({}, {SENT: 3}, Outcome.PUBLISHED),
        ({"follows": True}, {SENT: 3}, Outcome.UPDATED),
        ({"fact": Fact.WITHDRAWN}, {SENT: 3}, Outcome.REMOVED),
        ({}, {SENT: 2, REFUSED: 1}, Outcome.PUBLISHED),
        ({}, {REFUSED: 3}, Outcome.FAILED),
        ({}, {SENT: 2, PARKED: 1}, Outcome.FAILED),
        ({"reason": "Ніхто."}, {}, Outcome.SKIPPED),
        ({}, {MailState.SUPERSEDED: 2}, Outcome.SKIPPED),
        ({}, {MailState.CANCELLED: 2}, Outcome.SKIPPED),
        ({}, {MailState.SUPERSEDED: 2, SENT: 1}, Outcome.PUBLISHED),
    ],
)
def test_the_outcome_follows_from_the_counts(
    fields: dict[str, object], states: dict[MailState, int], outcome: Outcome
) -> None:
    found, reason = outcome_of(fanout(**fields), Counts(states))
    assert found is outcome
    if outcome in (Outcome.FAILED, Outcome.SKIPPED):
        assert reason


def test_refusals_are_told_by_number_and_code() -> None:
    _, reason = outcome_of(fanout(), Counts({SENT: 5, REFUSED: 2}, refusal=550))
    assert reason == "Поштовий сервер остаточно відмовив адресатам: 2 з 7 (перша відповідь сервера: 550)."


def test_recipients_are_those_the_server_answered_for() -> None:
    counts = Counts({SENT: 5, REFUSED: 2, QUEUED: 1, MailState.SUPERSEDED: 1})
    told = report(Target.MAIL, subject_of(fanout()), counts, outcome=Outcome.RETRYING, reason="х")
    assert (told.data.recipients, told.data.failed) == (7, 2)
    told = report(Target.MAIL, subject_of(fanout()), counts, outcome=Outcome.FAILED, reason="х")
    assert (told.data.recipients, told.data.failed) == (8, 3)


def test_a_digest_is_about_no_single_publication() -> None:
    with pytest.raises(ValueError, match="not about one"):
        subject_of(FanOut(id="digest/a/2026-11-23", target=Target.DIGEST))
