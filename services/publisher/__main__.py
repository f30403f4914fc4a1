"""`python -m services.publisher`: serve (the default), and commands for operators."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, TypeVar
from uuid import UUID

import typer

from services.publisher.app import build
from services.publisher.channels.registry import commands_of
from services.publisher.channels.site import rebuild_site
from services.publisher.controls import LOOK_EVERY, Control, Controls, State
from services.publisher.settings import PublisherSettings
from services.publisher.settling import Doubts
from shared.mongo import Mongo, StoreUnavailable
from shared.telemetry import configure_logging
from shared.web import serve as serve_app

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)
site = typer.Typer(help="The site channel.", no_args_is_help=True)
unconfirmed = typer.Typer(
    help="Calls of which nobody knows whether they took effect, and no channel can tell.",
    no_args_is_help=True,
)
channels = typer.Typer(help="The channels' queues.", no_args_is_help=True)
app.add_typer(site, name="site")
app.add_typer(channels, name="channels")
app.add_typer(unconfirmed, name="unconfirmed")

T = TypeVar("T")
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


@channels.command("list")
def list_channels() -> None:
    """A line a channel: its name, how its queue stands, since when, and why."""
    settings = PublisherSettings()
    found = asyncio.run(_with_controls(settings, Controls.read))
    for name in settings.channels:
        known = found.get(name, Control())
        since = "" if known.since is None else f"{known.since:%Y-%m-%d %H:%M:%S}Z"
        state = State.PAUSED if known.paused else known.state
        typer.echo(f"{name:<12} {state:<10} {since:<20} {known.reason or known.ailment or ''}".rstrip())


@channels.command()
def pause(
    channel: Channel,
    reason: Annotated[str | None, typer.Option(help="Why, for whoever looks next.")] = None,
) -> None:
    """Let a channel's queue wait, until it is resumed; all others go on."""
    _known(channel)
    asyncio.run(_with_controls(PublisherSettings(), lambda controls: controls.pause(channel, reason)))
    typer.echo(f"{channel} pauses within {LOOK_EVERY:g} s; calls under way are ended")


@channels.command()
def resume(channel: Channel) -> None:
    """End a pause, or have a channel that waits after a failure try again at once."""
    _known(channel)
    asyncio.run(_with_controls(PublisherSettings(), lambda controls: controls.resume(channel)))
    typer.echo(f"{channel} goes on within {LOOK_EVERY:g} s")


def _known(channel: str) -> None:
    on = PublisherSettings().channels
    if channel not in on:
        typer.echo(f"channels: {channel} is not on; those that are: {', '.join(on)}", err=True)
        raise typer.Exit(1)


async def _with_controls(settings: PublisherSettings, act: Callable[[Controls], Awaitable[T]]) -> T:
    mongo = Mongo(settings.mongo_url.get_secret_value(), "publisher")
    try:
        return await act(Controls(mongo.database))
    except StoreUnavailable as error:
        typer.echo(f"channels: the database does not answer: {error}", err=True)
        raise typer.Exit(1) from None
    finally:
        mongo.close()


def _done(found: bool) -> None:
    if not found:
        typer.echo("unconfirmed: no such call", err=True)
        raise typer.Exit(1)
    typer.echo("sent to the channel again")


def mount(names: Iterable[str]) -> None:
    """Offer the commands of these channels, each below the channel's name."""
    for name in names:
        commands = commands_of(name)
        if commands is not None:
            app.add_typer(commands, name=name)


if __name__ == "__main__":
    mount(PublisherSettings().channels)
    app()
