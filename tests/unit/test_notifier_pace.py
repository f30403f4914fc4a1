"""The limit of mails per second."""

import pytest

from services.notifier.pace import Pace


def test_turns_are_spread_evenly() -> None:
    pace = Pace(4)
    assert [pace.take_turn(100.0) for _ in range(4)] == [0.0, 0.25, 0.5, 0.75]
    assert pace.take_turn(100.5) == 0.5


def test_an_idle_time_saves_up_no_burst() -> None:
    pace = Pace(2)
    assert pace.take_turn(0.0) == 0.0
    assert [pace.take_turn(1000.0) for _ in range(3)] == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("per_second", [0, -1])
async def test_no_limit_lets_everyone_through_at_once(per_second: float) -> None:
    pace = Pace(per_second)
    for _ in range(10_000):
        await pace.wait()
    assert pace.take_turn(5.0) == 0.0
