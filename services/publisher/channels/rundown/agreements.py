"""What was agreed with a station for a season, and how much of it was kept.

Collection `<channel>_agreements`, one document an agreement: a contract's number names it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.publisher.channels.rundown.airing import Airing
from services.publisher.channels.rundown.wording import KYIV, Unit, counted, key_of
from shared.fields import Line
from shared.mongo import Database, store_failures


class Agreement(BaseModel):
    """So many broadcasts of a series within a season."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    station: Line
    series: Line
    contract: Line
    since: date
    until: date
    """The last day."""
    number: int = Field(ge=1)
    unit: Unit = "broadcast"

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.until < self.since:
            raise ValueError("until must not be before since")
        return self

    @property
    def programme_key(self) -> str:
        return key_of(self.station, self.series)

    def covers(self, airing: Airing) -> bool:
        """Whether it is of this series, and on within the season by Kyiv's calendar."""
        on = airing.airs_at.astimezone(KYIV).date()
        return airing.programme_key == self.programme_key and self.since <= on <= self.until


@dataclass(frozen=True)
class Count:
    """How many broadcasts are where. A moved one is also counted where it stands now, once."""

    aired: int
    planned: int
    cancelled: int
    moved: int

    def text(self, agreed: int | None = None) -> str:
        """Вийшло 14 із 21, заплановано 5, скасовано 1, перенесено 2"""
        of = "" if agreed is None else f" із {agreed}"
        return (
            f"Вийшло {self.aired}{of}, заплановано {self.planned}, "
            f"скасовано {self.cancelled}, перенесено {self.moved}"
        )

    def aired_text(self, unit: Unit) -> str:
        """21 ефір"""
        return counted(self.aired, unit)


def count(airings: Iterable[Airing]) -> Count:
    """What was aired stays counted though its publication was withdrawn later: it was on."""
    counting = [airing for airing in airings if airing.known and (airing.listed or airing.state == "aired")]
    states = [airing.state for airing in counting]
    return Count(
        aired=states.count("aired"),
        planned=states.count("planned") + states.count("recorded"),
        cancelled=states.count("cancelled"),
        moved=sum(airing.moved for airing in counting),
    )


class Agreements:
    """The documents."""

    def __init__(self, database: Database, channel: str) -> None:
        self._agreements = database[f"{channel}_agreements"]

    async def put(self, agreement: Agreement) -> None:
        """Add it, or renew it: known by contract, station, series and the season's first day."""
        names = (agreement.contract, agreement.station, agreement.series, agreement.since.isoformat())
        with store_failures():
            await self._agreements.replace_one(
                {"_id": key_of(*names)},
                agreement.model_dump(mode="json") | {"programme_key": agreement.programme_key},
                upsert=True,
            )

    async def every(self) -> list[Agreement]:
        """All, the newest season first."""
        with store_failures():
            found = await self._agreements.find().sort("since", -1).to_list(None)
        return [Agreement.model_validate(document) for document in found]

    async def of_programme(self, key: str) -> list[Agreement]:
        return [agreement for agreement in await self.every() if agreement.programme_key == key]
