"""YouTube's section of the settings."""

from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1024 * 1024


class YoutubeSection(BaseSettings):
    """Which account uploads, how it is shown, and how much of the day's quota is ours."""

    model_config = SettingsConfigDict(populate_by_name=True, extra="ignore", frozen=True)

    client_id: str = Field(validation_alias="YOUTUBE_CLIENT_ID")
    client_secret: SecretStr = Field(validation_alias="YOUTUBE_CLIENT_SECRET")
    refresh_token: SecretStr = Field(validation_alias="YOUTUBE_REFRESH_TOKEN")
    privacy: Literal["public", "unlisted", "private"] = Field(
        default="public", validation_alias="YOUTUBE_PRIVACY"
    )
    category: str = Field(default="25", validation_alias="YOUTUBE_CATEGORY", pattern=r"^[0-9]{1,3}$")
    tags: str = Field(default="", validation_alias="YOUTUBE_TAGS", description="By comma.")
    uploads_per_day: int = Field(default=100, validation_alias="YOUTUBE_UPLOADS_PER_DAY", ge=0)
    units_per_day: int = Field(default=10_000, validation_alias="YOUTUBE_UNITS_PER_DAY", ge=1)
    units_kept: int = Field(
        default=500,
        validation_alias="YOUTUBE_UNITS_KEPT",
        ge=0,
        description="Units of each day that only withdrawals may spend.",
    )
    chunk_mib: int = Field(
        default=8,
        validation_alias="YOUTUBE_CHUNK_MIB",
        ge=1,
        le=256,
        description="How much is sent in one request; never held in memory.",
    )
    slice: float = Field(
        default=300,
        validation_alias="YOUTUBE_SLICE",
        ge=0,
        le=900,
        description="Seconds after which an upload makes room for other publications, and goes on later.",
    )
    timeout: float = Field(default=60, validation_alias="YOUTUBE_TIMEOUT", gt=0, le=300)
    look_every: float = Field(
        default=30,
        validation_alias="YOUTUBE_LOOK_EVERY",
        gt=0,
        description="Seconds until the first look at a video being processed; later ones come more rarely.",
    )
    listing_delay: float = Field(
        default=300,
        validation_alias="YOUTUBE_LISTING_DELAY",
        ge=0,
        description="Seconds after which YouTube surely lists what it has taken.",
    )
    api_url: str = Field(default="https://www.googleapis.com", validation_alias="YOUTUBE_API_URL")
    token_url: str = Field(
        default="https://oauth2.googleapis.com/token", validation_alias="YOUTUBE_TOKEN_URL"
    )
    watch_url: str = Field(
        default="https://www.youtube.com/watch?v=",
        validation_alias="YOUTUBE_WATCH_URL",
        description="Where people see a video, its id appended.",
    )

    @field_validator("api_url")
    @classmethod
    def _no_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @property
    def chunk(self) -> int:
        """Bytes in one request: a multiple of 256 KiB, as the protocol wants them."""
        return self.chunk_mib * MIB
