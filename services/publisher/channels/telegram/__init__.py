"""Telegram: posts in a channel or group by a bot. How an operator sets it up: docs/channels/telegram.md."""

from services.publisher.channels.telegram.channel import TelegramChannel, open_channel
from services.publisher.channels.telegram.settings import TelegramSection

__all__ = ["TelegramChannel", "TelegramSection", "open_channel"]
