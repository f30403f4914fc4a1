"""Reading a request's body: once, within a limit, with errors that name the field and say what is allowed."""

import hashlib
import json
import re
from typing import TypeVar, cast

from fastapi import Request
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from services.ingest.revisions import Revision, parted
from services.ingest.store import Keyed
from shared.publication import Change, Content, Model, Paragraph
from shared.vocabulary import Kind
from shared.web import Problem

BODY_LIMIT = 1024 * 1024
"""Bytes. RabbitMQ 4 takes messages of up to 16 MiB; a publication's text is far below both."""
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_JSON = re.compile(r"application/json\s*(;\s*charset\s*=\s*\"?utf-?8\"?\s*)?", re.IGNORECASE)

T = TypeVar("T")


class WithdrawalRequest(Model):
    """Why a publication is taken back, in words for the public."""

    reason: Paragraph


CONTENT: TypeAdapter[Content] = TypeAdapter(Content)
REVISION: TypeAdapter[Revision] = TypeAdapter(Revision)
WITHDRAWAL = TypeAdapter(WithdrawalRequest)


def read_content(body: bytes) -> Content:
    """A new publication's content. Raises a 400 or 422 `Problem`."""
    return _validated(CONTENT, body)


def read_revision(body: bytes) -> tuple[Content, Change]:
    """A revision's content, and what it changes. Raises a 400 or 422 `Problem`."""
    return parted(_validated(REVISION, body))


def read_withdrawal(body: bytes) -> str:
    """The public reason. Raises a 400 or 422 `Problem`."""
    return _validated(WITHDRAWAL, body).reason


def _validated(adapter: TypeAdapter[T], body: bytes) -> T:
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        raise _problem(error) from error


def _problem(error: ValidationError) -> Problem:
    errors = [_field_error(cast("dict[str, object]", each)) for each in error.errors(include_url=False)]
    if error.errors()[0]["type"] == "json_invalid":
        return Problem(400, "not-json", f"The body is not JSON: {errors[0]['message']}.")
    fields = ", ".join(str(each["field"]) for each in errors[:5])
    return Problem(422, "invalid-publication", f"Some fields don't fit: {fields}.", more={"errors": errors})


def _field_error(error: dict[str, object]) -> dict[str, object]:
    location = [str(part) for part in cast("tuple[object, ...]", error["loc"])]
    if location and location[0] in Kind.__members__.values():
        location = location[1:]
    if str(error["type"]).startswith("union_tag"):
        allowed = [str(kind) for kind in Kind]
        return {"field": "kind", "message": "must be one of the allowed kinds", "allowed": allowed}
    described: dict[str, object] = {"field": ".".join(location) or "body", "message": str(error["msg"])}
    context = error.get("ctx")
    if isinstance(context, dict) and "expected" in context:
        described["allowed"] = re.findall(r"'([^']*)'", str(context["expected"])) or [context["expected"]]
    return described


async def body_of(request: Request) -> bytes:
    """The whole body. Raises a 415 `Problem` unless it is JSON, and 413 as soon as it is over the limit."""
    if not _JSON.fullmatch(request.headers.get("Content-Type", "")):
        raise Problem(415, "not-json-type", "Send application/json, in UTF-8.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise Problem(413, "too-large", f"The body is over {BODY_LIMIT} bytes.")
    return bytes(body)


def keyed(request: Request, body: bytes) -> Keyed | None:
    """The request's Idempotency-Key and the fingerprint of what it asks for; None without a key.

    The fingerprint is of the JSON values, not of the bytes: another order of members is the same request.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise Problem(400, "bad-idempotency-key", "Idempotency-Key takes 1 to 255 visible ASCII characters.")
    asked = [request.method, request.url.path, request.headers.get("If-Match"), from_json(body)]
    canonical = json.dumps(asked, sort_keys=True, ensure_ascii=True)
    return Keyed(key, hashlib.sha256(canonical.encode()).hexdigest())


def revision_seen(request: Request) -> int:
    """The revision that If-Match names, as `"<revision>"`. Raises a 428 `Problem` without one, else 400."""
    seen = request.headers.get("If-Match")
    if seen is None or seen.strip() == "*":
        raise Problem(
            428, "revision-missing", 'Name the revision that you have seen: If-Match: "<revision>".'
        )
    match = re.fullmatch(r'"([1-9][0-9]{0,8})"', seen.strip())
    if match is None:
        raise Problem(400, "bad-if-match", 'If-Match takes one revision in quotes: If-Match: "1".')
    return int(match[1])
