"""What the channel has sent of each publication: safe before and after each message, so that it survives.

Collection `telegram_posts`, `_id` is the publication's; `telegram_chats` keeps where chats have moved. The
ledger's memory of a call isn't enough: a withdrawal that overtakes a release has to find its messages too.
"""

from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.mongo import Database, store_failures


class State(StrEnum):
    """What is known of one part."""

    SENDING = "sending"
    """It was about to be sent: nobody knows whether it was."""
    SENT = "sent"
    GONE = "gone"
    """Somebody deleted it by hand."""
    REFUSED = "refused"
    """Telegram won't take it; told in the note."""


class Role(StrEnum):
    """What a part is for."""

    HEAD = "head"
    MORE = "more"
    """The text goes on."""
    DOCUMENT = "document"


class Part(BaseModel):
    """One call's messages: an album has several, all others one."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    role: Role
    state: State
    ids: tuple[int, ...] = ()
    digest: str = ""
    """Of the text that stands there; empty where that isn't known."""
    files: tuple[str, ...] = ()
    """The media keys shown, in the order of `ids`; empty in a part without media."""
    captioned: bool = False
    """Whether its text is a caption."""


class Record(BaseModel):
    """One publication's document."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    chat: int
    revision: int = 0
    """The newest revision that was begun to be shown."""
    parts: tuple[Part, ...] = ()

    @property
    def ids(self) -> list[int]:
        return [id for part in self.parts for id in part.ids]

    @property
    def head(self) -> Part | None:
        return next((part for part in self.parts if part.role is Role.HEAD), None)

    @property
    def in_doubt(self) -> list[Part]:
        return [part for part in self.parts if part.state is State.SENDING]


class Records:
    """All documents."""

    def __init__(self, database: Database) -> None:
        self._posts = database["telegram_posts"]
        self._chats = database["telegram_chats"]

    async def get(self, id: UUID) -> Record | None:
        """Raises `StoreUnavailable`, as all here."""
        with store_failures():
            document = await self._posts.find_one({"_id": id})
        return None if document is None else Record.model_validate(document)

    async def put(self, id: UUID, record: Record) -> None:
        with store_failures():
            await self._posts.replace_one({"_id": id}, record.model_dump(mode="json"), upsert=True)

    async def forget(self, id: UUID) -> None:
        with store_failures():
            await self._posts.delete_one({"_id": id})

    async def moved(self, chat: str, to: int) -> None:
        """Keep where a chat went: `migrate_to_chat_id` is said only to who still asks for the old one."""
        with store_failures():
            await self._chats.replace_one({"_id": chat}, {"moved_to": to}, upsert=True)

    async def whereabouts(self, chat: str) -> int | str:
        """The chat to ask for: its number where it moved, else as it was given."""
        seen: set[str] = set()
        where: int | str = chat
        with store_failures():
            while str(where) not in seen:
                seen.add(str(where))
                document = await self._chats.find_one({"_id": str(where)})
                where = where if document is None else int(str(document["moved_to"]))
        return where
