"""Settings that every service reads from the environment; each service adds its own in `settings.py`."""

from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.publication import ChannelName


class SharedSettings(BaseSettings):
    """What all services must agree on. Variables carry no prefix; see `.env.example`."""

    model_config = SettingsConfigDict(populate_by_name=True, extra="ignore", frozen=True)

    amqp_url: SecretStr = Field(
        default=SecretStr("amqp://guest:guest@127.0.0.1:5672/"), validation_alias="AMQP_URL"
    )
    mongo_url: SecretStr = Field(
        default=SecretStr("mongodb://127.0.0.1:27017/?replicaSet=rs0"), validation_alias="MONGO_URL"
    )
    channels: Annotated[tuple[ChannelName, ...], NoDecode] = Field(
        default=("site",), validation_alias="CHANNELS", description="Channels that are on, by comma."
    )
    retry_ladder: Annotated[tuple[float, ...], NoDecode] = Field(
        default=(5, 30, 120, 600, 3600),
        validation_alias="RETRY_LADDER",
        description="Seconds that a message waits before each further attempt, by comma.",
    )
    archive_url: str = Field(
        default="http://127.0.0.1:8002",
        validation_alias="ARCHIVE_URL",
        description="The archive's address as people reach it: receipts live below it.",
    )
    site_url: str = Field(
        default="http://127.0.0.1:8003",
        validation_alias="SITE_URL",
        description="The site's address as people reach it.",
    )
    log_level: str = Field(default="INFO", validation_alias="LOG_LEVEL")

    @field_validator("channels", "retry_ladder", mode="before")
    @classmethod
    def _by_comma(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("archive_url", "site_url")
    @classmethod
    def _no_slash_at_the_end(cls, value: str) -> str:
        return value.rstrip("/")
