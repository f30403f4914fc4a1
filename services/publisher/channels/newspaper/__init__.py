"""The newspaper: publications gather in its next issue, and its editors say what was printed."""

from services.publisher.channels.newspaper.channel import NewspaperChannel, open_channel
from services.publisher.channels.newspaper.commands import commands

__all__ = ["NewspaperChannel", "commands", "open_channel"]
