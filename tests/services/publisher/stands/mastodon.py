"""Mastodon, before the stand-in for a server."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from services.publisher.channels.mastodon import MastodonSection
from tests.platforms.mastodon import TOKEN, MastodonPlatform
from tests.platforms.platform import Fault, Running, run
from tests.services.publisher.stands.interface import ChannelStand


def section_for(url: str, **fields: object) -> MastodonSection:
    """Settings aimed at a stand-in, with hardly any patience."""
    given: dict[str, object] = {
        "url": url,
        "token": SecretStr(TOKEN),
        "calls_per_minute": 100_000,
        "timeout": 1.0,
    }
    return MastodonSection.model_validate(given | fields)


class Stand(ChannelStand):
    """One account."""

    faults: ClassVar[frozenset[Fault]] = frozenset(Fault)

    async def open(self) -> Sequence[BaseSettings]:
        self.platform = MastodonPlatform()
        self._running: Running = await run(self.platform)
        return [section_for(self._running.url)]

    async def close(self) -> None:
        await self._running.stop()

    async def shown(self) -> Sequence[str]:
        return [shown.text for shown in self.platform.shown()]

    def script(self, *faults: Fault) -> None:
        self.platform.faults.extend(faults)
