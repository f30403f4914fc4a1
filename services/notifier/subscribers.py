"""Outlets and recipients in the database, and the subscribers as every process keeps them in memory."""

import asyncio
import secrets
from collections.abc import Sequence
from datetime import datetime, time
from typing import cast

from pydantic import TypeAdapter
from pymongo import ReturnDocument, UpdateMany, UpdateOne

from services.notifier.outlets import InvalidFile, Outlet, Subscriber, Subscription, recipient_id
from services.notifier.records import Record
from shared.events import now
from shared.mongo import Document, Mongo, store_failures

_SUBSCRIPTIONS: TypeAdapter[tuple[Subscription, ...]] = TypeAdapter(tuple[Subscription, ...])
_VERSION = "subscribers"


class ListedOutlet(Record):
    """An outlet without its journalists, as the digest needs it."""

    id: str
    name: str
    digest_time: time
    since: datetime
    """When it was first imported: digests of earlier hours were never its."""


class Recipient(Record):
    """Somebody who was imported once, whether mail may still go there or not."""

    id: str
    outlet: str
    name: str
    address: str
    token: str
    listed: bool
    unsubscribed_at: datetime | None = None


class SubscriberStore:
    """Reads and changes outlets and recipients. Every change counts the version up, last of all."""

    def __init__(self, mongo: Mongo) -> None:
        self._outlets = mongo.database["outlets"]
        self._recipients = mongo.database["recipients"]
        self._items = mongo.database["digest_items"]
        self._meta = mongo.database["meta"]

    async def prepare(self) -> None:
        with store_failures():
            await self._recipients.create_index("token", unique=True)
            await self._recipients.create_index("outlet")

    async def replace(self, outlets: Sequence[Outlet]) -> None:
        """Store these outlets as they are given, each in place of the one with its id.

        Who unsubscribed stays so; a link sent earlier keeps working. Raises `InvalidFile` where an
        address is listed by an outlet that isn't among these, before anything is changed.
        """
        if not outlets:
            return
        await self._refuse_foreign(outlets)
        at = now()
        people: list[UpdateOne | UpdateMany] = []
        for outlet in outlets:
            ids = [journalist.id for journalist in outlet.journalists]
            people.append(
                UpdateMany(
                    {"outlet": outlet.id, "_id": {"$nin": ids}},
                    {"$set": {"listed": False}},
                )
            )
        for outlet in outlets:
            people.extend(
                UpdateOne(
                    {"_id": journalist.id},
                    {
                        "$set": {
                            "outlet": outlet.id,
                            "name": journalist.name,
                            "address": journalist.address,
                            "accredited": journalist.accredited,
                            "subscriptions": _SUBSCRIPTIONS.dump_python(
                                journalist.subscriptions, mode="json"
                            ),
                            "listed": True,
                        },
                        "$setOnInsert": {"token": secrets.token_urlsafe(24), "unsubscribed_at": None},
                    },
                    upsert=True,
                )
                for journalist in outlet.journalists
            )
        documents = [
            UpdateOne(
                {"_id": outlet.id},
                {
                    "$set": {"outlet": outlet.model_dump(mode="json")},
                    "$setOnInsert": {"since": at},
                },
                upsert=True,
            )
            for outlet in outlets
        ]
        with store_failures():
            await self._recipients.bulk_write(people, ordered=True)
            await self._outlets.bulk_write(documents, ordered=False)
        await self._changed()

    async def _refuse_foreign(self, outlets: Sequence[Outlet]) -> None:
        owners = {one.id: (outlet.id, one.address) for outlet in outlets for one in outlet.journalists}
        ids = {outlet.id for outlet in outlets}
        query = {"_id": {"$in": list(owners)}, "listed": True, "outlet": {"$nin": list(ids)}}
        with store_failures():
            taken = await self._recipients.find(query, {"outlet": 1}).to_list(None)
        if taken:
            raise InvalidFile(
                [
                    f"{owners[str(one['_id'])][0]}: {owners[str(one['_id'])][1]} "
                    f"is already listed by {one['outlet']}"
                    for one in taken
                ]
            )

    async def remove(self, outlet: str) -> bool:
        """Take an outlet off the list; False where there is none of that id."""
        with store_failures():
            gone = await self._outlets.delete_one({"_id": outlet})
            await self._recipients.update_many({"outlet": outlet}, {"$set": {"listed": False}})
        await self._changed()
        return gone.deleted_count == 1

    async def outlets(self) -> list[ListedOutlet]:
        """All outlets, by id."""
        fields = {"outlet.name": 1, "outlet.digest_hour": 1, "since": 1}
        with store_failures():
            documents = await self._outlets.find({}, fields).sort("_id", 1).to_list(None)
        return [_listed(document) for document in documents]

    async def outlet(self, id: str) -> Outlet | None:
        """One outlet, as it was imported."""
        with store_failures():
            document = await self._outlets.find_one({"_id": id})
        return None if document is None else Outlet.model_validate(document["outlet"])

    async def recipients(self, outlet: str) -> list[Recipient]:
        """Everyone that an outlet lists, those who unsubscribed too."""
        with store_failures():
            documents = await self._recipients.find({"outlet": outlet, "listed": True}).to_list(None)
        return [_recipient(document) for document in documents]

    async def by_token(self, token: str) -> Recipient | None:
        with store_failures():
            document = await self._recipients.find_one({"token": token})
        return None if document is None else _recipient(document)

    async def unsubscribe(self, token: str) -> Recipient | None:
        """Send nothing more to whoever has this token; None where nobody has. Again changes nothing."""
        with store_failures():
            document = await self._recipients.find_one({"token": token})
            if document is None:
                return None
            await self._recipients.update_one(
                {"_id": document["_id"], "unsubscribed_at": None}, {"$set": {"unsubscribed_at": now()}}
            )
            await self._items.update_many(
                {"recipient": document["_id"], "state": "pending"}, {"$set": {"state": "dropped"}}
            )
        await self._changed()
        return _recipient(document)

    async def resubscribe(self, address: str) -> bool:
        """Undo an unsubscription, at the person's own wish; False where nobody has that address."""
        with store_failures():
            found = await self._recipients.update_one(
                {"_id": recipient_id(address)}, {"$set": {"unsubscribed_at": None}}
            )
        await self._changed()
        return found.matched_count == 1

    async def silent(self, ids: Sequence[str]) -> set[str]:
        """Those of these recipients whom no mail may go to any more."""
        query = {
            "_id": {"$in": list(ids)},
            "$or": [{"listed": False}, {"unsubscribed_at": {"$ne": None}}],
        }
        with store_failures():
            found = await self._recipients.find(query, {"_id": 1}).to_list(None)
        return {str(one["_id"]) for one in found}

    async def version(self) -> int:
        with store_failures():
            document = await self._meta.find_one({"_id": _VERSION})
        return 0 if document is None else cast("int", document["version"])

    async def active(self) -> list[Subscriber]:
        """Everyone that mail goes to."""
        with store_failures():
            documents = await self._recipients.find({"listed": True, "unsubscribed_at": None}).to_list(None)
        return [_subscriber(document) for document in documents]

    async def _changed(self) -> None:
        with store_failures():
            await self._meta.find_one_and_update(
                {"_id": _VERSION},
                {"$inc": {"version": 1}},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )


