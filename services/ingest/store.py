"""The outbox: one document a publication, with what was answered, and the events not yet emitted.

{_id, version, department, state, due_at, publication, answers: [{key, fingerprint, revision}],
pending: [{id, since, body}], oldest_pending, lease_until}
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import BaseModel, TypeAdapter
from pymongo import ASCENDING, IndexModel, InsertOne, ReturnDocument, UpdateOne
from pymongo.errors import DuplicateKeyError

from services.ingest.conditions import Keyed
from services.ingest.submissions import Step, Submission
from shared.events import now
from shared.mongo import Database, Document, GroupedWrites, StoreUnavailable, store_failures

LEASE = timedelta(seconds=10)
"""How long what a process is about to emit is left alone by the relays of the others."""

PATIENCE = 3.0
"""Seconds that a request waits for the indexes of a new database."""


class Outdated(Exception):
    """Somebody else changed the submission meanwhile: decide again from what stands now."""


class KeyTaken(Exception):
    """The idempotency key was used before."""


class Answer(BaseModel):
    """What a request with an idempotency key was answered: a revision of a publication."""

    id: UUID
    key: str
    fingerprint: str
    revision: int


class Stored(BaseModel):
    """A submission as it stands, with the version that a change is guarded by."""

    submission: Submission
    version: int
    answers: list[Answer]
    unemitted: int
    """Events of it that are not on the bus yet."""


class _Pending(BaseModel):
    """An event that the broker has not confirmed, encoded."""

    id: UUID
    since: datetime
    body: str


@dataclass(frozen=True)
class Unemitted:
    """A claimed document's events that the broker hasn't confirmed."""

    id: UUID
    bodies: tuple[bytes, ...]


_DOCUMENTS = TypeAdapter(list[dict[str, object]])
_PENDING = TypeAdapter(list[_Pending])
_AT = TypeAdapter(datetime)


class Outbox:
    """All that was accepted, and what of it is not on the bus yet."""

    def __init__(self, database: Database) -> None:
        self._publications = database["publications"]
        self._accepted = GroupedWrites(self._publications)
        self._emitted = GroupedWrites(self._publications)
        self._prepared = asyncio.Event()

    async def prepare(self) -> None:
        """Make the indexes; the unique one is what makes two racing requests one publication."""
        with store_failures():
            await self._publications.create_indexes(
                [
                    IndexModel(
                        [("department", ASCENDING), ("answers.key", ASCENDING)],
                        unique=True,
                        partialFilterExpression={"answers.key": {"$exists": True}},
                    ),
                    IndexModel([("oldest_pending", ASCENDING)], sparse=True),
                    IndexModel([("due_at", ASCENDING)], sparse=True),
                ]
            )
        self._prepared.set()

    @property
    def prepared(self) -> bool:
        """Whether the indexes are there."""
        return self._prepared.is_set()

    async def ready(self) -> None:
        """Wait for the indexes: without them a key could be used twice. Raises `StoreUnavailable`."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._prepared.wait()
        except TimeoutError as error:
            raise StoreUnavailable("the indexes are not made yet") from error

    async def insert(self, step: Step, keyed: Keyed | None) -> None:
        """Accept a new submission: one insert, sent together with others' inserts. Raises `KeyTaken`."""
        publication = step.submission.publication
        document: Document = {
            "_id": publication.id,
            "version": 1,
            "department": publication.department.id,
            **_state(step),
            "pending": [_pending(step)],
            "oldest_pending": step.event.time,
            "lease_until": now() + LEASE,
        }
        if keyed is not None:
            document["answers"] = [_answer(step, keyed)]
        if not await self._accepted.put(InsertOne(document)):
            raise KeyTaken

    async def apply(self, step: Step, version: int, keyed: Keyed | None = None) -> None:
        """Change a submission that still has this version: one update. Raises `Outdated`, `KeyTaken`."""
        pushed: Document = {"pending": _pending(step)}
        if keyed is not None:
            pushed["answers"] = _answer(step, keyed)
        guard: Document = {"_id": step.submission.publication.id, "version": version}
        with store_failures():
            try:
                result = await self._publications.update_one(
                    guard,
                    {
                        "$set": {**_state(step), "lease_until": now() + LEASE},
                        "$inc": {"version": 1},
                        "$push": pushed,
                        "$min": {"oldest_pending": step.event.time},
                    },
                )
            except DuplicateKeyError as error:
                raise KeyTaken from error
        if result.matched_count == 0:
            raise Outdated

    async def find(self, id: UUID, department: str | None = None) -> Stored | None:
        """A submission; with `department`, only if it is that department's."""
        query: Document = {"_id": id} if department is None else {"_id": id, "department": department}
        with store_failures():
            document = await self._publications.find_one(query)
        return None if document is None else _stored(document)

    async def answered(self, department: str, key: str) -> Answer | None:
        """What a request with this key was answered."""
        with store_failures():
            document = await self._publications.find_one(
                {"department": department, "answers.key": key}, {"answers.$": True}
            )
        if document is None:
            return None
        [answer] = _answers(document)
        return answer

    async def emitted(self, id: UUID, *events: UUID) -> None:
        """The broker has these events safe: forget them."""
        left = {"$filter": {"input": "$pending", "cond": {"$not": {"$in": ["$$this.id", list(events)]}}}}
        await self._emitted.put(
            UpdateOne(
                {"_id": id},
                [
                    {"$set": {"pending": left}},
                    {"$set": {"oldest_pending": {"$ifNull": [{"$min": "$pending.since"}, "$$REMOVE"]}}},
                ],
            )
        )

    async def give_back(self, id: UUID) -> None:
        """Let any relay take it over at once."""
        await self._emitted.put(UpdateOne({"_id": id}, {"$set": {"lease_until": now()}}))

    async def claim(self) -> Unemitted | None:
        """Take over one document whose events nobody is emitting, the oldest first."""
        at = now()
        with store_failures():
            document = await self._publications.find_one_and_update(
                {"oldest_pending": {"$exists": True}, "lease_until": {"$lte": at}},
                {"$set": {"lease_until": at + LEASE}},
                sort=[("oldest_pending", ASCENDING)],
                projection={"pending": True},
                return_document=ReturnDocument.AFTER,
            )
        if document is None:
            return None
        pending = _PENDING.validate_python(document["pending"])
        return Unemitted(UUID(str(document["_id"])), tuple(each.body.encode() for each in pending))

    async def due(self, at: datetime, *, most: int = 100) -> list[Stored]:
        """Submissions whose hour has come, the longest overdue first."""
        with store_failures():
            cursor = self._publications.find({"due_at": {"$lte": at}}).sort("due_at", ASCENDING).limit(most)
            return [_stored(document) for document in await cursor.to_list(None)]

    async def oldest_unemitted(self) -> datetime | None:
        """When the oldest event that isn't on the bus yet was decided."""
        with store_failures():
            document = await self._publications.find_one(
                {"oldest_pending": {"$exists": True}},
                {"oldest_pending": True},
                sort=[("oldest_pending", ASCENDING)],
            )
        return None if document is None else _AT.validate_python(document["oldest_pending"])


def _state(step: Step) -> Document:
    """What changes with every step; the hour stands beside the publication for the relay's index."""
    submission = step.submission
    return {
        "state": submission.state,
        "due_at": submission.due_at,
        "publication": submission.publication.model_dump(mode="json", exclude_none=True),
    }


def _pending(step: Step) -> Document:
    return {"id": step.event.id, "since": step.event.time, "body": step.body.decode()}


def _answer(step: Step, keyed: Keyed) -> Document:
    return {
        "key": keyed.key,
        "fingerprint": keyed.fingerprint,
        "revision": step.submission.publication.revision,
    }


def _stored(document: Document) -> Stored:
    fields = {name: document[name] for name in ("state", "due_at", "publication")}
    unemitted = len(_DOCUMENTS.validate_python(document["pending"]))
    return Stored.model_validate(
        {
            "submission": fields,
            "version": document["version"],
            "answers": _answers(document),
            "unemitted": unemitted,
        }
    )


def _answers(document: Document) -> list[Answer]:
    given = _DOCUMENTS.validate_python(document.get("answers", []))
    return [Answer.model_validate({"id": document["_id"], **answer}) for answer in given]
