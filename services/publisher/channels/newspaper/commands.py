"""`python -m services.publisher newspaper ...`: for operators."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from services.publisher.channels.interface import Unconfirmed
from services.publisher.channels.newspaper.contents import contents
from services.publisher.channels.newspaper.galley import galley
from services.publisher.channels.newspaper.issues import Issues
from services.publisher.channels.newspaper.package import deadline_text
from services.publisher.channels.newspaper.press import Press
from services.publisher.channels.newspaper.settings import NewspaperSection
from shared.bus import Later, Permanent
from shared.events import now

commands = typer.Typer(help="The newspaper's issues.", no_args_is_help=True)
T = TypeVar("T")


def _with_press(act: Callable[[Issues, Press], Awaitable[T]]) -> T:
    # Here, for the app knows every channel: it isn't loaded before a command runs.
    from services.publisher.app import Publisher  # noqa: PLC0415
    from services.publisher.settings import PublisherSettings  # noqa: PLC0415

    async def run() -> T:
        publisher = Publisher(PublisherSettings().model_copy(update={"channels": ()}))
        section = publisher.section(NewspaperSection)
        issues = Issues(publisher.database, section)
        try:
            return await act(issues, Press(issues, section, publisher, now))
        finally:
            publisher.media.close()
            publisher.mongo.close()

    return asyncio.run(run())


@commands.command("issues")
def list_issues() -> None:
    """A line an issue: its name, deadline, state, items, how many were not answered."""

    async def every(issues: Issues, _: Press) -> list[str]:
        return [
            f"{issue.id}  {deadline_text(issue)}  {issue.state:<9}  items: {len(issue.items)}, "
            f"unanswered: {len(issue.unanswered)}"
            for issue in await issues.every()
        ]

    for line in _with_press(every):
        typer.echo(line)


@commands.command()
def close() -> None:
    """Close the gathering issue now and send its package."""

    async def closed(issues: Issues, press: Press) -> bool:
        issue = await issues.gathering(now())
        return bool(issue.items) and await press.close(issue)

    try:
        sent = _with_press(closed)
    except (Later, Permanent, Unconfirmed, TimeoutError) as error:
        typer.echo(f"newspaper: closed, not sent yet: {error}", err=True)
        raise typer.Exit(1) from None
    if not sent:
        typer.echo("newspaper: nothing to send", err=True)
        raise typer.Exit(1)
    typer.echo("sent")


@commands.command("galley")
def write_galley(file: Annotated[Path, typer.Argument(help="Where to write the DOCX.")]) -> None:
    """Write the gathering issue's galley, and send nothing."""

    async def made(issues: Issues, press: Press) -> bytes:
        issue = await issues.gathering(now())
        title = press.section.title
        return galley(title, press.letters.expected(issue), contents(issue))

    file.write_bytes(_with_press(made))
    typer.echo(f"written: {file}")
