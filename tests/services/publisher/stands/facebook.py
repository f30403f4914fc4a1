"""Facebook, before the stand-in for the Graph API."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from services.publisher.channels.facebook.settings import FacebookSection
from tests.platforms.facebook import APP_ID, PAGE_ID, PAGE_TOKEN, FacebookPlatform
from tests.platforms.platform import Fault, Running, run
from tests.services.publisher.stands.interface import ChannelStand


def section_for(url: str, **fields: object) -> FacebookSection:
    """Settings aimed at a stand-in, with hardly any patience."""
    given: dict[str, object] = {
        "page_id": PAGE_ID,
        "page_token": SecretStr(PAGE_TOKEN),
        "app_id": APP_ID,
        "api_url": url,
        "calls_per_minute": 10_000,
        "timeout": 1.0,
        "listing_delay": 0.2,
        "look_every": 0.1,
    }
    return FacebookSection.model_validate(given | fields)


class Stand(ChannelStand):
    """One page."""

    faults: ClassVar[frozenset[Fault]] = frozenset(Fault)

    async def open(self) -> Sequence[BaseSettings]:
        self.platform = FacebookPlatform()
        self.platform.lag = 0.1
        self._running: Running = await run(self.platform)
        return [section_for(self._running.url)]

    async def close(self) -> None:
        await self._running.stop()

    async def shown(self) -> Sequence[str]:
        return [shown.text for shown in self.platform.shown()]

    def script(self, *faults: Fault) -> None:
        self.platform.faults.extend(faults)
