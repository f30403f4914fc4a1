"""What ingest reads from the environment."""

from limits import RateLimitItem, parse
from pydantic import Field, field_validator

from shared.settings import SharedSettings


class IngestSettings(SharedSettings):
    """Settings of ingest; see `.env.example`."""

    host: str = Field(default="127.0.0.1", validation_alias="INGEST_HOST")
    port: int = Field(default=8001, validation_alias="INGEST_PORT")
    database: str = Field(default="ingest", validation_alias="INGEST_DATABASE")
    rate_limit: str = Field(
        default="600/minute",
        validation_alias="INGEST_RATE_LIMIT",
        description="Requests that one key may make, per process; any rate of the `limits` library.",
    )

    @field_validator("rate_limit")
    @classmethod
    def _is_a_rate(cls, value: str) -> str:
        parse(value)
        return value

    @property
    def rate(self) -> RateLimitItem:
        """The rate, read."""
        return parse(self.rate_limit)
