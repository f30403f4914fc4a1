"""What ingest counts beside what all services do."""

from prometheus_client import Counter, Gauge

ACCEPTED = Counter(
    "visnyk_accepted_total", "Submissions, revisions and withdrawals accepted.", ["kind", "operation"]
)
OLDEST_UNEMITTED = Gauge(
    "visnyk_oldest_unemitted_seconds",
    "Age of the oldest accepted event that is not on the bus; 0 if all are.",
)
