"""What the ledger keeps of a post."""

from datetime import datetime
from urllib.parse import urljoin

from pydantic import BaseModel, ConfigDict, JsonValue

from services.publisher.channels.facebook.records import Record
from services.publisher.channels.interface import Posted

HOME = "https://www.facebook.com/"
PROCESSING = "Facebook обробляє відео: допис з’явиться, коли воно буде готове."


class Remote(BaseModel):
    """`Posted.remote` of this channel."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    post: str
    """The id that is changed and deleted: a post's, or a video's."""
    video: bool = False
    media: tuple[str, ...] = ()
    at: datetime | None = None
    """When it was about to be sent; unknown where a person told what is there."""


def posted_of(
    record: Record, id: str, permalink: str | None, *, video: bool, awaiting: bool = False
) -> Posted:
    """A post that was made; `permalink` may be relative, and `awaiting` says that it is still processed."""
    remote = Remote(post=id, video=video, media=record.media, at=record.sent_at)
    kept: dict[str, JsonValue] = remote.model_dump(mode="json")
    return Posted(remote=kept, url=urljoin(HOME, permalink or id), awaiting=PROCESSING if awaiting else None)
