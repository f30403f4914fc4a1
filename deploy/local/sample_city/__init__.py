"""A sample city: its departments, its media outlets, and a day of its publications."""

from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from babel.dates import format_date
from jinja2 import Environment, StrictUndefined
from pydantic import BaseModel, ConfigDict

KYIV = ZoneInfo("Europe/Kyiv")
FOLDER = Path(__file__).parent
OUTLETS = FOLDER / "outlets.yaml"
PARTS = ("morning.yaml", "afternoon.yaml", "evening.yaml")


class SampleCorrection(BaseModel):
    """A change after the release: ``significance``, ``note``, and the fields of the content that change."""

    model_config = ConfigDict(extra="allow")

    significance: str
    note: str


class SampleFile(BaseModel):
    """A photograph or video that is drawn; see `drawings`."""

    model_config = ConfigDict(extra="forbid")

    drawing: str
    alt: str | None = None
    caption: str | None = None
    name: str | None = None


class SamplePublication(BaseModel):
    """One publication of the day, and what becomes of it later."""

    model_config = ConfigDict(extra="forbid")

    slug: str
    department: str
    content: dict[str, Any]
    photos: list[SampleFile] = []
    video: SampleFile | None = None
    author: str | None = None
    correction: SampleCorrection | None = None
    withdrawal: str | None = None

    @property
    def waits(self) -> bool:
        """Whether it becomes public only at a later hour."""
        return "release_at" in self.content or "embargo_until" in self.content

    def corrected(self) -> dict[str, Any]:
        """The body of the next revision."""
        if self.correction is None:
            raise ValueError(f"{self.slug} is not corrected in the sample")
        change = {"significance": self.correction.significance, "note": self.correction.note}
        return self.content | (self.correction.model_extra or {}) | {"change": change}


class SampleDepartments(BaseModel):
    """Names by id; the first one hands in what the demo's reader tries."""

    structural_units: dict[str, str]
    communal_enterprises: dict[str, str]

    @property
    def names(self) -> dict[str, str]:
        """All of them."""
        return self.structural_units | self.communal_enterprises


def departments() -> SampleDepartments:
    """Who hands in."""
    text = (FOLDER / "departments.yaml").read_text(encoding="utf-8")
    return SampleDepartments.model_validate(yaml.safe_load(text))


def publications(at: datetime) -> list[SamplePublication]:
    """The day's publications, all dates counted from ``at`` (with its offset): the same for the same hour."""
    local = at.astimezone(KYIV)

    def later(days: int, hour: str) -> str:
        day = local.date() + timedelta(days=days)
        return datetime.combine(day, time.fromisoformat(hour), KYIV).isoformat()

    environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701 - this is YAML
    environment.globals.update(
        day=lambda days: format_date(local.date() + timedelta(days=days), "d MMMM", locale="uk"),
        date=lambda days: (local.date() + timedelta(days=days)).isoformat(),
        at=later,
        soon=lambda minutes: (local + timedelta(minutes=minutes)).isoformat(timespec="seconds"),
    )
    texts = [environment.from_string((FOLDER / part).read_text(encoding="utf-8")).render() for part in PARTS]
    return [SamplePublication.model_validate(each) for text in texts for each in yaml.safe_load(text)]
