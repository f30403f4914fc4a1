"""Tells the receipt what became of the mails, once for each fan-out, with the same event ids again."""

import asyncio
from collections.abc import Collection
from uuid import UUID

from services.notifier.items import Items
from services.notifier.records import FanOut, MailState, Target
from services.notifier.reports import Counts, Subject, outcome_of, report, subject_of
from services.notifier.store import Store
from shared.bus import Bus
from shared.events import DeliveryReported, Outcome, PublicationEvent, decode, now
from shared.publication import Fact
from shared.telemetry import END_TO_END


class Reporting:
    """Reports fan-outs and digests."""

    def __init__(self, store: Store, items: Items, bus: Bus) -> None:
        self._store = store
        self._items = items
        self._bus = bus

    async def settle(self, fanout: FanOut) -> None:
        """Report a fan-out whose batches have all ended; one with parked batches as failed, for now."""
        if not fanout.settled or fanout.emitted:
            return
        if fanout.parked:
            for event in await self._reports(fanout):
                await self._bus.emit(event)
            return
        if fanout.reports is None:
            events = await self._reports(fanout)
            fanout = await self._store.keep_reports(fanout.id, [event.encode() for event in events])
            for event in events:
                age = now() - event.data.accepted_at
                END_TO_END.labels(event.data.target).observe(max(0.0, age.total_seconds()))
        await asyncio.gather(*(self._bus.emit(decode(one.encode())) for one in fanout.reports or ()))
        await self._store.reports_emitted(fanout.id)

    async def trouble(self, fanout: FanOut, *, attempt: int, wait: float) -> None:
        """Report that mails wait for a further attempt. Digests are not waited for, so not told of."""
        if fanout.target is Target.DIGEST:
            return
        counts = await self._store.counts(fanout.id)
        code = f" (відповідь {counts.deferral})" if counts.deferral else ""
        reason = (
            f"Поштовий сервер тимчасово не приймає листи{code}. "
            f"Чекають на повторну спробу: {counts.unsent}, наступна через {wait:g} с."
        )
        await self._bus.emit(
            report(
                fanout.target,
                subject_of(fanout),
                counts,
                outcome=Outcome.RETRYING,
                reason=reason,
                attempt=attempt,
            )
        )

    async def _reports(self, fanout: FanOut) -> list[DeliveryReported]:
        if fanout.target is Target.DIGEST:
            return await self._digest_reports(fanout)
        counts = await self._store.counts(fanout.id)
        outcome, reason = outcome_of(fanout, counts)
        return [
            report(target, subject_of(fanout), counts, outcome=outcome, reason=reason)
            for target in (fanout.target, *fanout.also)
        ]

    async def _digest_reports(self, fanout: FanOut) -> list[DeliveryReported]:
        """One for each publication in the digest, counting all outlets' digests that carried it."""
        mails = await self._store.mail_ids(fanout.id)
        publications = {item.publication for item in await self._items.of_mails(mails) if item.revision}
        events = {event.data.id: event for event in await self._store.events(publications)}
        return [
            report(
                Target.DIGEST,
                _digest_subject(events[publication]),
                counts,
                outcome=outcome,
                reason=reason,
            )
            for publication, counts in (await self._digest_counts(publications)).items()
            for outcome, reason in [outcome_of(fanout, counts)]
        ]

    async def _digest_counts(self, publications: Collection[UUID]) -> dict[UUID, Counts]:
        items = await self._items.of_publications(publications)
        states = {
            mail.id: mail for mail in await self._store.mails({item.mail for item in items if item.mail})
        }
        counts: dict[UUID, Counts] = {}
        for publication in publications:
            mails = [
                states[item.mail] for item in items if item.publication == publication and item.mail in states
            ]
            by_state = {state: sum(mail.state is state for mail in mails) for state in MailState}
            refusal = next((mail.code for mail in mails if mail.state is MailState.REFUSED), None)
            counts[publication] = Counts({state: n for state, n in by_state.items() if n}, refusal)
        return counts


def _digest_subject(event: PublicationEvent) -> Subject:
    publication = event.data
    return Subject(
        publication.id, publication.kind, Fact.RELEASED, publication.revision, publication.accepted_at
    )
