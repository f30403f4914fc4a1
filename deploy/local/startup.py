"""Bringing a local run up and down, with what happens on the screen."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from deploy.local.binaries import find_rabbitmq, install_rabbitmq
from deploy.local.errors import LocalRunError
from deploy.local.programs import LocalRun, Program

READY_SECONDS = 90.0


class Steps:
    """One line a step: what it is, how it stands, how long it took."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def run(self, name: str, work: Callable[[], str]) -> None:
        """Do one step; the line ends with what ``work`` returns."""
        task = self._progress.add_task("starting", name=name, total=1)
        self._end(task, work())

    def skip(self, name: str, outcome: str) -> None:
        """Say that there was nothing to do."""
        self._end(self._progress.add_task("", name=name, total=1), outcome)

    def _end(self, task: TaskID, outcome: str) -> None:
        self._progress.update(task, completed=1, description=outcome)


@contextmanager
def steps(console: Console) -> Iterator[Steps]:
    """Show steps as they go on."""
    columns = (
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.fields[name]:<10}"),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield Steps(progress)


def bring_up(run: LocalRun, console: Console) -> None:
    """Start what isn't running; returns when all is ready. Raises LocalRunError."""
    if run.rabbit is run.own_rabbit and not find_rabbitmq():
        console.print("RabbitMQ is missing: installing the package rabbitmq-server (some 60 MB) ...")
        install_rabbitmq(run.log("install"))
    with steps(console) as shown, ThreadPoolExecutor() as threads:
        servers = [
            threads.submit(_start_server, shown, "rabbitmq", run.rabbit is run.own_rabbit, run),
            threads.submit(_start_server, shown, "mongod", run.mongo is run.own_mongo, run),
        ]
        for server in servers:
            server.result()
        run.choose_ports()
        programs = list(run.programs())
        for started in [threads.submit(_start_program, shown, program) for program in programs]:
            started.result()


def _start_server(shown: Steps, name: str, own: bool, run: LocalRun) -> None:
    server = run.rabbit if name == "rabbitmq" else run.mongo
    if not own:
        server.start()
        shown.skip(name, "the one that the environment names")
        return
    node = run.own_rabbit if name == "rabbitmq" else run.own_mongo
    was_running = server.running()

    def work() -> str:
        server.start()
        return f"{'ran already' if was_running else 'up'} on port {node.port}"

    shown.run(name, work)


def _start_program(shown: Steps, program: Program) -> None:
    was_running = program.up_to_date()

    def work() -> str:
        if not was_running:
            program.start()
        _await_ready(program)
        return f"{'ran already' if was_running else 'up'} at {program.url}"

    shown.run(program.name, work)


def _await_ready(program: Program) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not program.ready():
        if not program.process.running():
            raise LocalRunError(
                f"{program.name} ended while starting ({last_line(program.log)}): see {program.log}"
            )
        if time.monotonic() > deadline:
            raise LocalRunError(
                f"{program.name} is not ready after {READY_SECONDS:.0f} s: "
                f"{program.url}/health/ready names what ails it, {program.log} says more."
            )
        time.sleep(0.1)


def last_line(log: Path) -> str:
    """The end of a log, for a message of one line."""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n") if log.exists() else []
    written = [line.strip() for line in lines if line.strip()]
    return written[-1][:200] if written else "it said nothing"


def bring_down(run: LocalRun, console: Console) -> None:
    """End everything of the run that is up, programs before the servers they use; the data stays."""
    names = [path.stem for path in sorted((run.folder / "run").glob("*.json"))]
    nodes = {"rabbitmq": run.own_rabbit, "mongod": run.own_mongo}
    with steps(console) as shown, ThreadPoolExecutor() as threads:
        programs = {name: run.process(name).stop for name in names}
        servers = {name: node.stop for name, node in nodes.items() if node.running()}
        for group in (programs, servers):
            done = [threads.submit(shown.run, name, _ended(stop)) for name, stop in group.items()]
            for each in done:
                each.result()
    if not names and not servers:
        console.print("Nothing was running.")


def _ended(stop: Callable[[], None]) -> Callable[[], str]:
    def work() -> str:
        stop()
        return "stopped"

    return work
