"""Facebook's section of the settings."""

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

LONGEST_MESSAGE = 63_206
"""Characters of a post's text, after which Facebook refuses it."""


class FacebookSection(BaseSettings):
    """Which page posts, how long its posts are, and how patient the channel is."""

    model_config = SettingsConfigDict(populate_by_name=True, extra="ignore", frozen=True)

    page_id: str = Field(validation_alias="FACEBOOK_PAGE_ID", pattern=r"^[0-9]+$")
    page_token: SecretStr = Field(validation_alias="FACEBOOK_PAGE_TOKEN")
    app_id: str | None = Field(
        default=None,
        validation_alias="FACEBOOK_APP_ID",
        pattern=r"^[0-9]+$",
        description="Videos are uploaded to the app; without it they go out as links to the site.",
    )
    app_secret: SecretStr | None = Field(default=None, validation_alias="FACEBOOK_APP_SECRET")
    upload_token: SecretStr | None = Field(
        default=None,
        validation_alias="FACEBOOK_UPLOAD_TOKEN",
        description="A token for uploads to the app, where the page's isn't taken.",
    )
    api_url: str = Field(default="https://graph.facebook.com", validation_alias="FACEBOOK_API_URL")
    api_version: str = Field(
        default="v26.0", validation_alias="FACEBOOK_API_VERSION", pattern=r"^v[0-9]+\.[0-9]+$"
    )
    length: int = Field(
        default=5000,
        validation_alias="FACEBOOK_LENGTH",
        ge=500,
        le=LONGEST_MESSAGE,
        description="Characters of a post; a longer text is cut, and goes on on the site.",
    )
    calls_per_minute: float = Field(default=60, validation_alias="FACEBOOK_CALLS_PER_MINUTE", gt=0)
    timeout: float = Field(default=30, validation_alias="FACEBOOK_TIMEOUT", gt=0, le=300)
    listing_delay: float = Field(
        default=30,
        validation_alias="FACEBOOK_LISTING_DELAY",
        ge=0,
        description="Seconds after which Facebook surely lists a post that it has taken.",
    )
    slice: float = Field(
        default=600,
        validation_alias="FACEBOOK_SLICE",
        gt=0,
        le=900,
        description="Seconds after which an upload makes room for other publications, and goes on later.",
    )
    look_every: float = Field(
        default=30,
        validation_alias="FACEBOOK_LOOK_EVERY",
        gt=0,
        description="Seconds until the first look at a video being processed; later ones come more rarely.",
    )

    @field_validator("api_url")
    @classmethod
    def _no_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @field_validator("app_id", "app_secret", "upload_token", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value
