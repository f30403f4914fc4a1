"""What the publisher counts beside the metrics that all services share."""

from prometheus_client import Gauge

CHANNEL_STATE = Gauge(
    "visnyk_channel_state",
    "1 for the state that a channel's queue is in: preparing, open, away, halted, paused.",
    ["channel", "state"],
)
