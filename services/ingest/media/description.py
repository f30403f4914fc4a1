"""What a department says about a file."""

from pydantic import ValidationError

from services.ingest.media.refusals import refused
from services.ingest.wording import Line, Paragraph
from shared.fields import Model
from shared.vocabulary import MediaForm
from shared.web import Problem

FIELDS = ("alt", "caption", "author")


class Description(Model):
    """The words that go with a file; `name` is the file's own."""

    alt: Line | None = None
    caption: Paragraph | None = None
    author: Line | None = None
    name: Line | None = None


def described(fields: dict[str, str], name: str | None) -> Description:
    """Read the fields of an upload; an empty one is none. Raises a 422 `Problem`."""
    given = {field: text for field, text in fields.items() if text.strip()}
    if unknown := sorted(given.keys() - set(FIELDS)):
        raise Problem(
            422,
            "unknown-field",
            f"There is no field {unknown[0]!r}; a file has {', '.join(FIELDS)}.",
            more={
                "errors": [
                    {"field": field, "message": "no such field", "allowed": ["file", *FIELDS]}
                    for field in unknown
                ]
            },
        )
    try:
        return Description.model_validate(given | {"name": _tame(name)})
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0])
        raise refused(
            "invalid-description", f"{field}: {first['msg'].removeprefix('Value error, ')}.", field=field
        ) from error


def check_described(form: MediaForm, description: Description) -> None:
    """Raise a 422 `Problem` for a photograph that nobody told those about who can't see it."""
    if form is MediaForm.PHOTO and description.alt is None:
        raise refused(
            "alt-missing",
            "A photograph needs alt: say what it shows, for those who can't see it.",
            field="alt",
        )


def _tame(name: str | None) -> str | None:
    """The last part of a file's name, without what can't be shown; None where nothing is left."""
    if name is None:
        return None
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(char for char in last if char.isprintable())[:200].strip() or None
