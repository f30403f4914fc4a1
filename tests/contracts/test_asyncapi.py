"""The contract of the events is kept in the repository, and is the one the code has."""

from pathlib import Path

import pytest
from cloudevents.v1.http import from_json

from shared.asyncapi import document
from shared.events import Unreadable, decode
from shared.publication import Fact
from tests.samples import fact, publication

KEPT = Path(__file__).parents[2] / "docs" / "asyncapi.json"


def test_the_kept_document_is_the_generated_one() -> None:
    """After an intended change: `python -m shared.asyncapi > docs/asyncapi.json`."""
    assert KEPT.read_text(encoding="utf-8") == document()


@pytest.mark.parametrize("what", list(Fact))
def test_events_are_cloudevents(what: Fact) -> None:
    """The CloudEvents SDK reads what we write, in structured JSON mode."""
    event = fact(publication(), what)
    read = from_json(event.encode())
    assert read["specversion"] == "1.0"
    assert read["type"] == f"ua.visnyk.publication.{what}.v1"
    assert read["subject"] == str(event.data.id)
    assert decode(event.encode()) == event


def test_a_field_added_later_is_ignored_by_readers_of_today() -> None:
    event = fact(publication())
    newer = event.encode().replace(b'"revision":1', b'"revision":1,"mood":"sunny"')
    assert decode(newer) == event


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"[]", "no type"),
        (b"\xff\xfe", "not JSON"),
        (b'{"type":"ua.visnyk.publication.released.v2"}', "unknown type or schema version"),
        (b'{"type":"ua.visnyk.publication.released.v1"}', "does not fit its schema"),
    ],
)
def test_what_cannot_be_read_says_why(body: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        decode(body)
