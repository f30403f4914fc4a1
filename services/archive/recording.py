"""Taking events from the bus into the record."""

from datetime import datetime

from services.archive.store import Received, Store
from shared.bus import ARCHIVE_RECORD, Consumption
from shared.events import DeliveryReported, now
from shared.telemetry import END_TO_END, logger

PREFETCH = 300
"""Messages that may share a write: it bounds the memory they take, and fills groups under load."""

_log = logger(__name__)


class Recorder:
    """Stores every event once, and measures how long it took from acceptance to the record."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def consumption(self) -> Consumption[Received]:
        """What the archive takes from its queue."""
        return Consumption(ARCHIVE_RECORD, read=Received.read, handle=self.record, prefetch=PREFETCH)

    async def record(self, received: Received) -> None:
        """Return when the event is in the record, and its publication and receipt are up to date."""
        at = now()
        if await self._store.add(received, at):
            observe(received, at)
            _log.info("event recorded", **received.log_context())


def observe(received: Received, at: datetime) -> None:
    """Count how long a fact took to the record. Who makes an effect elsewhere counts it there."""
    event = received.event
    if not isinstance(event, DeliveryReported):
        END_TO_END.labels("archive").observe(max((at - event.data.accepted_at).total_seconds(), 0))
