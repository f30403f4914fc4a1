"""Logs as JSON lines on standard output, and the metrics that more than one service counts."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from prometheus_client import Counter, Gauge, Histogram
from structlog.contextvars import bound_contextvars
from structlog.typing import EventDict, WrappedLogger

EMITTED = Counter("visnyk_emitted_total", "Events confirmed by the broker.", ["event"])
CONSUMED = Counter(
    "visnyk_consumed_total",
    "Messages taken from a queue, by what was done with them: done, retried, parked, unreadable.",
    ["queue", "result"],
)
PARKED = Counter("visnyk_parked_total", "Messages parked for a person.", ["queue"])
RETRIED = Counter("visnyk_retried_total", "Messages sent to wait for a further attempt.", ["queue"])
DELIVERED = Counter("visnyk_delivered_total", "Outcomes reported.", ["target", "outcome"])
END_TO_END = Histogram(
    "visnyk_end_to_end_seconds",
    "From the acceptance of a fact at ingest to its effect at a target.",
    ["target"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 14400),
)
BUS_CONNECTED = Gauge("visnyk_bus_connected", "1 while the connection to the broker stands.", ["connection"])


def configure_logging(service: str, level: str = "INFO") -> None:
    """Send structlog's and the standard library's records to standard output as JSON lines."""

    def name_service(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    chain: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        name_service,
    ]
    structlog.configure(
        processors=[*chain, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=chain,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # The URL of a request may hold a capability (a receipt, an unsubscription): no access log.
    logging.getLogger("uvicorn.access").disabled = True
    for chatty in ("aio_pika", "aiormq", "pymongo", "httpx"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


@contextmanager
def log_context(context: dict[str, str]) -> Iterator[None]:
    """Put these fields on every log line written inside."""
    with bound_contextvars(**context):
        yield


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose lines carry the context of the message being handled."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return bound
