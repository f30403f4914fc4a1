"""A document looked at: a PDF that is whole, and nothing else as well."""

from pathlib import Path

from services.ingest.media.refusals import refused

_TAIL = 2048
_AFTER_END_MOST = 64
"""Bytes of white space and the like that may follow a PDF's end; more could be another file."""


def check_pdf(path: Path) -> None:
    """Raise a 422 `Problem` unless a PDF (ISO 32000-1, 7.5) ends as one must, with nothing behind it."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL))
        tail = file.read()
    end = tail.rfind(b"%%EOF")
    if end < 0 or b"startxref" not in tail[:end]:
        raise refused("damaged-file", "The document was cut off on its way: a PDF ends with %%EOF.")
    if len(tail) - end - len(b"%%EOF") > _AFTER_END_MOST:
        raise refused("damaged-file", "Something else follows the end of the PDF: save it anew.")
