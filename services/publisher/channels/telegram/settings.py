"""Telegram's section of the settings."""

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1024 * 1024


class TelegramSection(BaseSettings):
    """Which bot posts where, and how fast.

    The rates are those of https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this,
    the size that of https://core.telegram.org/bots/api#sending-files.
    """

    model_config = SettingsConfigDict(populate_by_name=True, extra="ignore", frozen=True)

    token: SecretStr = Field(validation_alias="TELEGRAM_TOKEN")
    chat: str = Field(
        validation_alias="TELEGRAM_CHAT",
        pattern=r"^(@[A-Za-z][A-Za-z0-9_]{3,31}|-[0-9]+)$",
        description="`@name` of a public channel or group, or the number of a private one.",
    )
    api_url: str = Field(default="https://api.telegram.org", validation_alias="TELEGRAM_API_URL")
    per_chat: float = Field(
        default=1, validation_alias="TELEGRAM_PER_CHAT", gt=0, description="Messages a second."
    )
    per_group: float = Field(
        default=20, validation_alias="TELEGRAM_PER_GROUP", ge=10, description="Messages a minute, in groups."
    )
    overall: float = Field(
        default=30, validation_alias="TELEGRAM_OVERALL", gt=0, description="Calls a second, of all sorts."
    )
    upload_mib: int = Field(
        default=50,
        validation_alias="TELEGRAM_UPLOAD_MIB",
        ge=1,
        le=2000,
        description="The largest video or document that is uploaded; above 50 by a server of one's own.",
    )
    patience: float = Field(
        default=5,
        validation_alias="TELEGRAM_PATIENCE",
        ge=0,
        le=60,
        description="A requested pause of at most so many seconds is waited in place.",
    )
    timeout: float = Field(
        default=30, validation_alias="TELEGRAM_TIMEOUT", gt=0, description="Seconds for a call without files."
    )
    upload_timeout: float = Field(
        default=300,
        validation_alias="TELEGRAM_UPLOAD_TIMEOUT",
        gt=0,
        le=600,
        description="Seconds for a call that uploads.",
    )

    @field_validator("token")
    @classmethod
    def _a_token(cls, value: SecretStr) -> SecretStr:
        number, colon, secret = value.get_secret_value().partition(":")
        if not (number.isdigit() and colon and secret) or any(map(str.isspace, secret)):
            raise ValueError("must be a bot's token, as BotFather gives it")
        return value

    @field_validator("api_url")
    @classmethod
    def _no_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @property
    def largest_upload(self) -> int:
        """Bytes."""
        return self.upload_mib * MIB
