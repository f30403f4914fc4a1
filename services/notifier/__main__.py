"""`python -m services.notifier`: serve (the default), and the commands of operators."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
import yaml

from services.notifier.app import build
from services.notifier.outlets import InvalidFile, read_outlets
from services.notifier.settings import Settings
from services.notifier.subscribers import SubscriberStore
from shared.mongo import Mongo, StoreUnavailable
from shared.telemetry import configure_logging
from shared.web import serve as serve_app

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)
outlets = typer.Typer(
    help="Media outlets, their journalists and subscriptions; see docs/outlets.md.", no_args_is_help=True
)
app.add_typer(outlets, name="outlets")

T = TypeVar("T")


@app.callback(invoke_without_command=True)
def main(context: typer.Context) -> None:
    """Without a command: serve."""
    if context.invoked_subcommand is None:
        serve()


@app.command()
def serve() -> None:
    """Send mail until told to stop."""
    settings = Settings()
    configure_logging("notifier", settings.log_level)
    serve_app(build(settings), host=settings.host, port=settings.port)


@outlets.command("import")
def import_(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)]) -> None:
    """Take outlets from a YAML or JSON file, each in place of the one with its id. All or none."""
    try:
        read = read_outlets(file.read_text("utf-8"))
        _with_store(lambda store: store.replace(read))
    except UnicodeDecodeError:
        _fail("the file is not UTF-8")
    except InvalidFile as error:
        _fail(*error.errors)
    else:
        typer.echo(f"outlets: {len(read)}, journalists: {sum(len(one.journalists) for one in read)}")


@outlets.command("list")
def list_() -> None:
    """A line an outlet: id, digest hour, how many get mail of how many listed, name."""

    async def lines(store: SubscriberStore) -> list[str]:
        found: list[str] = []
        for listed in await store.outlets():
            people = await store.recipients(listed.id)
            active = sum(one.unsubscribed_at is None for one in people)
            found.append(f"{listed.id}\t{listed.digest_time:%H:%M}\t{active}/{len(people)}\t{listed.name}")
        return found

    for line in _with_store(lines):
        typer.echo(line)


@outlets.command()
def show(id: Annotated[str, typer.Argument(help="The outlet's id.")]) -> None:
    """One outlet as YAML, in the format that `import` takes; who unsubscribed is named in comments."""

    async def text(store: SubscriberStore) -> str | None:
        outlet = await store.outlet(id)
        if outlet is None:
            return None
        document = {"outlets": [outlet.model_dump(mode="json", exclude_defaults=True)]}
        gone = [
            f"# unsubscribed {one.unsubscribed_at:%Y-%m-%d}: {one.address}\n"
            for one in await store.recipients(id)
            if one.unsubscribed_at is not None
        ]
        return "".join(gone) + yaml.safe_dump(document, allow_unicode=True, sort_keys=False)

    found = _with_store(text)
    if found is None:
        _fail(f"{id}: no such outlet")
    else:
        typer.echo(found, nl=False)


@outlets.command()
def remove(id: Annotated[str, typer.Argument(help="The outlet's id.")]) -> None:
    """Take an outlet off the list: its journalists get nothing more."""
    if not _with_store(lambda store: store.remove(id)):
        _fail(f"{id}: no such outlet")


@outlets.command()
def resubscribe(address: Annotated[str, typer.Argument(help="The journalist's address.")]) -> None:
    """Send mail again to somebody who unsubscribed; only at their own wish."""
    if not _with_store(lambda store: store.resubscribe(address)):
        _fail(f"{address}: nobody has this address")


def _with_store(work: Callable[[SubscriberStore], Awaitable[T]]) -> T:
    """Run something against the database, prepared."""

    async def run() -> T:
        settings = Settings()
        mongo = Mongo(settings.mongo_url.get_secret_value(), settings.database)
        try:
            store = SubscriberStore(mongo)
            await store.prepare()
            return await work(store)
        finally:
            mongo.close()

    try:
        return asyncio.run(run())
    except StoreUnavailable as error:
        typer.echo(f"the database does not answer: {error}", err=True)
        raise typer.Exit(1) from None


def _fail(*lines: str) -> None:
    for line in lines:
        typer.echo(line, err=True)
    raise typer.Exit(1)


if __name__ == "__main__":
    app()
