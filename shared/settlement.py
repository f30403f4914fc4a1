"""What a person says about a call of which nobody knew whether it took effect."""

from uuid import UUID

from pydantic import ValidationError

from shared.events import Unreadable
from shared.fields import ChannelName, Line, Model


class SettlementOrder(Model):
    """From the receipt to the publisher, in its queue `publisher.settlements`."""

    publication_id: UUID
    channel: ChannelName
    there: bool
    """Whether it is there; where it isn't, it is sent again."""
    url: Line | None = None
    """Where it is, as the person saw it: the channel may know its own ids by that."""

    def encode(self) -> bytes:
        """The message body."""
        return self.model_dump_json(exclude_none=True).encode()

    def log_context(self) -> dict[str, str]:
        """What every log line about this order carries."""
        return {"publication_id": str(self.publication_id), "channel": self.channel}


def decode_order(body: bytes) -> SettlementOrder:
    """Read a message body. Raises `Unreadable`."""
    try:
        return SettlementOrder.model_validate_json(body, extra="ignore")
    except ValidationError as error:
        raise Unreadable(f"not a settlement: {error.errors()[0]['msg']}") from error
