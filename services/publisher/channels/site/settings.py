"""The site's section of the settings."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class SiteSection(BaseSettings):
    """Where the site is written, and what it is called. Its address is SITE_URL, which all services share."""

    model_config = SettingsConfigDict(populate_by_name=True, extra="ignore", frozen=True)

    root: Path = Field(
        default=Path(".local/site"),
        validation_alias="SITE_ROOT",
        description="The folder that a web server shows.",
    )
    name: str = Field(default="Сайт міської ради", validation_alias="SITE_NAME")
