"""YouTube: videos uploaded, broadcasts announced. How an operator sets it up: docs/channels/youtube.md."""

from services.publisher.channels.youtube.channel import YoutubeChannel, open_channel
from services.publisher.channels.youtube.settings import YoutubeSection

__all__ = ["YoutubeChannel", "YoutubeSection", "open_channel"]
