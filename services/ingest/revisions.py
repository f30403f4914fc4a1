"""What a department sends to revise a publication: the same fields by kind, and what changes."""

from typing import Annotated, cast

from pydantic import BaseModel, Field

from shared.fields import Model
from shared.publication import (
    Announcement,
    Broadcast,
    Change,
    Content,
    Event,
    Explainer,
    Interview,
    News,
    PhotoReport,
    PressRelease,
    RegulatoryAct,
    Video,
)


class _Revises(BaseModel):
    """Mixed into every kind: a revision says what it changes, and how grave that is."""

    change: Change


class NewsRevision(_Revises, News):
    pass


class AnnouncementRevision(_Revises, Announcement):
    pass


class PressReleaseRevision(_Revises, PressRelease):
    pass


class ExplainerRevision(_Revises, Explainer):
    pass


class RegulatoryActRevision(_Revises, RegulatoryAct):
    pass


class EventRevision(_Revises, Event):
    pass


class PhotoReportRevision(_Revises, PhotoReport):
    pass


class VideoRevision(_Revises, Video):
    pass


class BroadcastRevision(_Revises, Broadcast):
    pass


class InterviewRevision(_Revises, Interview):
    pass


Revision = Annotated[
    NewsRevision
    | AnnouncementRevision
    | PressReleaseRevision
    | ExplainerRevision
    | RegulatoryActRevision
    | EventRevision
    | PhotoReportRevision
    | VideoRevision
    | BroadcastRevision
    | InterviewRevision,
    Field(discriminator="kind"),
]
"""A revision, by kind."""


def parted(revision: Revision) -> tuple[Content, Change]:
    """The content and the change that a revision is made of."""
    kind = cast("type[Model]", type(revision).__bases__[1])
    names = kind.model_fields
    fields = {name: getattr(revision, name) for name in names}
    # Validated a moment ago as the very same fields.
    content = kind.model_construct(_fields_set=revision.model_fields_set & set(names), **fields)
    return cast("Content", content), revision.change
