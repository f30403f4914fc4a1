"""From a fact about a publication to the mails that it calls for: the consumer of `notifier.releases`.

Every step may be repeated, and several processes may do the same one at once: ids are deterministic,
inserts of what stands are no-ops, and no mail can be sent before all of its fan-out are written down.
"""

import asyncio

from services.notifier.items import Items
from services.notifier.planning import Before, Plan, Planned, Reached, embargo_of, fingerprint, plan
from services.notifier.presence import Presence
from services.notifier.records import (
    BATCH,
    FanOut,
    Mail,
    MailBatch,
    MailState,
    Phase,
    Purpose,
    Target,
    fanout_id,
    mail_id,
)
from services.notifier.reporting import Reporting
from services.notifier.reports import Counts, report, subject_of
from services.notifier.store import Store
from services.notifier.subscribers import Subscribers
from shared.bus import NOTIFIER_MAILS, NOTIFIER_RELEASES, Bus, Consumption, Later
from shared.events import DeliveryReported, Outcome, PublicationEvent, PublicationScheduled, decode
from shared.publication import Fact
from shared.telemetry import logger

PATIENCE = 40.0
"""Seconds to wait for mails of an older fact that are on the wire."""

Event = PublicationEvent | DeliveryReported
_log = logger(__name__)


