"""The bus: one topology, one way to publish, one way to consume."""

from shared.bus.connection import Bus, Tap
from shared.bus.consuming import Consumption, Later, Permanent, Report
from shared.bus.publishing import BusUnavailable, Unroutable
from shared.bus.topology import (
    ARCHIVE_RECORD,
    NOTIFIER_MAILS,
    NOTIFIER_RELEASES,
    PUBLISHER_PREVIEWS,
    PUBLISHER_SETTLEMENTS,
    channel_queue,
)

__all__ = [
    "ARCHIVE_RECORD",
    "NOTIFIER_MAILS",
    "NOTIFIER_RELEASES",
    "PUBLISHER_PREVIEWS",
    "PUBLISHER_SETTLEMENTS",
    "Bus",
    "BusUnavailable",
    "Consumption",
    "Later",
    "Permanent",
    "Report",
    "Tap",
    "Unroutable",
    "channel_queue",
]
