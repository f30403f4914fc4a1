"""Makes each outlet's digest at its hour, and after an outage the last one that is due.

Whatever a digest is to carry is marked with its mail first, so that no digest repeats it. Once that
is recorded for all recipients the mails go the way of all others.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime

from services.notifier.fanout import dispatch_batches
from services.notifier.items import Items
from services.notifier.outlets import Subscriber
from services.notifier.presence import Presence
from services.notifier.records import (
    BATCH,
    HELD,
    WAITING,
    DigestItem,
    FanOut,
    Mail,
    Phase,
    Purpose,
    Target,
    digest_id,
    mail_id,
)
from services.notifier.reporting import Reporting
from services.notifier.slots import Slot, last_slot
from services.notifier.store import Store
from services.notifier.subscribers import ListedOutlet, Subscribers
from shared.bus import Bus, BusUnavailable
from shared.events import now
from shared.mongo import StoreUnavailable
from shared.publication import Fact
from shared.telemetry import logger

LOOK_EVERY = 10.0
"""Seconds between two looks at the clock."""

_log = logger(__name__)


class Digests:
    """Makes digests; any number of processes may run it at once."""

    def __init__(
        self,
        *,
        store: Store,
        items: Items,
        subscribers: Subscribers,
        presence: Presence,
        reporting: Reporting,
        bus: Bus,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._store = store
        self._items = items
        self._subscribers = subscribers
        self._presence = presence
        self._reporting = reporting
        self._bus = bus
        self._clock = clock
        self._made: dict[str, str] = {}

    async def run(self) -> None:
        """Make what is due, for ever."""
        while True:
            try:
                await self.make_due(self._clock())
            except (StoreUnavailable, BusUnavailable) as error:
                _log.warning("digests have to wait", reason=str(error))
            except Exception:  # noqa: BLE001  # a fault must not end all digests; the next look meets it again
                _log.exception("a digest failed")
            await asyncio.sleep(LOOK_EVERY)

    async def make_due(self, at: datetime) -> None:
        """Make every outlet's last slot at `at`, unless it is made."""
        for listed in await self._subscribers.outlets():
            slot = last_slot(listed.digest_time, at)
            id = digest_id(listed.id, slot.day.isoformat())
            if slot.at >= listed.since and self._made.get(listed.id) != id:
                await self._make(listed, slot, id)

    async def _make(self, listed: ListedOutlet, slot: Slot, id: str) -> None:
        fanout = await self._store.open_fanout(
            FanOut(id=id, target=Target.DIGEST, fact=Fact.RELEASED, owner=self._presence.id)
        )
        if fanout.phase is not Phase.DISPATCHED:
            if not await self._ours(fanout):
                return
            if fanout.phase is Phase.PLANNING:
                fanout = await self._collect(listed, fanout)
            if fanout.phase is Phase.PLANNED:
                fanout = await dispatch_batches(self._store, self._bus, fanout)
                _log.info("digest made", outlet=listed.id, day=str(slot.day), batches=fanout.batches)
        if fanout.batches == 0:
            await self._reporting.settle(fanout)
        self._made[listed.id] = id

    async def _ours(self, fanout: FanOut) -> bool:
        """Whether this process may work on a digest: it began it, or whoever did has died."""
        if fanout.owner == self._presence.id:
            return True
        dead = await self._presence.dead([fanout.owner])
        return bool(dead) and await self._store.take_over(fanout.id, owner=self._presence.id, dead=dead[0])

    async def _collect(self, listed: ListedOutlet, fanout: FanOut) -> FanOut:
        people = [one for one in await self._subscribers.active() if one.outlet == listed.id]
        await self._recover(people)
        for one, items in await self._waiting(people):
            mail = _mail(fanout, one)
            # In this order: a crash between the two leaves a mail to fill, never items without a mail.
            await self._store.insert_mails([mail])
            await self._items.assign([item.id for item in items], mail=mail.id, fanout=fanout.id)
        mails = await self._store.mail_ids(fanout.id)
        return await self._store.set_phase(fanout.id, Phase.PLANNED, batches=-(-len(mails) // BATCH))

    async def _recover(self, people: Sequence[Subscriber]) -> None:
        """Let items wait again that were assigned too late to a mail: it went without them."""
        assigned = await self._items.assigned_unsent([one.id for one in people])
        mails = {
            mail.id: mail for mail in await self._store.mails({one.mail for one in assigned if one.mail})
        }
        lost = [
            item.id
            for item in assigned
            if item.mail in mails and mails[item.mail].state not in (*WAITING, *HELD)
        ]
        await self._items.put_back(lost)

    async def _waiting(self, people: Sequence[Subscriber]) -> list[tuple[Subscriber, list[DigestItem]]]:
        """Who has something to read, and what; publications taken back meanwhile are dropped."""
        pending = await self._items.pending([one.id for one in people])
        events = await self._store.events({item.publication for item in pending})
        gone = {event.data.id for event in events if event.fact is Fact.WITHDRAWN}
        await self._items.drop([item.id for item in pending if item.publication in gone])
        waiting: defaultdict[str, list[DigestItem]] = defaultdict(list)
        for item in pending:
            if item.publication not in gone:
                waiting[item.recipient].append(item)
        return [(one, waiting[one.id]) for one in people if one.id in waiting]


def _mail(fanout: FanOut, one: Subscriber) -> Mail:
    return Mail(
        id=mail_id(fanout.id, one.id),
        fanout=fanout.id,
        purpose=Purpose.DIGEST,
        recipient=one.id,
        name=one.name,
        address=one.address,
        token=one.token,
    )
