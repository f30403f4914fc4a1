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
from rich.console import Console

from tests.bench import accepting, isolation, latency, mailing, pipeline, recording
from tests.bench.measuring import Benchmark, Failed, Skipped
from tests.bench.report import Report, for_documentation, for_terminal
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
    isolation.NAME: isolation.prepared,
}
console = Console(width=None if sys.stdout.isatty() else WIDTH)


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


cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@cli.command()
def main(
    quick: Annotated[bool, typer.Option(help="Fewer and shorter rounds.")] = False,
    only: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(BENCHMARKS)}.")] = None,
    rounds: Annotated[int | None, typer.Option(min=1)] = None,
    last: Annotated[bool, typer.Option(help="Measure nothing; print the last run as Markdown.")] = False,
) -> None:
    """Measure each benchmark beside its floor and its peers."""
    if last:
        report = Report.model_validate_json(REPORT.read_bytes())
        typer.echo(f"{report.title}\n\n{for_documentation(report)}")
        return
    unknown = set(only or ()) - set(BENCHMARKS)
    if unknown:
        there = ", ".join(BENCHMARKS)
        raise typer.BadParameter(f"no benchmark {', '.join(sorted(unknown))}; there are {there}")
    usual = QUICK if quick else FULL
    scale = Scale(rounds or usual.rounds, usual.part, usual.seconds)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report, well = runner.run(measure([name for name in BENCHMARKS if not only or name in only], scale))
    console.print(for_terminal(report))
    for name, reason in report.not_measured.items():
        console.print(f"{name} was not measured: {reason}")
    REPORT.write_text(report.model_dump_json(indent=2), encoding="utf-8")
    console.print(f"All rounds stand in {REPORT.relative_to(ROOT)}, logs in {LOGS.relative_to(ROOT)}.")
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    cli()