class Subscribers:
    """The subscribers and outlets, read again only when their version changed."""

    def __init__(self, store: SubscriberStore) -> None:
        self._store = store
        self._version = -1
        self._active: list[Subscriber] = []
        self._outlets: list[ListedOutlet] = []
        self._refreshing = asyncio.Lock()

    async def active(self) -> Sequence[Subscriber]:
        await self._refresh()
        return self._active

    async def outlets(self) -> Sequence[ListedOutlet]:
        await self._refresh()
        return self._outlets

    async def _refresh(self) -> None:
        # The version is read before the data: data that is newer than its version is only read once more.
        version = await self._store.version()
        if version == self._version:
            return
        async with self._refreshing:
            if version <= self._version:
                return
            self._active, self._outlets = await self._store.active(), await self._store.outlets()
            self._version = version


def _listed(document: Document) -> ListedOutlet:
    outlet = cast("Document", document["outlet"])
    return ListedOutlet(
        id=str(document["_id"]),
        name=str(outlet["name"]),
        digest_time=time.fromisoformat(str(outlet["digest_hour"])),
        since=cast("datetime", document["since"]),
    )


def _recipient(document: Document) -> Recipient:
    return Recipient.model_validate({**document, "id": document["_id"]})


def _subscriber(document: Document) -> Subscriber:
    return Subscriber(
        id=str(document["_id"]),
        outlet=str(document["outlet"]),
        name=str(document["name"]),
        address=str(document["address"]),
        accredited=bool(document["accredited"]),
        token=str(document["token"]),
        subscriptions=_SUBSCRIPTIONS.validate_python(document["subscriptions"]),
    )
