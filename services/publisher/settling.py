"""Settling by a person: calls that may have taken effect, on channels that can't be asked."""

import asyncio
import json
from uuid import UUID

from services.publisher.channels.interface import Posted
from services.publisher.decisions import Entry, looked_up
from services.publisher.ledger import Ledger
from services.publisher.settings import PublisherSettings
from services.publisher.turn import waited_for
from shared.bus import PUBLISHER_SETTLEMENTS, Bus, Consumption, channel_queue
from shared.events import DeliveryReported, decode
from shared.mongo import Mongo
from shared.settlement import SettlementOrder, decode_order
from shared.telemetry import logger

_log = logger(__name__)


async def settle(ledger: Ledger, bus: Bus, channel: str, id: UUID, posted: Posted | None) -> bool:
    """Record what a person saw (None: nothing), and send the event again; False if nothing is in doubt."""
    if await ledger.get(channel, id) is None:
        return False
    async with waited_for(ledger, channel, id) as (owner, entry):
        if entry.call is None or not (entry.in_doubt or entry.perhaps_gone):
            return False
        # Sent first: its worker waits for the lease, and cut off here the call is still in doubt.
        event = decode(entry.call.event)
        await bus.send(channel_queue(channel), entry.call.event, message_id=str(event.id))
        await ledger.keep(channel, id, owner, looked_up(entry, posted))
    return True


class Settlements:
    """Takes the orders that come from receipts."""

    def __init__(self, ledger: Ledger, bus: Bus) -> None:
        self._ledger = ledger
        self._bus = bus

    def consumption(self) -> Consumption[SettlementOrder]:
        """How their queue is consumed."""
        return Consumption(PUBLISHER_SETTLEMENTS, read=decode_order, handle=self.handle)

    async def handle(self, order: SettlementOrder) -> None:
        """Carry one out; one that comes twice, or too late, changes nothing."""
        posted = Posted(url=order.url) if order.there else None
        done = await settle(self._ledger, self._bus, order.channel, order.publication_id, posted)
        _log.info("settled by a person" if done else "nothing was left to settle", there=order.there)


class Doubts:
    """The unconfirmed calls in the ledger, for the length of one command."""

    def __init__(self, settings: PublisherSettings) -> None:
        self._settings = settings

    async def lines(self) -> list[str]:
        """A line a call: channel, publication, title."""
        mongo = Mongo(self._settings.mongo_url.get_secret_value(), "publisher")
        try:
            found = await Ledger(mongo.database).in_doubt()
        finally:
            mongo.close()
        return [f"{channel}  {id}  {_title(entry)}" for channel, id, entry in found]

    async def there(self, channel: str, id: UUID, *, url: str | None, remote: str) -> bool:
        """Record that it is there, and send the event again; False if nothing is in doubt."""
        posted = Posted.model_validate({"url": url, "remote": json.loads(remote)})
        return await self._settle(channel, id, posted)

    async def again(self, channel: str, id: UUID) -> bool:
        """Record that it is not there, and send the event again; False if nothing is in doubt."""
        return await self._settle(channel, id, None)

    async def _settle(self, channel: str, id: UUID, posted: Posted | None) -> bool:
        mongo = Mongo(self._settings.mongo_url.get_secret_value(), "publisher")
        bus = Bus(self._settings)
        await bus.start()
        try:
            await asyncio.wait_for(bus.ready(), 20)
            return await settle(Ledger(mongo.database), bus, channel, id, posted)
        finally:
            await bus.stop()
            mongo.close()


def _title(entry: Entry) -> str:
    if entry.call is None:
        return ""
    event = decode(entry.call.event)
    return "" if isinstance(event, DeliveryReported) else event.data.content.title
