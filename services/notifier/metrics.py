"""What the notifier counts beside what every service does."""

from prometheus_client import Counter, Gauge

MAILS = Counter("visnyk_mails_total", "Answers to mails sent, by purpose.", ["purpose", "outcome"])
POSSIBLE_DUPLICATES = Counter(
    "visnyk_mail_possible_duplicates_total",
    "Mails sent again though the server may have taken them before: their answer was in flight when a "
    "process died or the connection broke. The Message-ID is the same.",
)
SMTP_CONNECTIONS = Gauge("visnyk_smtp_connections", "Open connections to the mail server.", ["state"])
OPEN_FANOUTS = Gauge("visnyk_mail_fanouts_open", "Fan-outs and digests whose mails are not all settled.")
OPEN_BATCHES = Gauge("visnyk_mail_batches_open", "Batches of mails that are not settled, parked ones too.")
OLDEST_OPEN = Gauge(
    "visnyk_mail_oldest_open_seconds", "Age of the oldest fan-out whose mails are not all settled."
)
