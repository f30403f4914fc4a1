"""The headers that say when a request is to be carried out: Idempotency-Key and If-Match."""

import hashlib
import json
import re
from dataclasses import dataclass

from fastapi import Request
from pydantic_core import from_json

from shared.web import Problem

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS = re.compile(rf"{_TAG}(?:[ \t]*,[ \t]*{_TAG})*")


@dataclass(frozen=True)
class Keyed:
    """The idempotency key of a request, and the fingerprint of what it asked for."""

    key: str
    fingerprint: str


def keyed(request: Request, body: bytes) -> Keyed | None:
    """The request's Idempotency-Key, with the fingerprint of a body that was read; None without a key.

    The fingerprint is of the JSON values, not of the bytes: another order of members is the same request.
    Raises a 400 `Problem`.
    """
    keys = request.headers.getlist("Idempotency-Key")
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        raise Problem(
            400, "bad-idempotency-key", "Send one Idempotency-Key of 1 to 255 visible ASCII characters."
        )
    asked = [request.method, request.url.path, request.headers.get("If-Match"), from_json(body)]
    canonical = json.dumps(asked, sort_keys=True, ensure_ascii=True)
    return Keyed(keys[0], hashlib.sha256(canonical.encode()).hexdigest())


def etag(revision: int) -> str:
    """The strong entity tag of a revision: its number in quotes."""
    return f'"{revision}"'


def revisions_seen(request: Request) -> frozenset[str]:
    """The strong tags that If-Match names.

    A weak one never matches (RFC 9110, 13.1.1). Raises a 428 `Problem` without the header, and 400 for
    `*` too: whoever overwrites a publication must have seen what it says.
    """
    named = request.headers.getlist("If-Match")
    if not named:
        raise Problem(
            428, "revision-missing", 'Name the revision that you have seen: If-Match: "<revision>".'
        )
    tags = ", ".join(named).strip()
    if not _TAGS.fullmatch(tags):
        raise Problem(
            400, "bad-if-match", 'If-Match takes the revision that you have seen, in quotes: If-Match: "1".'
        )
    return frozenset(tag for tag in re.findall(_TAG, tags) if not tag.startswith("W/"))
