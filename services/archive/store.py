"""The archive's collections.

`events` is the record, append-only. `publications` (the latest state of each, with what lists filter
by) and `receipts` (the report that stands, one a target) follow from it and can be computed again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self, cast
from uuid import UUID

from bson import encode
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from pymongo import ASCENDING, DESCENDING, IndexModel, InsertOne, UpdateOne

from services.archive.precedence import (
    State,
    is_public,
    place_in_list,
    place_of_fact,
    place_of_report,
    state_of,
)
from services.archive.views import dumped
from services.archive.words import base_forms
from shared.bus import Permanent
from shared.events import Delivery, DeliveryReported, PublicationEvent, Unreadable, decode
from shared.mongo import Database, Document, GroupedWrites, WriteRefused, store_failures
from shared.publication import Publication
from shared.telemetry import logger

MOST_BYTES = 8 * 1024 * 1024
"""A message above this is refused: a document holds 16 MiB, and publications are far smaller."""

_CODEC: CodecOptions[Document] = CodecOptions(uuid_representation=UuidRepresentation.STANDARD)
_log = logger(__name__)


@dataclass(frozen=True)
class Received:
    """An event and the very bytes it came in, which are what is kept: members unknown today included."""

    event: PublicationEvent | DeliveryReported
    body: bytes

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Raises `Unreadable`."""
        if len(body) > MOST_BYTES:
            raise Unreadable(f"{len(body)} bytes are more than the record takes")
        return cls(decode(body), body)

    def log_context(self) -> dict[str, str]:
        return self.event.log_context()


@dataclass(frozen=True)
class Stored:
    """An event as the record has it."""

    event: PublicationEvent | DeliveryReported
    body: str
    received_at: datetime


def event_document(received: Received, at: datetime) -> Document:
    """The event as it is kept."""
    event = received.event
    return {
        "_id": event.id,
        "subject": event.subject,
        "type": event.type,
        "rank": event.rank,
        "time": event.time,
        "received_at": at,
        "body": received.body.decode(),
    }


def publication_document(event: PublicationEvent) -> Document:
    """The latest state of a publication, if no event of a higher place is known."""
    publication, state = event.data, state_of(event.fact)
    return {
        "_id": publication.id,
        "place": place_of_fact(event),
        "rank": event.rank,
        "revision": publication.revision,
        "state": state.value,
        "public": is_public(publication, state),
        "kind": publication.kind.value,
        "section": publication.section.value,
        "department": publication.department.id,
        "topics": [topic.value for topic in publication.content.topics],
        "listed": place_in_list(publication),
        "words": words_of(publication) if state is State.RELEASED else [],
        "publication": dumped(publication),
    }


def words_of(publication: Publication) -> list[str]:
    """What a search finds it by."""
    content = publication.content
    return base_forms(f"{content.title}\n{content.lead}\n{content.body}")


def receipt_document(event: DeliveryReported) -> Document:
    """One target's report, if none of a higher place is known."""
    report = event.data
    return {
        "_id": f"{report.publication_id}:{report.target}",
        "publication": report.publication_id,
        "target": report.target,
        "place": place_of_report(event),
        "rank": report.rank,
        "outcome": report.outcome.value,
        "report": report.model_dump(mode="json"),
    }


def _if_above(document: Document) -> UpdateOne:
    """Put the document there unless one of the same or a higher place stands."""
    values = {name: value for name, value in document.items() if name != "_id"}
    return UpdateOne(
        {"_id": document["_id"], "place": {"$lt": document["place"]}}, {"$set": values}, upsert=True
    )


_FILTERS = ("kind", "section", "department", "topics", "state")
"""What lists are filtered by; each has an index of its own, the rest is filtered from its documents."""


