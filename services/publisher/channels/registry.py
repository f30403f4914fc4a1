"""Finds channels by their names in CHANNELS."""

from importlib import import_module
from typing import Protocol, cast

import typer

from services.publisher.channels.interface import Channel, Surroundings


class UnknownChannel(ValueError):
    """CHANNELS names a channel that nobody wrote."""


class _ChannelModule(Protocol):
    def open_channel(self, surroundings: Surroundings) -> Channel: ...


def open_channel(name: str, surroundings: Surroundings) -> Channel:
    """The channel of that name: what `open_channel` of its module returns.

    Raises `UnknownChannel`, and whatever its section of the settings finds wrong.
    """
    path = f"{__package__}.{name}"
    try:
        module = import_module(path)
    except ModuleNotFoundError as error:
        if error.name != path:
            raise
        raise UnknownChannel(f"CHANNELS names {name!r}, and there is no such channel") from error
    if not hasattr(module, "open_channel"):
        raise UnknownChannel(f"CHANNELS names {name!r}, which is not a channel")
    return cast("_ChannelModule", module).open_channel(surroundings)


def commands_of(name: str) -> typer.Typer | None:
    """The commands that a channel offers operators: `commands` of its module, if it has any."""
    path = f"{__package__}.{name}"
    try:
        found = getattr(import_module(path), "commands", None)
    except ModuleNotFoundError as error:
        if error.name != path:
            raise
        return None
    return found if isinstance(found, typer.Typer) else None
