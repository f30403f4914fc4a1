"""Telling the operators what only they can mend."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from email import charset

from apprise import Apprise, NotifyType

from services.publisher.settings import PublisherSettings
from shared.events import now
from shared.telemetry import logger

SAME_AGAIN = timedelta(hours=1)
LAST_WORDS = 10.0
"""Seconds that alerts under way get when the service stops."""

Alert = Callable[[str, str], Awaitable[None]]
"""Tells operators: a subject and a text."""

_log = logger(__name__)
# What it says of an address that it doesn't understand may hold a password.
logging.getLogger("apprise").setLevel(logging.CRITICAL)


async def nobody(subject: str, text: str) -> None:
    """Where there is nobody to tell."""


class Alerts:
    """Says the same thing once an hour at most, and never keeps its caller waiting.

    Addresses are Apprise's: https://appriseit.com/services/
    """

    def __init__(self, settings: PublisherSettings) -> None:
        self._said: dict[str, datetime] = {}
        self._kept_back: dict[str, int] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._apprise = Apprise()
        addresses = settings.alert_urls.get_secret_value()
        if addresses and not self._apprise.add(addresses):
            _log.error("an address in ALERT_URLS is not understood", understood=len(self._apprise))
        # Apprise's mail plugin changes for the whole process how names in headers are encoded, and tears
        # them apart: the channels' own mails need the standard library's way.
        charset.add_charset("utf-8", charset.SHORTEST, charset.BASE64, "utf-8")

    async def tell(self, subject: str, text: str) -> None:
        """Log it, and send it to every address in the background. Never fails."""
        at = now()
        before = self._said.get(subject)
        if before is not None and at - before < SAME_AGAIN:
            self._kept_back[subject] = self._kept_back.get(subject, 0) + 1
            return
        self._said = {said: when for said, when in self._said.items() if at - when < SAME_AGAIN}
        self._said[subject] = at
        if again := self._kept_back.pop(subject, 0):
            text = f"{text}\n\nПісля попереднього сповіщення таке траплялося ще: {again}."
        _log.error("alert", subject=subject, text=text)
        if len(self._apprise):
            task = asyncio.create_task(self._send(subject, text))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def close(self) -> None:
        """Let alerts under way go out, for a few seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await asyncio.gather(*self._sending)

    async def _send(self, subject: str, text: str) -> None:
        try:
            sent = await asyncio.to_thread(self._notify, subject, text)
        except Exception as error:  # noqa: BLE001  # whatever a plugin raises: the alert is in the log
            _log.warning("the alert was not sent", subject=subject, error=type(error).__name__)
        else:
            if not sent:
                _log.warning("the alert did not reach every address", subject=subject)

    def _notify(self, subject: str, text: str) -> bool:
        return bool(self._apprise.notify(text, title=f"Вісник: {subject}", notify_type=NotifyType.FAILURE))
