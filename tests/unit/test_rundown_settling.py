"""What the receipt is told where a station's answer leaves the outcome open, and where it ends it."""

import pytest

from services.publisher.channels.interface import Posted, Settlement
from services.publisher.decisions import settled_outcome
from shared.events import Outcome


@pytest.mark.parametrize(
    ("settlement", "told"),
    [
        (Settlement(posted=Posted(note="Вийшло в ефір.")), (Outcome.PUBLISHED, None)),
        (Settlement(posted=Posted(awaiting="Чекаємо.")), (Outcome.UNCONFIRMED, "Чекаємо.")),
        (Settlement(posted=None, reason="Не надруковано."), (Outcome.SKIPPED, "Не надруковано.")),
    ],
)
def test_a_settlement_says_whether_something_is_still_awaited(
    settlement: Settlement, told: tuple[Outcome, str | None]
) -> None:
    assert settled_outcome(settlement) == told
