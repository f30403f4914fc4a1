"""The ledger of the notifier: the newest fact of each publication, the fan-outs, the mails.

A mail is one document for (publication, rank, recipient). What is sent next to whom is decided by
comparing with what stands here, so nothing in it is ever deleted.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from pymongo import InsertOne, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from services.notifier.records import HELD, WAITING, FanOut, Mail, MailState, Phase
from services.notifier.reports import Counts
from shared.events import PublicationEvent, decode, now
from shared.mongo import DUPLICATE_KEY, Document, GroupedWrites, Mongo, StoreUnavailable, store_failures
from shared.publication import Fact


@dataclass(frozen=True, slots=True)
class Claimed:
    """The outcome of a claim: the mails that are ours now, and those that others are still sending."""

    mails: list[Mail]
    held: list[Mail]


class Store:
    """Publications, fan-outs and mails."""

    def __init__(self, mongo: Mongo) -> None:
        self._publications = mongo.database["publications"]
        self._fanouts = mongo.database["fanouts"]
        self._mails = mongo.database["mails"]
        self._writes = GroupedWrites(self._mails)

    async def prepare(self) -> None:
        with store_failures():
            await self._mails.create_index("fanout")
            await self._mails.create_index("publication")
            await self._fanouts.create_index("publication")
            await self._fanouts.create_index("emitted", partialFilterExpression={"emitted": False})

    # Publications

    async def advance_to(self, event: PublicationEvent) -> int:
        """Record the newest fact of a publication; return the rank that stands now, this one's or higher."""
        fields = {"rank": event.rank, "event": event.encode(), "at": now()}
        try:
            with store_failures():
                await self._publications.update_one(
                    {"_id": event.data.id, "rank": {"$lt": event.rank}}, {"$set": fields}, upsert=True
                )
        except DuplicateKeyError:
            # Something as new or newer stands there, unless two inserts raced: then this decides.
            with store_failures():
                await self._publications.update_one(
                    {"_id": event.data.id, "rank": {"$lt": event.rank}}, {"$set": fields}
                )
        return (await self.ranks([event.data.id]))[event.data.id]

    async def ranks(self, publications: Collection[UUID]) -> dict[UUID, int]:
        """The newest ranks that stand."""
        query = {"_id": {"$in": list(publications)}}
        with store_failures():
            found = await self._publications.find(query, {"rank": 1}).to_list(None)
        return {cast("UUID", one["_id"]): cast("int", one["rank"]) for one in found}

    async def events(self, publications: Collection[UUID]) -> list[PublicationEvent]:
        """The newest facts that stand."""
        with store_failures():
            found = await self._publications.find({"_id": {"$in": list(publications)}}).to_list(None)
        return [cast("PublicationEvent", decode(cast("bytes", one["event"]))) for one in found]

    # Fan-outs

    async def open_fanout(self, fanout: FanOut) -> FanOut:
        """Record a fan-out unless it is recorded; return it as it stands."""
        document = fanout.model_dump(by_alias=True) | {"at": now()}
        try:
            with store_failures():
                await self._fanouts.insert_one(document)
        except DuplicateKeyError:
            return await self.fanout(fanout.id)
        return fanout

    async def fanout(self, id: str) -> FanOut:
        """Raises `LookupError` where there is none."""
        found = await self.find_fanout(id)
        if found is None:
            raise LookupError(f"no fan-out {id}")
        return found

    async def find_fanout(self, id: str) -> FanOut | None:
        with store_failures():
            document = await self._fanouts.find_one({"_id": id})
        return None if document is None else FanOut.model_validate(document)

    async def released_before(self, publication: UUID, rank: int) -> bool:
        """Whether a release of lower rank was planned to its end."""
        query = {
            "publication": publication,
            "rank": {"$lt": rank},
            "fact": Fact.RELEASED,
            "phase": {"$ne": Phase.PLANNING},
        }
        with store_failures():
            return await self._fanouts.find_one(query, {"_id": 1}) is not None

    async def set_phase(self, id: str, phase: Phase, **fields: object) -> FanOut:
        """Move a fan-out on, never back; return it as it stands."""
        before = [Phase.PLANNING] if phase is Phase.PLANNED else [Phase.PLANNING, Phase.PLANNED]
        with store_failures():
            await self._fanouts.update_one(
                {"_id": id, "phase": {"$in": before}}, {"$set": {"phase": phase, **fields}}
            )
        return await self.fanout(id)

    async def take_over(self, id: str, *, owner: str, dead: str) -> bool:
        """Continue a digest whose process died; False where somebody else was quicker."""
        with store_failures():
            result = await self._fanouts.update_one({"_id": id, "owner": dead}, {"$set": {"owner": owner}})
        return result.modified_count == 1

    async def batch_ended(self, id: str, batch: int, *, parked: bool = False) -> FanOut:
        """Record that a batch is done, or parked; return the fan-out."""
        into, out = ("parked", "done") if parked else ("done", "parked")
        with store_failures():
            document = await self._fanouts.find_one_and_update(
                {"_id": id},
                {"$addToSet": {into: batch}, "$pull": {out: batch}},
                return_document=ReturnDocument.AFTER,
            )
        if document is None:
            raise LookupError(f"no fan-out {id}")
        return FanOut.model_validate(document)

    async def keep_reports(self, id: str, reports: Sequence[bytes]) -> FanOut:
        """Store what the receipt is told, once; return the fan-out with what stands."""
        encoded = [report.decode() for report in reports]
        with store_failures():
            await self._fanouts.update_one({"_id": id, "reports": None}, {"$set": {"reports": encoded}})
        return await self.fanout(id)

    async def reports_emitted(self, id: str) -> None:
        with store_failures():
            await self._fanouts.update_one({"_id": id}, {"$set": {"emitted": True}})

    async def open_work(self) -> tuple[int, int, datetime | None]:
        """Fan-outs not settled, their open batches, and when the oldest began."""
        pipeline: list[Document] = [
            {"$match": {"emitted": False}},
            {
                "$group": {
                    "_id": None,
                    "fanouts": {"$sum": 1},
                    "batches": {"$sum": {"$subtract": ["$batches", {"$size": "$done"}]}},
                    "oldest": {"$min": "$at"},
                }
            },
        ]
        with store_failures():
            found = await self._fanouts.aggregate(pipeline).to_list(None)
        if not found:
            return 0, 0, None
        return (
            cast("int", found[0]["fanouts"]),
            cast("int", found[0]["batches"]),
            cast("datetime", found[0]["oldest"]),
        )

    # Mails

    async def insert_mails(self, mails: Sequence[Mail]) -> None:
        """Write mails down; those that are there already stay as they are."""
        for start in range(0, len(mails), 1000):
            inserts: list[InsertOne[Document]] = [
                InsertOne(mail.model_dump(by_alias=True, exclude_defaults=True) | {"state": mail.state})
                for mail in mails[start : start + 1000]
            ]
            try:
                with store_failures():
                    await self._mails.bulk_write(inserts, ordered=False)
            except BulkWriteError as error:
                if error.details.get("writeConcernErrors"):
                    raise StoreUnavailable("the majority did not confirm in time") from error
                if any(failure["code"] != DUPLICATE_KEY for failure in error.details["writeErrors"]):
                    raise

    async def mail_ids(self, fanout: str) -> list[str]:
        """All mails of a fan-out, always in the same order."""
        with store_failures():
            found = await self._mails.find({"fanout": fanout}, {"_id": 1}).to_list(None)
        return sorted(str(one["_id"]) for one in found)

    async def supersede(self, publication: UUID, rank: int) -> None:
        """Give up the mails of lower ranks that nobody has begun to send."""
        with store_failures():
            await self._mails.update_many(
                {"publication": publication, "rank": {"$lt": rank}, "state": {"$in": list(WAITING)}},
                {"$set": {"state": MailState.SUPERSEDED}},
            )

    async def held_below(self, publication: UUID, rank: int) -> list[Mail]:
        """Mails of lower ranks that some process is sending, or was when it died."""
        query = {"publication": publication, "rank": {"$lt": rank}, "state": {"$in": list(HELD)}}
        with store_failures():
            return _mails(await self._mails.find(query).to_list(None))

    async def supersede_abandoned(self, mails: Sequence[Mail], dead: Sequence[str]) -> None:
        """Give up mails that dead processes held. What was on the wire may have arrived."""
        ids = [mail.id for mail in mails]
        owned = {"_id": {"$in": ids}, "owner": {"$in": list(dead)}}
        with store_failures():
            await self._mails.update_many(
                owned | {"state": MailState.SENDING},
                {"$set": {"state": MailState.SUPERSEDED, "uncertain": True}},
            )
            await self._mails.update_many(
                owned | {"state": MailState.CLAIMED}, {"$set": {"state": MailState.SUPERSEDED}}
            )

    async def mails_below(self, publication: UUID, rank: int) -> list[Mail]:
        """The mails of lower ranks."""
        query = {"publication": publication, "rank": {"$lt": rank}}
        with store_failures():
            return _mails(await self._mails.find(query).to_list(None))

    async def mails(self, ids: Collection[str]) -> list[Mail]:
        with store_failures():
            return _mails(await self._mails.find({"_id": {"$in": list(ids)}}).to_list(None))

    async def claim(
        self, ids: Sequence[str], *, owner: str, claim: str, dead: Sequence[str], live: Collection[str]
    ) -> Claimed:
        """Take those of these mails that wait, or that were abandoned.

        `dead` are owners that gave no sign of life; `live` are this owner's own claims that still run.
        """
        ours = {"state": MailState.CLAIMED, "owner": owner, "claim": claim}
        abandoned = [{"owner": {"$in": list(dead)}}, {"owner": owner, "claim": {"$nin": list(live)}}]
        among: Document = {"_id": {"$in": list(ids)}}
        with store_failures():
            await self._mails.update_many(
                among | {"state": MailState.SENDING, "$or": abandoned},
                {"$set": ours | {"uncertain": True}},
            )
            await self._mails.update_many(
                among
                | {
                    "$or": [
                        {"state": {"$in": list(WAITING)}},
                        {"state": MailState.CLAIMED, "$or": abandoned},
                    ]
                },
                {"$set": ours},
            )
            found = _mails(
                await self._mails.find(among | {"state": {"$in": list(HELD)}}).sort("_id", 1).to_list(None)
            )
        return Claimed(
            mails=[mail for mail in found if mail.claim == claim],
            held=[mail for mail in found if mail.claim != claim],
        )

    async def note(self, mail: Mail, state: MailState, **fields: object) -> None:
        """Record a step of a mail that we hold; together with those of others. Only ours are changed."""
        await self._writes.put(
            UpdateOne({"_id": mail.id, "claim": mail.claim}, {"$set": {"state": state, **fields}})
        )

    async def park(self, ids: Sequence[str]) -> None:
        with store_failures():
            await self._mails.update_many(
                {"_id": {"$in": list(ids)}, "state": MailState.QUEUED}, {"$set": {"state": MailState.PARKED}}
            )

    async def counts(self, fanout: str) -> Counts:
        """How the mails of a fan-out stand."""
        pipeline: list[Document] = [
            {"$match": {"fanout": fanout}},
            {"$group": {"_id": "$state", "n": {"$sum": 1}, "code": {"$min": "$code"}}},
        ]
        with store_failures():
            found = await self._mails.aggregate(pipeline).to_list(None)
        by_state = {MailState(str(one["_id"])): cast("int", one["n"]) for one in found}
        codes = {str(one["_id"]): cast("int | None", one["code"]) for one in found}
        return Counts(
            by_state=by_state,
            refusal=codes.get(MailState.REFUSED),
            deferral=codes.get(MailState.QUEUED),
        )


def _mails(documents: Sequence[Document]) -> list[Mail]:
    return [Mail.model_validate(document) for document in documents]
