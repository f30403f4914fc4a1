"""What the publisher itself reads from the environment; each channel's section stands in its own file."""

from pydantic import Field

from shared.settings import SharedSettings


class PublisherSettings(SharedSettings):
    """Where health and metrics are served."""

    host: str = Field(default="127.0.0.1", validation_alias="PUBLISHER_HOST")
    port: int = Field(default=8005, validation_alias="PUBLISHER_PORT")
