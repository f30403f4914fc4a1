"""What the notifier reads from the environment."""

from typing import Annotated

from pydantic import EmailStr, Field, StringConstraints, field_validator

from shared.settings import MailSettings

Domain = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$", max_length=200)
]


class Settings(MailSettings):
    """Settings of the notifier; see `.env.example`."""

    host: str = Field(default="127.0.0.1", validation_alias="NOTIFIER_HOST")
    port: int = Field(default=8004, validation_alias="NOTIFIER_PORT")
    url: str = Field(
        default="http://127.0.0.1:8004",
        validation_alias="NOTIFIER_URL",
        description="The notifier's address as journalists reach it: unsubscribe links live below it.",
    )
    database: str = Field(default="notifier", validation_alias="NOTIFIER_DATABASE")
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

    @field_validator("url")
    @classmethod
    def _no_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @field_validator("list_id", "unsubscribe_mailbox", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value
