"""Commands for what was agreed with the stations; each channel offers them under its own name."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, TypeVar

import typer
from pydantic import ValidationError

from services.publisher.channels.rundown.agreements import Agreement, Agreements, Count, count
from services.publisher.channels.rundown.airings import Airings
from services.publisher.channels.rundown.wording import day
from services.publisher.settings import PublisherSettings
from shared.mongo import Database, Mongo, StoreUnavailable

T = TypeVar("T")
Day = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])]


def commands_of(channel: str) -> typer.Typer:
    """The commands of one channel."""
    app = typer.Typer(help=f"The {channel} channel.", no_args_is_help=True)
    agreements = typer.Typer(help="Broadcasts agreed with stations for a season.", no_args_is_help=True)
    app.add_typer(agreements, name="agreements")

    @agreements.command()
    def add(  # noqa: PLR0917  # every one is an option with a name
        station: Annotated[str, typer.Option(help="As publications name it.")],
        series: Annotated[str, typer.Option(help="As publications name it.")],
        contract: Annotated[str, typer.Option(help="The contract's number.")],
        since: Day,
        until: Day,
        number: Annotated[int, typer.Option(min=1, help="Broadcasts agreed on.")],
        unit: Annotated[
            str, typer.Option(help="What they are called: broadcast or programme.")
        ] = "broadcast",
    ) -> None:
        """Add an agreement, or renew the one of that contract, series and first day."""
        try:
            agreement = Agreement.model_validate(
                {
                    "station": station,
                    "series": series,
                    "contract": contract,
                    "since": since.date(),
                    "until": until.date(),
                    "number": number,
                    "unit": unit,
                }
            )
        except ValidationError as error:
            typer.echo(f"agreements: {error.errors()[0]['msg']}", err=True)
            raise typer.Exit(1) from None
        _run(lambda database: Agreements(database, channel).put(agreement))
        typer.echo("recorded")

    @agreements.command("list")
    def list_() -> None:
        """Each agreement, and how much of it was kept."""
        for agreement, counted in _run(lambda database: kept(database, channel)):
            season = f"{day(agreement.since)} – {day(agreement.until)}"
            typer.echo(
                f"{agreement.station}, «{agreement.series}», {agreement.contract}, {season}\n"
                f"  {counted.text(agreement.number)} ({counted.aired_text(agreement.unit)})"
            )

    return app


async def kept(database: Database, channel: str) -> list[tuple[Agreement, Count]]:
    """Each agreement of a channel with its count."""
    airings = Airings(database, channel)
    return [
        (each, count(found for found in await airings.of_programme(each.programme_key) if each.covers(found)))
        for each in await Agreements(database, channel).every()
    ]


def _run(act: Callable[[Database], Awaitable[T]]) -> T:
    async def run() -> T:
        mongo = Mongo(PublisherSettings().mongo_url.get_secret_value(), "publisher")
        try:
            return await act(mongo.database)
        finally:
            mongo.close()

    try:
        return asyncio.run(run())
    except StoreUnavailable as error:
        typer.echo(f"agreements: the database does not answer: {error}", err=True)
        raise typer.Exit(1) from None
