"""Digest items in the database: what waits for which recipient's digest, and what stood in one."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from pymongo import InsertOne, UpdateOne
from pymongo.errors import BulkWriteError

from services.notifier.records import DigestItem, item_id
from shared.mongo import DUPLICATE_KEY, Document, Mongo, StoreUnavailable, store_failures


class Items:
    """One document for a publication and a recipient: pending, then assigned to one mail for good."""

    def __init__(self, mongo: Mongo) -> None:
        self._items = mongo.database["digest_items"]

    async def prepare(self) -> None:
        with store_failures():
            await self._items.create_index([("recipient", 1), ("state", 1)])
            await self._items.create_index("publication")
            await self._items.create_index("mail")

    async def add(self, publication: UUID, recipients: Collection[str]) -> None:
        """Let a publication wait for these recipients' digests; those that it waits for already stay."""
        if not recipients:
            return
        inserts: list[InsertOne[Document]] = [
            InsertOne(
                {
                    "_id": item_id(publication, recipient),
                    "publication": publication,
                    "recipient": recipient,
                    "state": "pending",
                }
            )
            for recipient in recipients
        ]
        try:
            with store_failures():
                await self._items.bulk_write(inserts, ordered=False)
        except BulkWriteError as error:
            if error.details.get("writeConcernErrors"):
                raise StoreUnavailable("the majority did not confirm in time") from error
            if any(failure["code"] != DUPLICATE_KEY for failure in error.details["writeErrors"]):
                raise

    async def pending(self, recipients: Collection[str]) -> list[DigestItem]:
        return await self._find({"recipient": {"$in": list(recipients)}, "state": "pending"})

    async def assigned_unsent(self, recipients: Collection[str]) -> list[DigestItem]:
        """Items that a mail was to carry, but that were never made up into one."""
        return await self._find(
            {"recipient": {"$in": list(recipients)}, "state": "assigned", "revision": {"$exists": False}}
        )

    async def of_publication(self, publication: UUID) -> list[DigestItem]:
        return await self._find({"publication": publication})

    async def of_publications(self, publications: Collection[UUID]) -> list[DigestItem]:
        return await self._find({"publication": {"$in": list(publications)}, "revision": {"$exists": True}})

    async def of_mails(self, mails: Collection[str]) -> list[DigestItem]:
        return await self._find({"mail": {"$in": list(mails)}})

    async def assign(self, ids: Sequence[str], *, mail: str, fanout: str) -> None:
        """Mark pending items with the one mail that will carry them."""
        with store_failures():
            await self._items.update_many(
                {"_id": {"$in": list(ids)}, "state": "pending"},
                {"$set": {"state": "assigned", "mail": mail, "fanout": fanout}},
            )

    async def put_back(self, ids: Sequence[str]) -> None:
        """Let items wait again whose mail will never carry them."""
        with store_failures():
            await self._items.update_many(
                {"_id": {"$in": list(ids)}, "state": "assigned", "revision": {"$exists": False}},
                {"$set": {"state": "pending"}, "$unset": {"mail": "", "fanout": ""}},
            )

    async def drop(self, ids: Sequence[str]) -> None:
        """Let no digest carry these items: their publication was taken back."""
        if not ids:
            return
        with store_failures():
            await self._items.update_many(
                {"_id": {"$in": list(ids)}},
                {"$set": {"state": "dropped"}, "$unset": {"revision": "", "text": ""}},
            )

    async def made_up(self, carried: Mapping[str, tuple[int, str]]) -> None:
        """Record which revision and text of each item (by id) a digest is about to carry."""
        with store_failures():
            await self._items.bulk_write(
                [
                    UpdateOne({"_id": id}, {"$set": {"revision": revision, "text": text}})
                    for id, (revision, text) in carried.items()
                ],
                ordered=False,
            )

    async def _find(self, query: Document) -> list[DigestItem]:
        with store_failures():
            found = await self._items.find(query).to_list(None)
        return [DigestItem.model_validate(document) for document in found]
