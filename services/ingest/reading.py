"""Reading a request's body: once, within a limit, with errors that name the field and say what is allowed."""

import json
import re
from collections.abc import Sequence
from itertools import islice
from typing import TypeVar, cast

from fastapi import Request
from pydantic import TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect

from services.ingest.naming import field_names
from services.ingest.revisions import Revision, parted
from services.ingest.wording import unseen
from shared.fields import Model, Paragraph
from shared.publication import Change, Content
from shared.vocabulary import Kind
from shared.web import Problem

BODY_LIMIT = 1024 * 1024
"""Bytes. RabbitMQ 4 takes messages of up to 16 MiB; a publication's text is far below both."""
_ERRORS_SHOWN = 20
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
    return _validated(CONTENT, Content, body)


def read_revision(body: bytes) -> tuple[Content, Change]:
    """A revision's content, and what it changes. Raises a 400 or 422 `Problem`."""
    return parted(_validated(REVISION, Revision, body))


def read_withdrawal(body: bytes) -> str:
    """The public reason. Raises a 400 or 422 `Problem`."""
    return _validated(WITHDRAWAL, WithdrawalRequest, body).reason


async def body_of(request: Request) -> bytes:
    """The whole body. Raises a 415 `Problem` unless it is JSON, and 413 as soon as it is over the limit."""
    if not _JSON.fullmatch(request.headers.get("Content-Type", "")):
        raise Problem(415, "not-json-type", "Send application/json, in UTF-8.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem(
            415, "encoded", "Send the body as it is, not compressed.", headers={"Accept-Encoding": "identity"}
        )
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_LIMIT:
                raise Problem(413, "too-large", f"The body is over {BODY_LIMIT} bytes.")
    except ClientDisconnect as error:
        raise Problem(400, "cut-off", "The connection ended before the body did.") from error
    return bytes(body)


def unfit(*errors: dict[str, object]) -> Problem:
    """The 422 that says which fields don't fit, and what would."""
    shown = errors[:_ERRORS_SHOWN]
    first = ", ".join(str(error["field"]) for error in shown[:5] if error["field"])
    detail = f"Some fields don't fit: {first}." if first else str(shown[0]["message"])
    return Problem(422, "invalid-publication", detail, more={"errors": list(shown)})


def _validated(adapter: TypeAdapter[T], read: object, body: bytes) -> T:
    try:
        value = adapter.validate_json(body)
    except ValidationError as error:
        raise _problem(error, read) from error
    try:
        # Which of the two would be the official one? Pydantic takes the last without a word.
        plain = json.loads(body.decode(), object_pairs_hook=_each_once)
    except ValueError as error:
        raise Problem(400, "not-json", f"The body is not plain JSON: {error}.") from error
    faults = islice(unseen(plain), _ERRORS_SHOWN)
    errors: list[dict[str, object]] = [{"field": field[:200], "message": fault} for field, fault in faults]
    if errors:
        raise unfit(*errors)
    return value


def _each_once(members: list[tuple[str, object]]) -> dict[str, object]:
    if len({name for name, _ in members}) != len(members):
        names = [name for name, _ in members]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:100]!r} stands in it twice")
    return dict(members)


def _problem(error: ValidationError, read: object) -> Problem:
    errors = cast("list[dict[str, object]]", error.errors(include_url=False))
    if errors[0]["type"] == "json_invalid":
        return Problem(400, "not-json", f"The body is not JSON: {_message(errors[0])}.")
    places = [_place(each) for each in errors]
    # A list whose only item is wrong is not too short as well.
    own = [
        each
        for each, place in zip(errors, places, strict=True)
        if each["type"] != "too_short" or not any(_within(other, place) for other in places)
    ]
    return unfit(*(_field_error(each, read) for each in own[:_ERRORS_SHOWN]))


def _place(error: dict[str, object]) -> tuple[object, ...]:
    return tuple(cast("Sequence[object]", error["loc"]))


def _within(place: tuple[object, ...], around: tuple[object, ...]) -> bool:
    return len(place) > len(around) and place[: len(around)] == around


def _field_error(error: dict[str, object], read: object) -> dict[str, object]:
    if error["type"] == "extra_forbidden":
        allowed = field_names(read, _place(error)[:-1])
        return {"field": _field(error), "message": "there is no such field", "allowed": allowed}
    if str(error["type"]).startswith("union_tag"):
        allowed = [str(kind) for kind in Kind]
        return {"field": "kind", "message": "must be one of the allowed kinds", "allowed": allowed}
    described: dict[str, object] = {"field": _field(error), "message": _message(error)}
    context = error.get("ctx")
    if isinstance(context, dict) and "expected" in context:
        described["allowed"] = re.findall(r"'([^']*)'", str(context["expected"])) or [context["expected"]]
    return described


def _message(error: dict[str, object]) -> str:
    return str(error["msg"]).removeprefix("Value error, ").removeprefix("Invalid JSON: ")


def _field(error: dict[str, object]) -> str:
    """The field as the sender knows it: `event.starts_at`; "" for the document as a whole."""
    location = [str(part) for part in cast("Sequence[object]", error["loc"])]
    if location and location[0] in Kind.__members__.values():
        location = location[1:]
    if error["type"] == "value_error" and isinstance(error["input"], dict):
        # Of fields that don't fit together, found by the model around them: the text names them.
        location += re.findall(r"[a-z]+_[a-z]+", _message(error))[:1]
    return ".".join(location)[:200]
