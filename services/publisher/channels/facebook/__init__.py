"""Facebook: posts of a page. How an operator sets it up: docs/channels/facebook.md."""

from services.publisher.channels.facebook.channel import FacebookChannel, open_channel
from services.publisher.channels.facebook.settings import FacebookSection

__all__ = ["FacebookChannel", "FacebookSection", "open_channel"]
