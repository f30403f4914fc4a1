"""What the archive reads from the environment."""

from pydantic import Field, SecretStr

from shared.settings import SharedSettings


class ArchiveSettings(SharedSettings):
    """Settings of the archive; see `.env.example`."""

    host: str = Field(default="127.0.0.1", validation_alias="ARCHIVE_HOST")
    port: int = Field(default=8002, validation_alias="ARCHIVE_PORT")
    database: str = Field(default="archive", validation_alias="ARCHIVE_DATABASE")
    operator_key: SecretStr = Field(
        default=SecretStr(""),
        validation_alias="ARCHIVE_OPERATOR_KEY",
        description="Opens lists of what is not public yet, and raw events. Empty: to nobody.",
    )
    site_name: str = Field(
        default="Луцька міська рада",
        validation_alias="SITE_NAME",
        description="The city's name, as it stands on pages.",
    )
