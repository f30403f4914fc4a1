"""Outlets, their journalists, what each subscribed to; and the file that they are imported from.

The file's format is described in `docs/outlets.md`.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import yaml
from pydantic import AfterValidator, BeforeValidator, EmailStr, Field, StringConstraints, ValidationError

from shared.fields import Line, Model
from shared.vocabulary import Kind, Topic, Urgency


class Mode(StrEnum):
    """How a subscriber gets what matches: each publication at once, or all of a day together."""

    IMMEDIATE = "immediate"
    DIGEST = "digest"


def _hour(value: object) -> object:
    """YAML 1.1 reads an unquoted 17:00 as a number of base 60: as the minutes since midnight, that is."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        return f"{value // 60:02}:{value % 60:02}"
    return value


def _ascii(address: str) -> str:
    if not address.isascii():
        raise ValueError("only ASCII addresses can be mailed; write a national domain in its xn-- form")
    return address


Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Hour = Annotated[str, BeforeValidator(_hour), StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""An hour of the day in Kyiv, `17:00`."""
Address = Annotated[EmailStr, AfterValidator(_ascii)]


def recipient_id(address: str) -> str:
    """Deterministic, so that imports that race agree; letter case makes no difference."""
    return hashlib.sha256(address.casefold().encode()).hexdigest()[:24]


class Subscription(Model):
    """What somebody wants: every list that is not empty must contain a value of the publication's."""

    kinds: tuple[Kind, ...] = ()
    topics: tuple[Topic, ...] = ()
    departments: tuple[Slug, ...] = ()
    urgencies: tuple[Urgency, ...] = ()
    mode: Mode = Mode.IMMEDIATE


class Journalist(Model):
    """Somebody who gets mail for an outlet; known by the address, which stands once in all outlets."""

    name: Line
    address: Address
    accredited: bool = Field(default=False, description="Gets publications under embargo in advance.")
    subscriptions: Annotated[tuple[Subscription, ...], Field(min_length=1, max_length=50)]

    @property
    def id(self) -> str:
        return recipient_id(self.address)


class Outlet(Model):
    """A media outlet; its digest is made at its own hour in Kyiv."""

    id: Slug
    name: Line
    digest_hour: Hour = "17:00"
    journalists: Annotated[tuple[Journalist, ...], Field(max_length=2_000)] = ()


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A journalist who gets mail now: listed by an outlet, and not unsubscribed."""

    id: str
    outlet: str
    name: str
    address: str
    accredited: bool
    token: str
    """Unguessable; what the unsubscribe link knows a person by."""
    subscriptions: tuple[Subscription, ...]


class InvalidFile(Exception):
    """An outlets' file that can't be imported; `errors` are lines for a person, at least one."""

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = tuple(errors)


def read_outlets(text: str) -> tuple[Outlet, ...]:
    """Read the text of an outlets' file, YAML or JSON. Raises `InvalidFile` with all its errors."""
    try:
        # JSON is YAML, but for tabs and a few escapes.
        document = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise InvalidFile([f"not readable: {' '.join(str(error).split())}"]) from error
    if not isinstance(document, dict) or not isinstance(document.get("outlets"), list):
        raise InvalidFile(["the file must be a mapping with a list `outlets`"])
    errors = [f"{key}: unknown, only `outlets` is read" for key in document if key != "outlets"]
    outlets: list[Outlet] = []
    for number, entry in enumerate(document["outlets"]):
        try:
            outlets.append(Outlet.model_validate(entry))
        except ValidationError as error:
            errors.extend(_lines(number, error))
    errors.extend(_repetitions(outlets))
    if errors:
        raise InvalidFile(errors)
    return tuple(outlets)


def _lines(number: int, error: ValidationError) -> Iterator[str]:
    for found in error.errors(include_url=False):
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in found["loc"])
        yield f"outlets[{number}]{path}: {found['msg']}"


def _repetitions(outlets: Sequence[Outlet]) -> Iterator[str]:
    ids: set[str] = set()
    listed_by: dict[str, str] = {}
    for outlet in outlets:
        if outlet.id in ids:
            yield f"{outlet.id}: this id stands twice"
        ids.add(outlet.id)
        for journalist in outlet.journalists:
            if journalist.id in listed_by:
                yield f"{outlet.id}: {journalist.address} is already listed by {listed_by[journalist.id]}"
            listed_by[journalist.id] = outlet.id
