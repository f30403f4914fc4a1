"""What was about to be posted, safe before it is sent: so that `find` knows what to look for.

Collection `facebook_posts`, `_id` is the publication's. The ledger's memory of a call isn't enough: `find`
is asked outside any call.
"""

from datetime import datetime, timedelta
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pymongo import ReturnDocument

from shared.mongo import Database, store_failures


class Record(BaseModel):
    """One publication's post, begun and perhaps made."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    message: str
    address: str | None = None
    """The address in the message that no other post leads to; None where the site hadn't shown it yet."""
    media: tuple[str, ...] = ()
    video: bool = False
    """Listed only when it is processed."""
    sent_at: datetime
    doubted_at: datetime | None = None
    """When a call ended without saying whether the post was made."""
    duplicate: bool = False
    """Facebook said that it has this post."""
    post: str | None = None
    """The post's or the video's id, once it is known."""
    look_at: datetime | None = None
    """When to look whether the video is processed; None where nothing is awaited."""


class Records:
    """All documents."""

    def __init__(self, database: Database) -> None:
        self._posts = database["facebook_posts"]

    async def prepare(self) -> None:
        """Make the indexes that `others` and `due` read."""
        with store_failures():
            await self._posts.create_index("post", sparse=True)
            await self._posts.create_index("look_at", sparse=True)

    async def get(self, id: UUID) -> Record | None:
        """The document; None where nothing was ever sent."""
        with store_failures():
            document = await self._posts.find_one({"_id": id})
        return None if document is None else Record.model_validate(document)

    async def begin(self, id: UUID, record: Record) -> None:
        """Keep what is about to be sent, in place of what was."""
        with store_failures():
            await self._posts.replace_one({"_id": id}, record.model_dump(exclude_none=True), upsert=True)

    async def change(self, id: UUID, **fields: object) -> None:
        """Set these fields."""
        with store_failures():
            await self._posts.update_one({"_id": id}, {"$set": fields})

    async def forget(self, id: UUID) -> None:
        """Nothing is there."""
        with store_failures():
            await self._posts.delete_one({"_id": id})

    async def due(self, at: datetime, pause: timedelta) -> tuple[UUID, Record] | None:
        """Take a video that should be looked at; no other process does for `pause`."""
        with store_failures():
            document = await self._posts.find_one_and_update(
                {"look_at": {"$lte": at}},
                {"$set": {"look_at": at + pause}},
                return_document=ReturnDocument.AFTER,
            )
        return None if document is None else (UUID(str(document["_id"])), Record.model_validate(document))

    async def others(self, id: UUID, posts: list[str]) -> set[str]:
        """Those of these posts that are other publications'."""
        with store_failures():
            documents = await self._posts.find(
                {"post": {"$in": posts}, "_id": {"$ne": id}}, {"post": True}
            ).to_list(None)
        return {str(document["post"]) for document in documents}
