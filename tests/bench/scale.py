"""How much of everything a run does."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """`part` of the usual number in each of `rounds`; a latency is watched for `seconds` a round."""

    rounds: int
    part: float
    seconds: float

    def of(self, count: int) -> int:
        return max(round(count * self.part), 1)


FULL = Scale(rounds=5, part=1, seconds=3)
QUICK = Scale(rounds=3, part=0.4, seconds=2.5)
