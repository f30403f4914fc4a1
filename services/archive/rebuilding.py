"""Computing `publications` and `receipts` again from the record of events, while the service runs.

For a change of what is derived, or a doubt about it. Lists stay whole all the time: documents are
replaced in place, a few hundred publications at once.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from pymongo import ASCENDING, DeleteMany, ReplaceOne

from services.archive.precedence import place_of_fact, place_of_report
from services.archive.store import Store, publication_document, read_event, receipt_document
from shared.events import DeliveryReported, PublicationEvent
from shared.mongo import Collection, Document, store_failures
from shared.telemetry import logger

CHUNK = 1_000
"""Events looked at for the publications that are computed together."""

_log = logger(__name__)


@dataclass(frozen=True)
class Done:
    """What is there after a rebuild, and what was found on the way."""

    events: int
    publications: int
    receipts: int
    unreadable: int
    orphans: int


async def rebuild(store: Store) -> Done:
    """Make both collections what the record says; harmless to interrupt and to repeat.

    Raises `StoreUnavailable`.
    """
    unreadable: set[object] = set()
    await store.prepare()
    with store_failures():
        async for subjects in _chunks(store.events, "subject"):
            await _compute(store, subjects, unreadable)
            _log.info("rebuilt", publications=len(subjects), up_to=str(subjects[-1]))
        return Done(
            orphans=await _remove_orphans(store, store.publications, "_id")
            + await _remove_orphans(store, store.receipts, "publication"),
            events=await store.events.count_documents({}),
            publications=await store.publications.count_documents({}),
            receipts=await store.receipts.count_documents({}),
            unreadable=len(unreadable),
        )


async def _chunks(collection: Collection, field: str) -> AsyncIterator[list[UUID]]:
    """All values of an indexed field, once each, some at a time."""
    conditions: Document = {}
    while True:
        cursor = collection.find(conditions, {"_id": field == "_id", field: True})
        documents = await cursor.sort(field, ASCENDING).limit(CHUNK).to_list(None)
        if not documents:
            return
        values = list(dict.fromkeys(cast("UUID", document[field]) for document in documents))
        yield values
        conditions = {field: {"$gt": values[-1]}}


async def _compute(store: Store, subjects: Sequence[UUID], unreadable: set[object]) -> None:
    """Replace what is derived for these publications, again for those that got an event meanwhile.

    An event is stored before what follows from it. So one stored after the last look here is yet to
    be applied by whoever stored it, and what it finds here is of a lower place.
    """
    pending = list(subjects)
    while pending:
        documents = await store.events.find({"subject": {"$in": pending}}).to_list(None)
        publications, receipts = _derived(documents, unreadable)
        await _replace(store.publications, "_id", pending, publications)
        await _replace(store.receipts, "publication", pending, receipts)
        seen = Counter(document["subject"] for document in documents)
        stand = await store.events.aggregate(
            [
                {"$match": {"subject": {"$in": pending}}},
                {"$group": {"_id": "$subject", "events": {"$sum": 1}}},
            ]
        ).to_list(None)
        pending = [cast("UUID", s["_id"]) for s in stand if s["events"] != seen[s["_id"]]]


def _derived(documents: Sequence[Document], unreadable: set[object]) -> tuple[list[Document], list[Document]]:
    facts: dict[UUID, PublicationEvent] = {}
    reports: dict[tuple[UUID, str], DeliveryReported] = {}
    for document in documents:
        stored = read_event(document)
        if stored is None:
            unreadable.add(document["_id"])
            continue
        event = stored.event
        if isinstance(event, DeliveryReported):
            key = (event.subject, event.data.target)
            if key not in reports or place_of_report(reports[key]) < place_of_report(event):
                reports[key] = event
        elif event.subject not in facts or place_of_fact(facts[event.subject]) < place_of_fact(event):
            facts[event.subject] = event
    return (
        [publication_document(event) for event in facts.values()],
        [receipt_document(event) for event in reports.values()],
    )


async def _replace(
    collection: Collection, field: str, subjects: Sequence[UUID], documents: Sequence[Document]
) -> None:
    """Make these all that the collection has about these publications."""
    kept = [document["_id"] for document in documents]
    await collection.bulk_write(
        [
            DeleteMany({"$and": [{field: {"$in": list(subjects)}}, {"_id": {"$nin": kept}}]}),
            *(ReplaceOne({"_id": document["_id"]}, document, upsert=True) for document in documents),
        ],
        ordered=False,
    )


async def _remove_orphans(store: Store, collection: Collection, field: str) -> int:
    """Remove what no event stands behind."""
    removed = 0
    async for subjects in _chunks(collection, field):
        known = set(await store.events.distinct("subject", {"subject": {"$in": subjects}}))
        orphans = [subject for subject in subjects if subject not in known]
        if orphans:
            result = await collection.delete_many({field: {"$in": orphans}})
            removed += result.deleted_count
    return removed
