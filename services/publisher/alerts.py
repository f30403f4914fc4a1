"""Telling the operators what only they can mend."""

from datetime import datetime, timedelta

from services.publisher.settings import PublisherSettings
from shared.events import now
from shared.telemetry import logger

SAME_AGAIN = timedelta(hours=1)

_log = logger(__name__)


class Alerts:
    """Says the same thing once an hour at most."""

    def __init__(self, settings: PublisherSettings) -> None:
        self._settings = settings
        self._said: dict[str, datetime] = {}

    async def tell(self, subject: str, text: str) -> None:
        """Log it."""
        at = now()
        before = self._said.get(subject)
        if before is not None and at - before < SAME_AGAIN:
            return
        self._said[subject] = at
        _log.error("alert", subject=subject, text=text)
