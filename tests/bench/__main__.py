"""`python -m tests.bench`: measure, print one table, leave the figures in `.local/bench.json`."""

import asyncio
import os
import platform
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Annotated

import typer
import uvloop
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from tests.bench import accepting, latency, mailing, pipeline, recording
from tests.bench.measuring import Benchmark, Comparison, Failed, Skipped
from tests.bench.scale import FULL, QUICK, Scale
from tests.bench.stage import LOCAL, LOGS, Stage
from tests.city import ROOT

REPORT = LOCAL / "bench.json"
WIDTH = 150
"""Columns of the table where no terminal says how many there are."""
BENCHMARKS: dict[str, Callable[[Stage, Scale], AbstractAsyncContextManager[Benchmark]]] = {
    accepting.NAME: accepting.prepared,
    pipeline.NAME: pipeline.prepared,
    recording.NAME: recording.prepared,
    mailing.NAME: mailing.prepared,
    latency.NAME: latency.prepared,
}
console = Console(width=None if sys.stdout.isatty() else WIDTH)


class Report(BaseModel):
    """What a run found, and on what."""

    at: datetime
    cores: int
    python: str
    load_before: float
    rounds: int
    comparisons: list[Comparison] = []
    not_measured: dict[str, str] = {}


async def measure(names: list[str], scale: Scale) -> tuple[Report, bool]:
    """Run these benchmarks one after the other; whether all that could run did."""
    report = Report(
        at=datetime.now(UTC),
        cores=os.cpu_count() or 1,
        python=platform.python_version(),
        load_before=os.getloadavg()[0],
        rounds=scale.rounds,
    )
    well = True
    stage = Stage()
    with console.status("starting the servers") as status:
        try:
            await asyncio.to_thread(stage.open)
            for name in names:
                status.update(f"{name}: starting")
                try:
                    async with BENCHMARKS[name](stage, scale) as benchmark:
                        report.comparisons += await benchmark.measure(scale.rounds, status.update)
                except Skipped as reason:
                    report.not_measured[name] = str(reason)
                except Failed as reason:
                    report.not_measured[name] = str(reason)
                    well = False
        finally:
            status.update("ending all that was started")
            await stage.close()
    return report, well


def table(report: Report) -> Table:
    """The comparisons, one a line."""
    shown = Table(title=f"{report.cores} cores, median of {report.rounds} rounds", title_justify="left")
    for heading in ("benchmark", "ours", "", "beside", ""):
        shown.add_column(heading, justify="left" if heading else "right")
    for heading in ("ratio", "rounds", "aim"):
        shown.add_column(heading, justify="right")
    before = ""
    for one in report.comparisons:
        same = before == f"{one.benchmark} {one.figure}"
        before = f"{one.benchmark} {one.figure}"
        shown.add_row(
            "" if same else before,
            "" if same else one.ours,
            f"{one.our_median:,.0f} {one.unit}" if one.unit != "ms" else f"{one.our_median:.1f} ms",
            one.beside,
            f"{one.their_median:,.0f} {one.unit}" if one.unit != "ms" else f"{one.their_median:.1f} ms",
            f"[bold]{one.ratio:.2f}[/]",
            f"{one.lowest:.2f}–{one.highest:.2f}",
            "" if one.aim is None else f"{one.aim:g} {'short' if one.short else 'met'}",
        )
    return shown


cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@cli.command()
def main(
    quick: Annotated[bool, typer.Option(help="Fewer and shorter rounds.")] = False,
    only: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(BENCHMARKS)}.")] = None,
    rounds: Annotated[int | None, typer.Option(min=1)] = None,
) -> None:
    """Measure each benchmark beside its floor and its peers."""
    unknown = set(only or ()) - set(BENCHMARKS)
    if unknown:
        raise typer.BadParameter(
            f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}"
        )
    usual = QUICK if quick else FULL
    scale = Scale(rounds or usual.rounds, usual.part, usual.seconds)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report, well = runner.run(measure([name for name in BENCHMARKS if not only or name in only], scale))
    console.print(table(report))
    for name, reason in report.not_measured.items():
        console.print(f"{name} was not measured: {reason}")
    REPORT.write_text(report.model_dump_json(indent=2), encoding="utf-8")
    console.print(f"All rounds stand in {REPORT.relative_to(ROOT)}, logs in {LOGS.relative_to(ROOT)}.")
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    cli()
