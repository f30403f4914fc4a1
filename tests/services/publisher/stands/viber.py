"""Viber, before the stand-in for the Channels Post API."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import JsonValue, SecretStr
from pydantic_settings import BaseSettings

from services.publisher.channels.viber import ViberSection
from tests.platforms.platform import Fault, Running, run
from tests.platforms.viber import TOKEN, ViberPlatform
from tests.services.publisher.stands.interface import ChannelStand


def section_for(url: str, **fields: object) -> ViberSection:
    """Settings aimed at a stand-in, in a hurry."""
    given: dict[str, object] = {
        "token": SecretStr(TOKEN),
        "api_url": url,
        "posts_per_minute": 100_000,
        "pause": 0.1,
        "timeout": 1.0,
    }
    return ViberSection.model_validate(given | fields)


class Stand(ChannelStand):
    """One channel."""

    edits: ClassVar[bool] = False
    removes: ClassVar[bool] = False
    can_be_asked: ClassVar[bool] = False
    faults: ClassVar[frozenset[Fault]] = frozenset(Fault)

    async def open(self) -> Sequence[BaseSettings]:
        self.platform = ViberPlatform()
        self._running: Running = await run(self.platform)
        return [section_for(self._running.url)]

    async def close(self) -> None:
        await self._running.stop()

    async def shown(self) -> Sequence[str]:
        return [shown.text for shown in self.platform.shown()]

    async def remote_of(self, title: str) -> dict[str, JsonValue] | None:
        for post in self.platform.posts:
            if title in post.text:
                return {"message": str(post.token)}
        return None

    def script(self, *faults: Fault) -> None:
        self.platform.faults.extend(faults)
