"""One publication's record: all its events, and what follows from them.

Pure: the same events give the same record in whatever order they are given, and however often.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Self

from services.archive import receipt
from services.archive.precedence import State, is_public, place_of_fact, state_of
from services.archive.views import Entry, Happening, Receipt, Revision
from shared.events import Delivery, DeliveryReported, PublicationEvent
from shared.publication import Change, Fact, Publication


@dataclass(frozen=True)
class Record:
    """What the archive knows about one publication."""

    facts: Sequence[PublicationEvent]
    """By place, at least one."""
    reports: Sequence[DeliveryReported]
    """By hour."""

    @classmethod
    def of(cls, events: Iterable[PublicationEvent | DeliveryReported]) -> Self | None:
        """None as long as only reports came, and no fact."""
        once = {event.id: event for event in events}.values()
        facts = sorted(
            (event for event in once if not isinstance(event, DeliveryReported)), key=place_of_fact
        )
        reports = sorted(
            (event for event in once if isinstance(event, DeliveryReported)),
            key=lambda event: (event.data.at, event.id),
        )
        return cls(facts, reports) if facts else None

    @property
    def latest(self) -> PublicationEvent:
        """The fact that stands."""
        return self.facts[-1]

    @property
    def publication(self) -> Publication:
        return self.latest.data

    @property
    def state(self) -> State:
        return state_of(self.latest.fact)

    @property
    def public(self) -> bool:
        """Whether everyone may find it in lists."""
        return is_public(self.publication, self.state)

    @cached_property
    def standing(self) -> dict[str, Delivery]:
        """The report that stands, by target."""
        return receipt.standing(self.reports)

    @property
    def awaited(self) -> receipt.Latest:
        """The latest fact, as the receipt sees it."""
        return receipt.Latest(self.state, self.latest.rank, self.publication.targets)

    def entries(self) -> list[Delivery]:
        """The reports that stand, as they are shown."""
        return receipt.in_order(self.awaited, self.standing)

    def receipt(self, page: str) -> Receipt:
        """The receipt; `page`: its address for people."""
        return Receipt(
            complete=receipt.complete(self.awaited, self.standing),
            page=page,
            entries=[Entry.of(report) for report in self.entries()],
            waiting=list(receipt.waiting(self.awaited, self.standing)),
            timeline=self.timeline(),
        )

    def revisions(self) -> list[Revision]:
        """The revisions known, oldest first; one whose events are yet to come is missing."""
        groups = groupby(self.facts, key=lambda event: event.data.revision)
        return [self._revision(number, list(facts)) for number, facts in groups]

    def _revision(self, number: int, facts: Sequence[PublicationEvent]) -> Revision:
        content = facts[-1].data.content
        correction = next((c for c in self.publication.corrections if c.revision == number), None)
        accepted = [event.data.accepted_at for event in facts if event.fact is not Fact.WITHDRAWN]
        if accepted:
            at = min(accepted)
        elif correction is not None:
            at = correction.at
        else:
            at = facts[-1].data.submitted_at if number == 1 else facts[-1].data.accepted_at
        change = (
            None if correction is None else Change(significance=correction.significance, note=correction.note)
        )
        return Revision(
            revision=number, at=at, title=content.title, lead=content.lead, body=content.body, change=change
        )

    def timeline(self) -> list[Happening]:
        """Every event in order of time; of the same instant, what was decided before what came of it."""
        happenings = [
            *(_decided(event) for event in self.facts),
            *(_reported(event) for event in self.reports),
        ]
        return sorted(happenings, key=lambda it: (it.at, it.target is not None, it.event))


def _decided(event: PublicationEvent) -> Happening:
    publication = event.data
    reason: str | None = None
    if event.fact is Fact.WITHDRAWN and publication.withdrawal is not None:
        reason = publication.withdrawal.reason
    elif event.fact is Fact.RELEASED:
        reason = next((c.note for c in publication.corrections if c.revision == publication.revision), None)
    return Happening(
        at=event.time, event=event.id, fact=event.fact, revision=publication.revision, reason=reason
    )


def _reported(event: DeliveryReported) -> Happening:
    report = event.data
    return Happening(
        at=report.at,
        event=event.id,
        fact=report.fact,
        revision=report.revision,
        target=report.target,
        outcome=report.outcome,
        url=report.url,
        recipients=report.recipients,
        failed=report.failed,
        reason=report.reason,
        attempt=report.attempt,
    )
