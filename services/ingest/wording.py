"""Words that people can see: ingest refuses text that is blank to the eye, or reads in another order.

Events of the past may hold such text, so it is ingest's reading that refuses it, not the shared models.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator

from shared import fields

_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Embeddings, overrides and isolates: letters that show in another order than they stand in (UAX #9)."""
_BLANK = frozenset("\u00ad\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters that show nothing though their category says otherwise."""
_SHOWN = frozenset("LNPS")
"""Letters, numbers, punctuation, symbols: the first letters of Unicode's general categories."""


def seen(text: str) -> str:
    """The text. Raises `ValueError` where it shows nothing, or not in its order."""
    if _BIDI.search(text):
        raise ValueError("characters that reverse the order of letters are not allowed")
    if not any(unicodedata.category(char)[0] in _SHOWN and char not in _BLANK for char in text):
        raise ValueError("must have characters that people can see")
    return text


def unseen(value: object, place: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """The place (`event.place`) and the fault of every text in this JSON value that `seen` refuses."""
    if isinstance(value, str):
        try:
            seen(value)
        except ValueError as error:
            yield ".".join(place), str(error)
    elif isinstance(value, Mapping):
        for name, part in value.items():
            yield from unseen(part, (*place, str(name)))
    elif isinstance(value, Sequence):
        for number, part in enumerate(value):
            yield from unseen(part, (*place, str(number)))


Line = Annotated[fields.Line, AfterValidator(seen)]
Paragraph = Annotated[fields.Paragraph, AfterValidator(seen)]
