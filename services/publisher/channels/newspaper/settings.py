"""The newspaper's section of the settings."""

from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.fields import Email, Line

MIB = 1024 * 1024


class NewspaperSection(BaseSettings):
    """Which newspaper prints, who edits it, and until when an issue takes texts."""

    model_config = SettingsConfigDict(populate_by_name=True, extra="ignore", frozen=True)

    title: Line = Field(default="Луцький замок", validation_alias="NEWSPAPER_TITLE")
    editors: Annotated[tuple[Email, ...], NoDecode] = Field(
        min_length=1, validation_alias="NEWSPAPER_EDITORS", description="Addresses, by comma."
    )
    secret: SecretStr = Field(
        min_length=16,
        validation_alias="NEWSPAPER_SECRET",
        description="Signs the editors' links; changed, all links that were sent are void.",
    )
    deadline_weekday: int = Field(
        default=2, ge=1, le=7, validation_alias="NEWSPAPER_DEADLINE_WEEKDAY", description="1 is Monday."
    )
    deadline_hour: int = Field(
        default=12, ge=0, le=23, validation_alias="NEWSPAPER_DEADLINE_HOUR", description="Kyiv time."
    )
    days_to_print: int = Field(
        default=2,
        ge=0,
        le=30,
        validation_alias="NEWSPAPER_DAYS_TO_PRINT",
        description="From the deadline to the day when the issue is expected.",
    )
    remind_after: int = Field(
        default=3,
        ge=0,
        validation_alias="NEWSPAPER_REMIND_AFTER",
        description="Days after the issue's day until editors who did not answer are reminded, once.",
    )
    item_limit: int = Field(
        default=10_000,
        ge=1,
        validation_alias="NEWSPAPER_ITEM_LIMIT",
        description="Characters with spaces from which a preview warns.",
    )
    mail_mib: int = Field(
        default=15,
        ge=1,
        validation_alias="NEWSPAPER_MAIL_MIB",
        description="What the editors' mail server takes; photographs beyond it are linked.",
    )
    look_every: float = Field(
        default=30,
        gt=0,
        validation_alias="NEWSPAPER_LOOK_EVERY",
        description="Seconds between looks at the clock.",
    )

    @field_validator("editors", mode="before")
    @classmethod
    def _by_comma(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value
