"""From a fact on the bus to mails in mailboxes and an entry on the receipt."""

from services.notifier.app import Notifier
from shared.bus import Bus
from shared.events import Outcome
from tests.samples import fact, publication
from tests.services.notifier.conftest import Receipts, journalist, outlet
from tests.smtp import MailServer


async def test_a_release_reaches_each_matching_subscriber_once(
    notifier: Notifier, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    await notifier.people.replace(
        [
            outlet("avers", journalist("a@avers.example"), journalist("b@avers.example", topics=["tariffs"])),
            outlet("zamok", journalist("c@zamok.example", kinds=["news"], topics=["transport"])),
        ]
    )
    event = fact(publication())
    await bus.emit(event)
    report = await receipts.final(event)
    assert smtp.recipients() == {"a@avers.example": 1, "c@zamok.example": 1}
    assert (report.outcome, report.recipients, report.failed) == (Outcome.PUBLISHED, 2, 0)
