"""`python -m services.archive`: serve (the default), and commands for operators."""

import asyncio

import typer

from services.archive.app import build
from services.archive.rebuilding import rebuild as rebuild_from
from services.archive.settings import ArchiveSettings
from services.archive.store import Store
from shared.mongo import Mongo, StoreUnavailable
from shared.telemetry import configure_logging
from shared.web import serve as serve_app

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
def main(context: typer.Context) -> None:
    """Without a command: serve."""
    if context.invoked_subcommand is None:
        serve()


@app.command()
def serve() -> None:
    """Record and answer until told to stop."""
    settings = ArchiveSettings()
    configure_logging("archive", settings.log_level)
    serve_app(build(settings), host=settings.host, port=settings.port)


@app.command()
def rebuild() -> None:
    """Compute publications and receipts again from the record of events; safe while the service runs."""
    settings = ArchiveSettings()
    configure_logging("archive", settings.log_level)

    async def run() -> None:
        mongo = Mongo(settings.mongo_url.get_secret_value(), settings.database)
        try:
            done = await rebuild_from(Store(mongo.database))
        finally:
            mongo.close()
        typer.echo(
            f"events: {done.events}, publications: {done.publications}, receipts: {done.receipts}, "
            f"removed without an event: {done.orphans}"
        )
        if done.unreadable:
            typer.echo(f"unreadable events left out (see the log): {done.unreadable}", err=True)
            raise typer.Exit(1)

    try:
        asyncio.run(run())
    except StoreUnavailable as error:
        typer.echo(f"archive: the database does not answer: {error}", err=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    app()
