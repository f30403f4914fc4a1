"""A stand for each channel: the channel, the stand-in for its outside world, and how the two are looked at.

A file here, `<channel>.py` with a class `Stand`, is all it takes for the contract to run for that channel.
"""

import pkgutil
from importlib import import_module

from tests.services.publisher.stands.interface import ChannelStand


def stands() -> dict[str, type[ChannelStand]]:
    """Every stand in this folder, by the channel's name."""
    names = [found.name for found in pkgutil.iter_modules(__path__) if found.name != "interface"]
    return {name: import_module(f"{__name__}.{name}").Stand for name in sorted(names)}
