"""What a run found: for a terminal, for the documentation, for programs."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from pydantic import BaseModel
from rich.table import Table

from tests.bench.measuring import Comparison

HEADINGS = ("benchmark", "ours", "", "beside", "", "ratio", "of all rounds", "aim")


class Report(BaseModel):
    """A run, and what it ran on."""

    at: datetime
    cores: int
    python: str
    load_before: float
    """The load average of the last minute as the run began: above 0.5 others were at work too."""
    rounds: int
    comparisons: list[Comparison] = []
    not_measured: dict[str, str] = {}

    @property
    def title(self) -> str:
        """On what it was measured."""
        return f"{self.cores} cores, load {self.load_before:.1f} before, median of {self.rounds} rounds"


def for_terminal(report: Report) -> Table:
    """The comparisons, one a line."""
    shown = Table(title=report.title, title_justify="left")
    for heading in HEADINGS:
        left = heading in ("benchmark", "ours", "beside")
        shown.add_column(heading, justify="left" if left else "right")
    for cells in _rows(report.comparisons):
        shown.add_row(*cells)
    return shown


def for_documentation(report: Report) -> str:
    """The same in Markdown."""
    rows = [
        HEADINGS,
        ("---", "---", "---:", "---", "---:", "---:", "---:", "---"),
        *_rows(report.comparisons),
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _rows(comparisons: Sequence[Comparison]) -> Iterator[Sequence[str]]:
    before = ""
    for one in comparisons:
        heading = f"{one.benchmark}: {one.figure}"
        yield (
            heading if heading != before else "",
            one.ours if heading != before else "",
            _amount(one.our_median, one.unit),
            one.beside,
            _amount(one.their_median, one.unit),
            f"{one.ratio:.2f}",
            f"{one.lowest:.2f} to {one.highest:.2f}",
            "" if one.aim is None else f"{one.aim:g}, {'short' if one.short else 'met'}",
        )
        before = heading


def _amount(value: float, unit: str) -> str:
    if unit == "ms":
        return f"{value:.2f} ms" if value < 10 else f"{value:.1f} ms"
    return f"{value:,.0f} {unit}"
