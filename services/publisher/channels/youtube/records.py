"""What the channel has on YouTube of each publication: safe before the next step, so that a crash finds it.

Collection `youtube_posts`, `_id` is the publication's. The ledger's memory of a call isn't enough: a
withdrawal that overtakes an upload has to find the session too.
"""

from datetime import datetime, timedelta
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pymongo import ReturnDocument

from shared.mongo import Database, store_failures


class Record(BaseModel):
    """One publication's document."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sha256: str | None = None
    """The file that `session` and `video` are of."""
    size: int = 0
    session: str | None = None
    """The address of an upload that isn't known to be complete. Whoever has it may upload."""
    revision: int = 0
    """Whose title and description the session was begun with."""
    begun_at: datetime | None = None
    """When the session was begun."""
    last_sent_at: datetime | None = None
    """When the last bytes were about to be sent: before that no video can have come of the session."""
    video: str | None = None
    former: tuple[str, ...] = ()
    """Videos of files that were replaced."""
    broadcast: str | None = None
    announcing_at: datetime | None = None
    """When a broadcast was about to be announced, whose id isn't known yet."""
    thumbnail: str | None = None
    """The media key of the picture that was set."""
    awaiting: bool = False
    """Whether the receipt waits for what YouTube makes of it."""
    awaiting_since: datetime | None = None
    look_at: datetime | None = None
    looks: int = 0
    refusal: str | None = None
    """Why nothing was put up, where the receipt is still to be told."""


class Records:
    """All documents."""

    def __init__(self, database: Database) -> None:
        self._posts = database["youtube_posts"]

    async def prepare(self) -> None:
        """Make the index that `due` reads."""
        with store_failures():
            await self._posts.create_index(
                "look_at", partialFilterExpression={"awaiting": True}, name="look_at_awaiting"
            )

    async def get(self, id: UUID) -> Record:
        """The document; an empty one where the channel never began anything."""
        with store_failures():
            document = await self._posts.find_one({"_id": id})
        return Record() if document is None else Record.model_validate(document)

    async def change(self, id: UUID, **fields: object) -> Record:
        """Set these fields, majority and journaled; return the document as it then is."""
        with store_failures():
            document = await self._posts.find_one_and_update(
                {"_id": id}, {"$set": fields}, upsert=True, return_document=ReturnDocument.AFTER
            )
        return Record.model_validate(document)

    async def due(self, at: datetime, most: int, pause: timedelta) -> dict[UUID, Record]:
        """Take publications whose outcome should be looked at; no other process does for `pause`."""
        taken = {}
        for _ in range(most):
            with store_failures():
                document = await self._posts.find_one_and_update(
                    {"awaiting": True, "look_at": {"$lte": at}},
                    {"$set": {"look_at": at + pause}, "$inc": {"looks": 1}},
                    return_document=ReturnDocument.AFTER,
                )
            if document is None:
                break
            taken[UUID(str(document["_id"]))] = Record.model_validate(document)
        return taken