class Store:
    """Reads and writes; every method raises `StoreUnavailable` while the database is away."""

    def __init__(self, database: Database) -> None:
        self.events = database["events"]
        self.publications = database["publications"]
        self.receipts = database["receipts"]
        self._events = GroupedWrites(self.events)
        self._publications = GroupedWrites(self.publications)
        self._receipts = GroupedWrites(self.receipts)

    async def prepare(self) -> None:
        """Make the indexes; those that are there already stay as they are."""
        lists = [
            IndexModel([("public", ASCENDING), *fields, ("listed", DESCENDING)])
            for fields in ([], *([(name, ASCENDING)] for name in _FILTERS))
        ]
        with store_failures():
            await self.events.create_indexes([IndexModel([("subject", ASCENDING), ("_id", ASCENDING)])])
            await self.publications.create_indexes(lists)
            await self.publications.create_indexes(
                [IndexModel([("words", ASCENDING), ("listed", DESCENDING)])]
            )
            await self.receipts.create_indexes([IndexModel([("publication", ASCENDING)])])

    async def add(self, received: Received, at: datetime) -> bool:
        """Keep an event, and bring what follows from it up to date; whether it came for the first time.

        Repeating it does no harm, and completes what an interrupted call began.
        Raises `Permanent` for an event that no document can hold.
        """
        event = received.event
        kept = event_document(received, at)
        if isinstance(event, DeliveryReported):
            derived, writes = receipt_document(event), self._receipts
        else:
            derived, writes = publication_document(event), self._publications
        _must_fit(kept, derived)
        try:
            # The record first: what stands in the other two always follows from an event that is kept.
            new = await self._events.put(InsertOne(kept))
            await writes.put(_if_above(derived))
        except WriteRefused as error:
            raise Permanent(str(error)) from error
        return new

    async def events_of(self, publication_id: UUID) -> list[Stored]:
        """All events of a publication, in the order they were made."""
        with store_failures():
            documents = await self.events.find({"subject": publication_id}).sort("_id").to_list(None)
        return [stored for document in documents if (stored := read_event(document)) is not None]

    async def listed(self, conditions: Document, limit: int) -> list[Document]:
        """Publications' documents without their bodies, the latest first."""
        with store_failures():
            cursor = self.publications.find(conditions, {"publication.content.body": 0, "words": 0})
            return await cursor.sort("listed", DESCENDING).limit(limit).to_list(None)

    async def reports_of(self, publication_ids: Sequence[UUID]) -> dict[UUID, dict[str, Delivery]]:
        """The reports that stand, by publication and target."""
        with store_failures():
            documents = await self.receipts.find({"publication": {"$in": list(publication_ids)}}).to_list(
                None
            )
        reports: dict[UUID, dict[str, Delivery]] = {id: {} for id in publication_ids}
        for document in documents:
            report = Delivery.model_validate(document["report"], extra="ignore")
            reports[report.publication_id][report.target] = report
        return reports

    async def find_words(self) -> int:
        """Make findable what an earlier version recorded; return how many publications that were."""
        found = 0
        with store_failures():
            async for document in self.publications.find({"words": {"$exists": False}}):
                publication = Publication.model_validate(document["publication"], extra="ignore")
                released = document["state"] == State.RELEASED
                words = await asyncio.to_thread(words_of, publication) if released else []
                await self.publications.update_one(
                    {"_id": document["_id"], "place": document["place"]}, {"$set": {"words": words}}
                )
                found += 1
        return found

    async def departments(self) -> dict[str, str]:
        """Departments that have something in public, by id, with the name they had last."""
        with store_failures():
            found = await self.publications.aggregate(
                [
                    {"$match": {"public": True}},
                    {"$sort": {"public": 1, "department": 1, "listed": -1}},
                    {
                        "$group": {
                            "_id": "$department",
                            "name": {"$first": "$publication.department.name"},
                        }
                    },
                ]
            ).to_list(None)
        return {str(document["_id"]): str(document["name"]) for document in found}


def read_event(document: Mapping[str, object]) -> Stored | None:
    """An event of the record; None, and a line in the log, if this version can't read it."""
    body = cast("str", document["body"])
    try:
        event = decode(body.encode())
    except Unreadable as error:
        _log.error("an event of the record is unreadable", event_id=str(document["_id"]), reason=str(error))
        return None
    return Stored(event, body, cast("datetime", document["received_at"]))


def _must_fit(*documents: Document) -> None:
    """One document that can't be encoded would fail the whole group it is sent with."""
    try:
        for document in documents:
            encode(document, codec_options=_CODEC)
    except (BSONError, OverflowError) as error:
        raise Permanent(f"no document can hold it: {error}") from error
