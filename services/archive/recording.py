"""Taking events from the bus into the record."""

from datetime import datetime

from services.archive.store import Received, Store
from shared.bus import ARCHIVE_RECORD, Consumption
from shared.events import DeliveryReported, Outcome, now
from shared.publication import Fact
from shared.telemetry import END_TO_END

PREFETCH = 300
"""Messages that may share a write: it bounds the memory they take, and fills groups under load."""

_EFFECTS = (Outcome.PUBLISHED, Outcome.UPDATED, Outcome.REMOVED)


class Recorder:
    """Stores every event once, and measures how long it took from acceptance to effect."""

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


def observe(received: Received, at: datetime) -> None:
    """Count an event's end-to-end time, where it is an effect."""
    event = received.event
    if isinstance(event, DeliveryReported):
        if event.data.outcome in _EFFECTS:
            _observe(event.data.target, event.data.accepted_at, event.data.at)
        return
    publication = event.data
    begun = publication.accepted_at
    if event.fact is Fact.RELEASED and publication.released_at is not None:
        # Of one that waited for its hour, the hour itself is where the wait for the record begins.
        begun = max(begun, publication.released_at)
    _observe("archive", begun, at)


def _observe(target: str, begun: datetime, ended: datetime) -> None:
    END_TO_END.labels(target).observe(max((ended - begun).total_seconds(), 0))
