"""Radio; see television."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic_settings import BaseSettings

from services.publisher.channels.radio import RadioSection
from tests.samples import submission
from tests.services.publisher.stands.television import SECRET, RundownStand


class Stand(RundownStand):
    """Broadcasts on the radio."""

    channel = "radio"
    content: ClassVar[dict[str, Any]] = {
        "broadcast": submission("broadcast")["broadcast"] | {"medium": "radio"}
    }

    async def open(self) -> Sequence[BaseSettings]:
        return [RadioSection(link_secret=SECRET)]
