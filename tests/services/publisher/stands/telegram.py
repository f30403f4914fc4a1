"""Telegram, before the stand-in for the Bot API."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import JsonValue, SecretStr
from pydantic_settings import BaseSettings

from services.publisher.channels.telegram.settings import TelegramSection
from tests.platforms.platform import Fault, Running, run
from tests.platforms.telegram import CHAT, TOKEN, TelegramPlatform
from tests.services.publisher.stands.interface import ChannelStand


def section_for(url: str, **fields: object) -> TelegramSection:
    """Settings aimed at a stand-in, in a hurry."""
    given: dict[str, object] = {
        "token": SecretStr(TOKEN),
        "chat": CHAT,
        "api_url": url,
        "per_chat": 1000,
        "per_group": 1000,
        "overall": 1000,
        "timeout": 1.0,
        "upload_timeout": 5.0,
    }
    return TelegramSection.model_validate(given | fields)


class Stand(ChannelStand):
    """One bot in one channel."""

    can_be_asked: ClassVar[bool] = False
    faults: ClassVar[frozenset[Fault]] = frozenset(Fault)

    async def open(self) -> Sequence[BaseSettings]:
        self.platform = TelegramPlatform()
        self._running: Running = await run(self.platform)
        return [section_for(self._running.url)]

    async def close(self) -> None:
        await self._running.stop()

    async def shown(self) -> Sequence[str]:
        return [shown.text for shown in self.platform.shown()]

    async def remote_of(self, title: str) -> dict[str, JsonValue] | None:
        for message in self.platform.messages:
            if title in message.text:
                return {"messages": [message.id]}
        return None

    def script(self, *faults: Fault) -> None:
        self.platform.faults.extend(faults)
