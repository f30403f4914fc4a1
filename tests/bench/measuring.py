"""Rounds of several contenders, one after the other, and the ratios that come of them.

What a machine does beside us moves absolute figures by a factor of two. Contenders of one round run
within seconds of each other, so it is the ratio within a round that is kept, and its median shown.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from pydantic import BaseModel

from tests.bench.processor import spent

ROUND_SECONDS = 60.0
"""A round that takes longer is given up, and its benchmark with it."""

COST = "processor time each"
Figures = dict[str, float]
"""What one round gave, by the figure's name: a rate has one, a latency several."""


class Failed(Exception):
    """What was to be measured did not work; one line for a person."""


class Skipped(Exception):
    """Something is missing here to measure it with; one line for a person."""


@dataclass(frozen=True)
class Contender:
    """One way to do the work."""

    name: str
    run: Callable[[], Awaitable[Figures]]
    """Does the work once, and measures it."""
    items: int = 0
    """Pieces of work in a round, where their cost in processor time is to be shown."""


@dataclass(frozen=True)
class Beside:
    """What is set beside us, and the ratio of our figure to its that we aim at."""

    contender: Contender
    role: Literal["floor", "peer"]
    aim: float | None = None


class Comparison(BaseModel):
    """Our figure beside another's. `ratio` is ours to theirs: the median over the rounds."""

    benchmark: str
    figure: str
    unit: str
    ours: str
    beside: str
    role: Literal["floor", "peer"]
    our_median: float
    their_median: float
    ratio: float
    lowest: float
    highest: float
    aim: float | None
    our_rounds: list[float]
    their_rounds: list[float]

    @property
    def short(self) -> bool:
        """Whether an aim is missed."""
        return self.aim is not None and self.ratio < self.aim


@dataclass
class Benchmark:
    """Our way of doing something beside others."""

    name: str
    unit: str
    ours: Contender
    beside: Sequence[Beside]
    notes: list[str] = field(default_factory=list)

    async def measure(self, rounds: int, say: Callable[[str], None]) -> list[Comparison]:
        """Run everyone once to warm up, then in turn, each round beginning with another one."""
        contenders = [self.ours, *(beside.contender for beside in self.beside)]
        figures: dict[str, list[Figures]] = {contender.name: [] for contender in contenders}
        for number in range(rounds + 1):
            first = number % len(contenders)
            for contender in contenders[first:] + contenders[:first]:
                say(f"{self.name}: {contender.name}, round {number} of {rounds}, round 0 to warm up")
                before = spent()
                measured = await _one(contender)
                if contender.items:
                    measured[COST] = 1000 * (spent() - before) / contender.items
                if number:
                    figures[contender.name].append(measured)
        return [
            self._compared(name, beside, figures)
            for name in figures[self.ours.name][0]
            for beside in self.beside
            if name in figures[beside.contender.name][0]
        ]

    def _compared(self, name: str, beside: Beside, figures: dict[str, list[Figures]]) -> Comparison:
        ours = [measured[name] for measured in figures[self.ours.name]]
        theirs = [measured[name] for measured in figures[beside.contender.name]]
        ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
        return Comparison(
            benchmark=self.name,
            figure=name,
            unit="ms" if name == COST else self.unit,
            ours=self.ours.name,
            beside=beside.contender.name,
            role=beside.role,
            our_median=median(ours),
            their_median=median(theirs),
            ratio=median(ratios),
            lowest=min(ratios),
            highest=max(ratios),
            aim=None if name == COST else beside.aim,
            our_rounds=ours,
            their_rounds=theirs,
        )


async def _one(contender: Contender) -> Figures:
    try:
        async with asyncio.timeout(ROUND_SECONDS):
            return await contender.run()
    except TimeoutError as error:
        raise Failed(f"{contender.name} did not finish a round in {ROUND_SECONDS:g} s") from error
