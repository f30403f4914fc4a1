"""Settings that every service reads from the environment; each service adds its own in `settings.py`."""

from typing import Annotated

from pydantic import EmailStr, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.fields import ChannelName, Line


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


class MailSettings(SharedSettings):
    """The city's mail server, and who writes: for the services that send mail."""

    smtp_host: str = Field(default="127.0.0.1", validation_alias="SMTP_HOST")
    smtp_port: int = Field(default=1025, validation_alias="SMTP_PORT")
    smtp_user: str = Field(default="", validation_alias="SMTP_USER", description="Empty: no login.")
    smtp_password: SecretStr = Field(default=SecretStr(""), validation_alias="SMTP_PASSWORD")
    smtp_starttls: bool = Field(
        default=False, validation_alias="SMTP_STARTTLS", description="Upgrade or refuse to send."
    )
    smtp_tls: bool = Field(
        default=False, validation_alias="SMTP_TLS", description="TLS from the first byte (port 465)."
    )
    smtp_timeout: float = Field(
        default=30, gt=0, validation_alias="SMTP_TIMEOUT", description="Seconds for one answer."
    )
    sender: EmailStr = Field(default="press@rada.example", validation_alias="MAIL_FROM")
    sender_name: Line = Field(default="Пресслужба міської ради", validation_alias="MAIL_FROM_NAME")

    @property
    def domain(self) -> str:
        """The domain of the sender's address, which Message-IDs are made in."""
        return self.sender.rsplit("@", 1)[1]
