"""The names of the fields that a model has at some place, for who wrote another one there."""

from collections.abc import Iterator, Sequence
from typing import get_args

from pydantic import BaseModel


def field_names(read: object, place: Sequence[object]) -> list[str]:
    """The fields allowed at a place of this type, as Pydantic's errors name it: `("event", "event")`.

    A union is entered by its tag, a list by a number.
    """
    models = list(_models(read))
    for part in place:
        if isinstance(part, int):
            continue
        tagged = [model for model in models if part in _tags(model)]
        models = tagged or [
            inner
            for model in models
            if str(part) in model.model_fields
            for inner in _models(model.model_fields[str(part)].annotation)
        ]
    return sorted({name for model in models for name in model.model_fields})


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    """The models that stand in an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _tags(model: type[BaseModel]) -> tuple[object, ...]:
    kind = model.model_fields.get("kind")
    return () if kind is None else get_args(kind.annotation)
