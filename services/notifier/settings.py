"""What the notifier reads from the environment."""

from typing import Annotated

from pydantic import EmailStr, Field, SecretStr, StringConstraints, field_validator

from shared.publication import Line
from shared.settings import SharedSettings

Domain = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$", max_length=200)
]


class Settings(SharedSettings):
    """Settings of the notifier; see `.env.example`."""

    host: str = Field(default="127.0.0.1", validation_alias="NOTIFIER_HOST")
    port: int = Field(default=8004, validation_alias="NOTIFIER_PORT")
    url: str = Field(
        default="http://127.0.0.1:8004",
        validation_alias="NOTIFIER_URL",
        description="The notifier's address as journalists reach it: unsubscribe links live below it.",
    )
    database: str = Field(default="notifier", validation_alias="NOTIFIER_DATABASE")
    smtp_host: str = Field(default="127.0.0.1", validation_alias="NOTIFIER_SMTP_HOST")
    smtp_port: int = Field(default=1025, validation_alias="NOTIFIER_SMTP_PORT")
    smtp_user: str = Field(default="", validation_alias="NOTIFIER_SMTP_USER", description="Empty: no login.")
    smtp_password: SecretStr = Field(default=SecretStr(""), validation_alias="NOTIFIER_SMTP_PASSWORD")
    smtp_starttls: bool = Field(
        default=False, validation_alias="NOTIFIER_SMTP_STARTTLS", description="Upgrade or refuse to send."
    )
    smtp_tls: bool = Field(
        default=False, validation_alias="NOTIFIER_SMTP_TLS", description="TLS from the first byte (port 465)."
    )
    smtp_timeout: float = Field(
        default=30, gt=0, validation_alias="NOTIFIER_SMTP_TIMEOUT", description="Seconds for one answer."
    )
    smtp_connections: int = Field(
        default=4,
        ge=1,
        le=100,
        validation_alias="NOTIFIER_SMTP_CONNECTIONS",
        description="Kept connections to the mail server, in each process.",
    )
    mails_per_second: float = Field(
        default=0,
        ge=0,
        validation_alias="NOTIFIER_MAILS_PER_SECOND",
        description="Limit of each process; 0 is none.",
    )
    sender: EmailStr = Field(default="press@rada.example", validation_alias="NOTIFIER_FROM")
    sender_name: Line = Field(default="Пресслужба міської ради", validation_alias="NOTIFIER_FROM_NAME")
    list_id: Domain | None = Field(
        default=None,
        validation_alias="NOTIFIER_LIST_ID",
        description="The List-Id of all mails; by default `media.` and the sender's domain.",
    )
    unsubscribe_mailbox: EmailStr | None = Field(
        default=None,
        validation_alias="NOTIFIER_UNSUBSCRIBE_MAILBOX",
        description="A mailbox that people read, for those who unsubscribe by mail.",
    )

    @property
    def domain(self) -> str:
        """The domain of the sender's address, which Message-IDs are made in."""
        return self.sender.rsplit("@", 1)[1]

    @field_validator("url")
    @classmethod
    def _no_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @field_validator("list_id", "unsubscribe_mailbox", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value
