"""The issues: collection `newspaper_issues`, one document an issue, changed only from what is newest.

An issue with its items is one document, so that it closes with exactly what stood in it; MongoDB takes
16 MB, which is forty texts of the longest kind.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from pymongo.errors import DuplicateKeyError

from services.publisher.channels.newspaper.deadlines import next_deadline
from services.publisher.channels.newspaper.issue import Issue, State, issue_id
from services.publisher.channels.newspaper.settings import NewspaperSection
from shared.mongo import Database, Document, store_failures


class Issues:
    """Reads and changes them."""

    def __init__(self, database: Database, section: NewspaperSection) -> None:
        self._issues = database["newspaper_issues"]
        self._section = section

    async def prepare(self) -> None:
        """Indexes."""
        with store_failures():
            await self._issues.create_index("items.publication_id")
            await self._issues.create_index("state")

    async def get(self, id: str) -> Issue | None:
        with store_failures():
            found = await self._issues.find_one({"_id": id})
        return None if found is None else Issue.model_validate(found)

    async def every(self) -> list[Issue]:
        """All, by their deadlines."""
        return await self._found({})

    async def of_publication(self, id: UUID) -> list[Issue]:
        """Those where something of it stands, by their deadlines."""
        return await self._found({"items.publication_id": id})

    async def unfinished(self) -> list[Issue]:
        """Those whose package has not gone out."""
        return await self._found({"state": {"$in": [State.GATHERING, State.CLOSED]}})

    async def waiting(self) -> list[Issue]:
        """Those sent, with an item whose answer is missing or was not reported."""
        return await self._found(
            {
                "state": State.SENT,
                "$or": [{"items.settled": False}, {"reminded": False, "items.answers": []}],
            }
        )

    async def _found(self, which: Document) -> list[Issue]:
        with store_failures():
            found = await self._issues.find(which).sort("deadline", 1).to_list(None)
        return [Issue.model_validate(document) for document in found]

    async def gathering(self, now: datetime) -> Issue:
        """The issue that takes what comes now; one closed early is passed over."""
        deadline = now
        while True:
            deadline = next_deadline(
                deadline, weekday=self._section.deadline_weekday, hour=self._section.deadline_hour
            )
            issue = await self.get(issue_id(deadline))
            if issue is None:
                return Issue(id=issue_id(deadline), deadline=deadline.astimezone(UTC))
            if issue.open:
                return issue

    async def change(self, issue: Issue, how: Callable[[Issue], Issue | None]) -> Issue | None:
        """Make it what `how` says of what stands there; None where `how` says None: then it is left."""
        while True:
            before = await self.get(issue.id)
            after = how(before or issue)
            if after is None or after == before:
                return after
            after = after.model_copy(update={"version": (before.version if before else 0) + 1})
            if await self._write(before, after):
                return after

    async def _write(self, before: Issue | None, after: Issue) -> bool:
        document: Document = after.model_dump()
        with store_failures():
            if before is None:
                try:
                    await self._issues.insert_one({"_id": after.id, **document})
                except DuplicateKeyError:
                    return False
                return True
            # Not replaced whole: the lease stands in the same document.
            written = await self._issues.update_one(
                {"_id": after.id, "version": before.version}, {"$set": document}
            )
        return written.matched_count == 1

    async def claim(self, id: str, owner: str, lease: timedelta) -> bool:
        """Take the lease of an issue's mails, if nobody holds it; the server's clock decides."""
        free = {"$lt": [{"$ifNull": ["$lease.until", {"$subtract": ["$$NOW", 1]}]}, "$$NOW"]}
        until = {"$add": ["$$NOW", lease // timedelta(milliseconds=1)]}
        with store_failures():
            written = await self._issues.update_one(
                {"_id": id, "$expr": free}, [{"$set": {"lease": {"owner": owner, "until": until}}}]
            )
        return written.matched_count == 1

    async def release(self, id: str, owner: str) -> None:
        """End the lease."""
        with store_failures():
            await self._issues.update_one({"_id": id, "lease.owner": owner}, {"$unset": {"lease": True}})
