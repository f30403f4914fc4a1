"""`python -m services.publisher`: serve (the default), and commands for operators."""

import asyncio
from typing import Annotated
from uuid import UUID

import typer

from services.publisher.app import build
from services.publisher.channels.site import rebuild_site
from services.publisher.settings import PublisherSettings
from services.publisher.settling import Doubts
from shared.mongo import StoreUnavailable
from shared.telemetry import configure_logging
from shared.web import serve as serve_app

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)
site = typer.Typer(help="The site channel.", no_args_is_help=True)
unconfirmed = typer.Typer(
    help="Calls of which nobody knows whether they took effect, and no channel can tell.",
    no_args_is_help=True,
)
app.add_typer(site, name="site")
app.add_typer(unconfirmed, name="unconfirmed")

Channel = Annotated[str, typer.Argument(help="The channel's name.")]
Id = Annotated[UUID, typer.Argument(help="The publication's id.")]


@app.callback(invoke_without_command=True)
def main(context: typer.Context) -> None:
    """Without a command: serve."""
    if context.invoked_subcommand is None:
        serve()


@app.command()
def serve() -> None:
    """Put publications on the channels until told to stop."""
    settings = PublisherSettings()
    configure_logging("publisher", settings.log_level)
    serve_app(build(settings), host=settings.host, port=settings.port)


@site.command()
def rebuild() -> None:
    """Make the whole site anew from the database: new templates, a lost volume."""
    settings = PublisherSettings()
    configure_logging("publisher", settings.log_level)
    try:
        pages, written = asyncio.run(rebuild_site(settings))
    except StoreUnavailable as error:
        typer.echo(f"site: the database does not answer: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"pages: {pages}, files written: {written}")


@unconfirmed.command("list")
def list_() -> None:
    """A line a call: channel, publication, title."""
    for line in asyncio.run(Doubts(PublisherSettings()).lines()):
        typer.echo(line)


@unconfirmed.command()
def there(
    channel: Channel,
    id: Id,
    url: Annotated[str | None, typer.Option(help="Where people see it.")] = None,
    remote: Annotated[str, typer.Option(help="The channel's own ids, as JSON.")] = "{}",
) -> None:
    """It is there: record it, and bring it to the newest revision."""
    _done(asyncio.run(Doubts(PublisherSettings()).there(channel, id, url=url, remote=remote)))


@unconfirmed.command()
def again(channel: Channel, id: Id) -> None:
    """It is not there: send it again."""
    _done(asyncio.run(Doubts(PublisherSettings()).again(channel, id)))


def _done(found: bool) -> None:
    if not found:
        typer.echo("unconfirmed: no such call", err=True)
        raise typer.Exit(1)
    typer.echo("sent to the channel again")


if __name__ == "__main__":
    app()
