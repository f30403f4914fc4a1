"""Television: the rundowns of its programmes, the stations' mail, and what was aired."""

from pydantic_settings import BaseSettings

from services.publisher.channels.interface import Surroundings
from services.publisher.channels.rundown.channel import RundownChannel
from services.publisher.channels.rundown.commands import commands_of
from services.publisher.channels.rundown.terms import Terms, read_as


class TelevisionSection(Terms, BaseSettings):
    """TELEVISION_* in the environment."""

    model_config = read_as("TELEVISION")


commands = commands_of("television")


def open_channel(surroundings: Surroundings) -> RundownChannel:
    """Broadcasts with medium `tv`."""
    return RundownChannel("television", "tv", surroundings, surroundings.section(TelevisionSection))
