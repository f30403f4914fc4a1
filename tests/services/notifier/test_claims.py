"""Batches that come twice at the same moment: one handler sends, the others wait for it."""

import asyncio

import pytest

from services.notifier.app import Notifier
from services.notifier.records import MailBatch, fanout_id
from services.notifier.settings import Settings
from shared.bus import NOTIFIER_MAILS, Bus
from tests.samples import fact, publication
from tests.services.notifier.conftest import Receipts, journalist, outlet, running
from tests.smtp import MailServer
from tests.waiting import eventually


@pytest.mark.parametrize("processes", [1, 2])
async def test_a_batch_delivered_many_times_at_once_is_sent_once(
    settings: Settings, bus: Bus, smtp: MailServer, receipts: Receipts, processes: int
) -> None:
    addresses = [f"j{number}@avers.example" for number in range(50)]
    for address in addresses:
        smtp.tell(address, 0.01)
    event = fact(publication())
    async with running(settings) as notifier, running(settings) as other:
        await notifier.people.replace([outlet("avers", *map(journalist, addresses))])
        await bus.emit(event)

        async def planned() -> list[str]:
            return await notifier.store.mail_ids(fanout_id(event.data.id, event.rank))

        mails = await eventually(planned)
        batch = MailBatch(fanout=fanout_id(event.data.id, event.rank), batch=0, mails=tuple(mails))
        handlers: list[Notifier] = [notifier, other][:processes]
        await asyncio.gather(*(one.mailing.handle(batch) for one in handlers * 6))
        for _ in range(6):
            await bus.send(NOTIFIER_MAILS, batch.encode(), message_id=batch.message_id)
        await receipts.final(event)
    assert smtp.recipients() == dict.fromkeys(addresses, 1)