class FanOuts:
    """Makes the mails of each fact and puts their batches on the queue."""

    def __init__(
        self,
        *,
        store: Store,
        items: Items,
        subscribers: Subscribers,
        presence: Presence,
        reporting: Reporting,
        bus: Bus,
    ) -> None:
        self._store = store
        self._items = items
        self._subscribers = subscribers
        self._presence = presence
        self._reporting = reporting
        self._bus = bus

    def consumption(self) -> Consumption[Event]:
        """How the queue is consumed."""
        return Consumption(NOTIFIER_RELEASES, read=decode, handle=self.handle, report=self.report)

    async def handle(self, event: Event) -> None:
        """Bring the mails to where this fact says they should be."""
        if isinstance(event, DeliveryReported | PublicationScheduled) or not _is_for_mail(event):
            return
        standing = await self._store.advance_to(event)
        if standing > event.rank:
            await self._overtaken(event, standing)
            return
        fanout = await self._store.open_fanout(_fanout(event))
        if fanout.phase is Phase.PLANNING:
            fanout = await self._plan(event, fanout)
        if fanout.phase is Phase.PLANNED:
            await dispatch_batches(self._store, self._bus, fanout, subject=str(event.data.id))
        if fanout.batches == 0:
            await self._reporting.settle(fanout)

    async def report(self, message: Event, *, reason: str, attempt: int, wait: float | None) -> None:
        """Tell the receipt that the fan-out itself failed: no mail of it was sent. Why is for the log."""
        if isinstance(message, DeliveryReported):
            return
        _log.warning("the fan-out failed", reason=reason)
        fanout = _fanout(message)
        what_next = "Чекає рішення оператора." if wait is None else f"Наступна спроба через {wait:g} с."
        event = report(
            fanout.target,
            subject_of(fanout),
            Counts({}),
            outcome=Outcome.FAILED if wait is None else Outcome.RETRYING,
            reason=f"Розсилку не вдалося підготувати. {what_next}",
            attempt=attempt,
        )
        await self._bus.emit(event)

    async def _overtaken(self, event: PublicationEvent, standing: int) -> None:
        """A newer fact came first. Only an advance is still told of: nothing newer speaks for it."""
        if event.fact is not Fact.ADVANCE:
            return
        await self._store.supersede(event.data.id, standing)
        await self._outlast(event, standing)
        never_began = _fanout(event).model_copy(
            update={
                "phase": Phase.DISPATCHED,
                "reason": "Не розіслано наперед: раніше надійшла новіша редакція.",
            }
        )
        fanout = await self._store.open_fanout(never_began)
        if fanout.phase is not Phase.DISPATCHED:
            fanout = await self._store.set_phase(fanout.id, Phase.DISPATCHED, batches=0)
        await self._reporting.settle(fanout)

    async def _plan(self, event: PublicationEvent, fanout: FanOut) -> FanOut:
        """Write down who gets what; the fan-out is then planned."""
        publication = event.data
        # Read before older mails are given up: a release planned by now has all its mails among them.
        released = await self._store.released_before(publication.id, event.rank)
        await self._store.supersede(publication.id, event.rank)
        await self._outlast(event, event.rank)
        before = await self._before(event, released=released)
        decided = plan(event, await self._subscribers.active(), before)
        text = fingerprint(publication)
        await self._store.insert_mails([_mail(fanout, event, text, planned) for planned in decided.mails])
        await self._items.add(publication.id, [one.id for one in decided.digest])
        follows = released if event.fact is Fact.RELEASED else bool(before.reached)
        return await self._planned(fanout, decided, follows=follows)

    async def _planned(self, fanout: FanOut, decided: Plan, *, follows: bool) -> FanOut:
        # A plan made before a crash may have named somebody whom this one doesn't.
        mails = await self._store.mail_ids(fanout.id)
        return await self._store.set_phase(
            fanout.id,
            Phase.PLANNED,
            batches=-(-len(mails) // BATCH),
            digest=len(decided.digest),
            covered=decided.covered,
            reason=None if mails else decided.reason,
            follows=follows,
        )

    async def _outlast(self, event: PublicationEvent, rank: int) -> None:
        """Wait until no mail of an older fact is on the wire: what is sent first must arrive first."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        pause = 0.05
        while held := await self._store.held_below(event.data.id, rank):
            dead = await self._presence.dead(mail.owner for mail in held)
            if dead:
                await self._store.supersede_abandoned(held, dead)
                continue
            if loop.time() > until:
                raise Later(f"{len(held)} mails of an older revision are still being sent")
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 1.0)

    async def _before(self, event: PublicationEvent, *, released: bool) -> Before:
        mails = await self._store.mails_below(event.data.id, event.rank)
        reached: dict[str, Reached] = {}
        for mail in sorted(mails, key=lambda mail: mail.rank):
            if mail.state is MailState.SENT or mail.uncertain:
                reached[mail.recipient] = Reached(mail.revision, mail.text, mail.embargo, mail.id)
        for recipient, had in (await self._in_digests(event)).items():
            if recipient not in reached or reached[recipient].revision < had.revision:
                reached[recipient] = had
        # Also what went back to its queue meanwhile: whoever claims it now meets the newer rank.
        settled = (MailState.REFUSED, MailState.CANCELLED)
        owed = {
            mail.recipient for mail in mails if mail.state not in settled and mail.recipient not in reached
        }
        return Before(reached=reached, owed=owed, released=released)

    async def _in_digests(self, event: PublicationEvent) -> dict[str, Reached]:
        """Who has it from a digest, or is about to."""
        items = [item for item in await self._items.of_publication(event.data.id) if item.revision]
        mails = {
            mail.id: mail for mail in await self._store.mails([item.mail for item in items if item.mail])
        }
        # A digest that goes back to its queue is made up anew, with what is newest then.
        gone = (MailState.CLAIMED, MailState.SENDING, MailState.SENT)
        return {
            item.recipient: Reached(item.revision, item.text, mail=item.mail)
            for item in items
            if item.revision
            and item.mail in mails
            and (mails[item.mail].state in gone or mails[item.mail].uncertain)
        }


async def dispatch_batches(store: Store, bus: Bus, fanout: FanOut, *, subject: str = "") -> FanOut:
    """Put all batches of a planned fan-out on the queue; the same again after a crash."""
    mails = await store.mail_ids(fanout.id)
    batches = [
        MailBatch(fanout=fanout.id, batch=number, subject=subject, mails=tuple(mails[start : start + BATCH]))
        for number, start in enumerate(range(0, len(mails), BATCH))
    ]
    await asyncio.gather(
        *(bus.send(NOTIFIER_MAILS, batch.encode(), message_id=batch.message_id) for batch in batches)
    )
    return await store.set_phase(fanout.id, Phase.DISPATCHED)


def _is_for_mail(event: PublicationEvent) -> bool:
    return Target.MAIL in event.data.targets or Target.ADVANCE in event.data.targets


def _fanout(event: PublicationEvent) -> FanOut:
    publication = event.data
    withdrawn_early = event.fact is Fact.WITHDRAWN and not publication.was_released
    also = (Target.ADVANCE,) if withdrawn_early and Target.ADVANCE in publication.targets else ()
    return FanOut(
        id=fanout_id(publication.id, event.rank),
        target=Target.ADVANCE if event.fact is Fact.ADVANCE else Target.MAIL,
        also=also,
        fact=event.fact,
        publication=publication.id,
        revision=publication.revision,
        rank=event.rank,
        kind=publication.kind,
        accepted_at=publication.accepted_at,
    )


def _mail(fanout: FanOut, event: PublicationEvent, text: str, planned: Planned) -> Mail:
    publication, recipient = event.data, planned.recipient
    return Mail(
        id=mail_id(fanout.id, recipient.id),
        fanout=fanout.id,
        purpose=planned.purpose,
        recipient=recipient.id,
        name=recipient.name,
        address=recipient.address,
        token=recipient.token,
        publication=publication.id,
        rank=event.rank,
        revision=publication.revision,
        text=text,
        embargo=embargo_of(publication) if planned.purpose is Purpose.ADVANCE else "",
        since=planned.since,
        renewed=planned.renewed,
        answers=planned.answers,
    )
