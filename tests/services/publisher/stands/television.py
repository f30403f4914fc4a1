"""Television; its outside world is its own database, and stations that have no address here."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from services.publisher.channels.rundown.airings import Airings
from services.publisher.channels.television import TelevisionSection
from shared.mongo import Mongo
from tests.services.publisher.stands.interface import ChannelStand

SECRET = SecretStr("a secret of the tests alone")


class RundownStand(ChannelStand):
    """A rundown, as its pages list it."""

    kind: ClassVar[str] = "broadcast"
    channel: ClassVar[str] = "television"

    async def close(self) -> None: ...

    async def shown(self) -> Sequence[str]:
        mongo = Mongo(self.settings.mongo_url.get_secret_value(), "publisher")
        try:
            return [airing.line for airing in await Airings(mongo.database, self.channel).every()]
        finally:
            mongo.close()


class Stand(RundownStand):
    """Broadcasts on television."""

    async def open(self) -> Sequence[BaseSettings]:
        return [TelevisionSection(link_secret=SECRET)]
