"""What metrics and log say of every file handed in."""

from services.ingest.metrics import UPLOADED_BYTES, UPLOADS
from shared.publication import Department, MediaFile
from shared.telemetry import logger
from shared.web import Problem

_log = logger(__name__)


def count(media: MediaFile, department: Department) -> None:
    """Tell of a file that was taken."""
    UPLOADS.labels(media.form, "taken").inc()
    UPLOADED_BYTES.labels(media.form).inc(media.size)
    _log.info("file taken", media=str(media.id), form=media.form, size=media.size, department=department.id)


def count_refusal(problem: Problem) -> None:
    """Tell of a file that was refused; what it was may not be known."""
    UPLOADS.labels(str(problem.more.get("form", "unknown")), problem.name).inc()
