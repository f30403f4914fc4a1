"""The run without containers: everything on this machine, under one folder.

    python -m deploy.local.run demo|up|down|status

State, data and logs are kept under .local/. A second run reuses what is up. AMQP_URL and MONGO_URL are used
where they are set; INGEST_PORT, ARCHIVE_PORT, PUBLISHER_PORT, NOTIFIER_PORT, SITE_PORT, MAIL_PORT, SMTP_PORT,
PLATFORMS_PORT, RABBITMQ_PORT and MONGOD_PORT fix a port.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.local.demo import example_request, load_sample
from deploy.local.errors import LocalRunError
from deploy.local.programs import ROOT, LocalRun
from deploy.local.startup import bring_down, bring_up
from deploy.local.state import SampleState, StateFile, only_one, write_private

app = typer.Typer(help=__doc__, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
Folder = Annotated[Path, typer.Option(help="Where state, data and logs are kept.")]
USUAL_FOLDER = ROOT / ".local"


@contextmanager
def _on(folder: Path) -> Iterator[tuple[StateFile, LocalRun]]:
    """One command's work on a folder. What stops it is one line on stderr and exit code 1."""
    try:
        with only_one(folder, on_wait=_say_wait):
            kept = StateFile(folder)
            run = LocalRun(folder, kept.state.ports, kept.state.operator_key, kept.state.link_secret)
            try:
                yield kept, run
            finally:
                kept.save()
    except LocalRunError as error:
        typer.echo(f"visnyk: {error}", err=True)
        raise typer.Exit(1) from None
    except PermissionError as error:
        typer.echo(f"visnyk: {error.filename} belongs to another user: run as that one", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.echo("visnyk: interrupted; `make down` stops what is up, another start goes on", err=True)
        raise typer.Exit(130) from None


def _say_wait() -> None:
    typer.echo("Another command is at work here: waiting for it.")


def _bring_up(kept: StateFile, run: LocalRun, console: Console) -> None:
    bring_up(run, console)
    store = sha256(os.environ.get("MONGO_URL", "private").encode()).hexdigest()
    if kept.state.store != store:
        kept.state.store, kept.state.sample = store, SampleState()
    kept.save()
    _write_demo_json(kept, run)


def _pids(run: LocalRun) -> dict[str, int]:
    """The ids of all processes of the run that are up."""
    servers = {"rabbitmq": run.own_rabbit.pid, "mongod": run.own_mongo.pid}
    names = [path.stem for path in sorted((run.folder / "run").glob("*.json"))]
    found = servers | {name: run.process(name).pid for name in names}
    return {name: pid for name, pid in found.items() if pid is not None}


def _write_demo_json(kept: StateFile, run: LocalRun) -> None:
    content = {
        **{name: run.url(name) for name in ("ingest", "archive", "site", "notifier", "mail", "platforms")},
        "department_key": next(iter(kept.state.sample.keys.values()), None),
        "amqp_url": run.rabbit.url,
        "mongo_url": run.mongo.url,
        "pids": _pids(run),
    }
    write_private(run.folder / "demo.json", json.dumps(content, indent=2) + "\n")


def _where_to_look(run: LocalRun, console: Console) -> None:
    table = Table.grid(padding=(0, 2))
    for what, url in (
        ("Site", f"{run.url('site')}/"),
        ("Posts on the platforms", f"{run.url('platforms')}/"),
        ("Mails to the media", f"{run.url('mail')}/"),
        ("Television's programmes", f"{run.url('publisher')}/channels/television/"),
        ("Record and receipts", f"{run.url('archive')}/"),
        ("How to hand in", f"{run.url('ingest')}/docs"),
        ("Logs", f"{run.folder / 'log'}"),
    ):
        table.add_row(f"  {what}", url)
    console.print(table)


@app.command()
def demo(folder: Folder = USUAL_FOLDER) -> None:
    """Everything, with a sample city and a day of its publications."""
    console = Console()
    with _on(folder) as (kept, run):
        _bring_up(kept, run, console)
        load_sample(kept, run, console)
        _write_demo_json(kept, run)
        console.print("\n[bold]Where to look[/bold]")
        _where_to_look(run, console)
        key = next(iter(kept.state.sample.keys.values()))
        console.print("\n[bold]The key to submit with[/bold]")
        typer.echo(f"  {key}")
        console.print("\n[bold]Try it: hand in a publication, then open the receipt it names[/bold]")
        typer.echo(example_request(run.url("ingest"), key))


@app.command()
def up(folder: Folder = USUAL_FOLDER) -> None:
    """The same without the sample; starts again whatever is no longer running."""
    console = Console()
    with _on(folder) as (kept, run):
        _bring_up(kept, run, console)
        _where_to_look(run, console)


@app.command()
def down(folder: Folder = USUAL_FOLDER) -> None:
    """Stop it all; the data stays."""
    with _on(folder) as (_, run):
        bring_down(run, Console())
        demo_json = run.folder / "demo.json"
        if demo_json.exists():
            content = json.loads(demo_json.read_text(encoding="utf-8")) | {"pids": _pids(run)}
            write_private(demo_json, json.dumps(content, indent=2) + "\n")


@app.command()
def status(folder: Folder = USUAL_FOLDER) -> None:
    """What is up, and where."""
    kept = StateFile(folder)
    run = LocalRun(folder, kept.state.ports, kept.state.operator_key, kept.state.link_secret)
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for column in ("process", "state", "pid", "address"):
        table.add_column(column)
    for name, server, node in (
        ("rabbitmq", run.rabbit, run.own_rabbit),
        ("mongod", run.mongo, run.own_mongo),
    ):
        state = "up" if server.running() else "down"
        address = f"127.0.0.1:{node.port}" if server is node else "the one that the environment names"
        table.add_row(name, state if server is node else "not ours", str(server.pid or ""), address)
    if kept.state.ports:
        for program in run.programs():
            running = program.process.running()
            state = ("up" if program.ready() else "not ready") if running else "down"
            table.add_row(program.name, state, str(program.process.pid or ""), program.url)
    Console().print(table)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def execute(context: typer.Context, module: str, folder: Folder = USUAL_FOLDER) -> None:
    """Run a command of a service with this run's settings: execute services.ingest keys list."""
    kept = StateFile(folder)
    run = LocalRun(folder, kept.state.ports, kept.state.operator_key, kept.state.link_secret)
    if not kept.state.ports:
        typer.echo("visnyk: nothing was started here yet: `make up` first", err=True)
        raise typer.Exit(1)
    command = [sys.executable, "-m", module, *context.args]
    raise typer.Exit(
        subprocess.run(command, check=False, cwd=ROOT, env=os.environ | run.settings()).returncode
    )


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def parked(context: typer.Context, folder: Folder = USUAL_FOLDER) -> None:
    """Messages that wait for a person: parked list|show|retry|drop."""
    execute(context, "shared.bus.parked", folder)


if __name__ == "__main__":
    app()
