"""What the publisher itself reads from the environment; each channel's section stands in its own file."""

from pydantic import Field, SecretStr, field_validator

from shared.settings import MailSettings


class PublisherSettings(MailSettings):
    """Where the publisher listens, and how the world reaches the pages that channels serve."""

    host: str = Field(default="127.0.0.1", validation_alias="PUBLISHER_HOST")
    port: int = Field(default=8005, validation_alias="PUBLISHER_PORT")
    url: str = Field(
        default="http://127.0.0.1:8005",
        validation_alias="PUBLISHER_URL",
        description="The publisher's address as editors and stations reach it: their links live below it.",
    )
    alert_urls: SecretStr = Field(
        default=SecretStr(""),
        validation_alias="ALERT_URLS",
        description="Where operators are told, as Apprise writes addresses; by comma or space.",
    )

    @field_validator("url")
    @classmethod
    def _no_slash(cls, value: str) -> str:
        return value.rstrip("/")
