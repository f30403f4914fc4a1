"""Reading the archive: one publication's record, and pages of lists; for programs and for people alike."""

from collections.abc import Mapping, Sequence
from typing import cast
from uuid import UUID

from services.archive import receipt
from services.archive.listing import ListQuery, conditions, cursor_after
from services.archive.precedence import State
from services.archive.record import Record
from services.archive.store import Store, Stored
from services.archive.views import Completeness, Detail, Listing, Summary, dumped, members
from shared.events import Delivery
from shared.mongo import Document

SITE = "site"


class Reading:
    """Answers from the store; every method raises `StoreUnavailable` while the database is away."""

    def __init__(self, store: Store, archive_url: str) -> None:
        self._store = store
        self._archive_url = archive_url

    def receipt_page(self, publication_id: UUID) -> str:
        """The receipt's address for people."""
        return f"{self._archive_url}/receipts/{publication_id}"

    async def record(self, publication_id: UUID) -> Record | None:
        """Everything about a publication; None while no fact about it is known."""
        return Record.of(stored.event for stored in await self._store.events_of(publication_id))

    async def events(self, publication_id: UUID) -> list[Stored]:
        """The events themselves, in the order they were made."""
        return await self._store.events_of(publication_id)

    def detail(self, record: Record, *, operator: bool) -> Detail:
        """The record as programs get it."""
        shown = operator or record.state is not State.WITHDRAWN
        return Detail.model_validate(
            members(dumped(record.publication), record.state, shown=shown)
            | {
                "revisions": [of if shown else of.emptied() for of in record.revisions()],
                "receipt": record.receipt(self.receipt_page(record.publication.id)),
            }
        )

    async def page(self, query: ListQuery, *, operator: bool) -> Listing:
        """A page of a list. Raises `BadCursor`."""
        documents = await self._store.listed(conditions(query, operator=operator), query.limit + 1)
        shown = documents[: query.limit]
        reports = await self._store.reports_of([cast("UUID", document["_id"]) for document in shown])
        items = [
            self._summary(document, reports[cast("UUID", document["_id"])], operator=operator)
            for document in shown
        ]
        more = len(documents) > query.limit
        return Listing(items=items, next=cursor_after(str(shown[-1]["listed"]), query) if more else None)

    async def departments(self) -> dict[str, str]:
        """Departments that have something in public: name by id, in the order of the alphabet."""
        found = await self._store.departments()
        return dict(sorted(found.items(), key=lambda item: item[1].casefold()))

    def _summary(self, document: Document, reports: Mapping[str, Delivery], *, operator: bool) -> Summary:
        publication = cast("Mapping[str, object]", document["publication"])
        state = State(str(document["state"]))
        latest = receipt.Latest(
            state, cast("int", document["rank"]), cast("Sequence[str]", publication["targets"])
        )
        completeness = Completeness(
            complete=receipt.complete(latest, reports),
            page=self.receipt_page(cast("UUID", document["_id"])),
        )
        return Summary.model_validate(
            members(publication, state, shown=operator or state is not State.WITHDRAWN)
            | {"url": address_of(reports), "receipt": completeness}
        )


def address_of(reports: Mapping[str, Delivery]) -> str | None:
    """Where people read a publication: on the site, or else on the first channel that gave an address."""
    first = [reports[SITE]] if SITE in reports else []
    return next((report.url for report in [*first, *reports.values()] if report.url is not None), None)
