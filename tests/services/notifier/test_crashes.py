"""`kill -9` in the middle of sending, and two processes at once."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from deploy.local.ports import free_port
from services.notifier.settings import Settings
from services.notifier.subscribers import SubscriberStore
from shared.bus import Bus
from shared.events import Outcome
from shared.mongo import Mongo
from tests.samples import corrected, fact, publication
from tests.services.notifier.conftest import Receipts, journalist, outlet
from tests.smtp import MailServer
from tests.waiting import eventually


@asynccontextmanager
async def process(settings: Settings) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The notifier as operators run it, ready; and its address."""
    port = free_port()
    environment = os.environ | {
        "AMQP_URL": settings.amqp_url.get_secret_value(),
        "MONGO_URL": settings.mongo_url.get_secret_value(),
        "RETRY_LADDER": ",".join(str(step) for step in settings.retry_ladder),
        "NOTIFIER_PORT": str(port),
        "SMTP_PORT": str(settings.smtp_port),
        "LOG_LEVEL": "WARNING",
    }
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.notifier", env=environment, start_new_session=True
    )
    address = f"http://127.0.0.1:{port}"

    async def ready() -> bool:
        try:
            async with httpx.AsyncClient() as client:
                return (await client.get(f"{address}/health/ready")).status_code == 200
        except httpx.TransportError:
            return False

    try:
        await eventually(ready, within=60)
        yield started, address
    finally:
        if started.returncode is None:
            started.terminate()
        await asyncio.wait_for(started.wait(), 40)


async def possible_duplicates(address: str) -> float:
    async with httpx.AsyncClient() as client:
        metrics = (await client.get(f"{address}/metrics")).text
    [line] = [one for one in metrics.splitlines() if one.startswith("visnyk_mail_possible_duplicates_total ")]
    return float(line.split()[1])


@pytest.fixture
async def people(settings: Settings) -> AsyncIterator[SubscriberStore]:
    mongo = Mongo(settings.mongo_url.get_secret_value(), settings.database)
    store = SubscriberStore(mongo)
    await store.prepare()
    yield store
    mongo.close()


async def test_killed_in_the_middle_of_300_mails_everyone_still_gets_one(
    people: SubscriberStore, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    """Only what was on the wire may come twice, with the same Message-ID, and no more than is counted."""
    settings = receipts.settings
    addresses = [f"j{number}@avers.example" for number in range(300)]
    await people.replace([outlet("avers", *map(journalist, addresses))])
    for address in addresses:
        smtp.tell(address, 0.005)
    event = fact(publication())
    async with process(settings) as (victim, _):
        await bus.emit(event)

        async def some_taken() -> bool:
            return len(smtp.taken) >= 150

        await eventually(some_taken, every=0.002)
        victim.send_signal(signal.SIGKILL)
        await victim.wait()
    async with process(settings) as (_, address):
        report = await receipts.final(event)
        assert (report.outcome, report.recipients, report.failed) == (Outcome.PUBLISHED, 300, 0)
        counted = await possible_duplicates(address)
    assert set(smtp.recipients()) == set(addresses)
    assert smtp.repeated() == len(smtp.taken) - 300, "a repeated mail has the same Message-ID"
    assert smtp.repeated() <= counted <= 6 * settings.smtp_connections


async def test_two_processes_share_the_work_and_double_nothing(
    settings: Settings, people: SubscriberStore, bus: Bus, smtp: MailServer, receipts: Receipts
) -> None:
    """One of them is told to stop on the way: what it had begun it ends, the rest the other sends."""
    addresses = [f"j{number}@avers.example" for number in range(300)]
    await people.replace([outlet("avers", *map(journalist, addresses))])
    for address in addresses:
        smtp.tell(address, 0.01)
    original = publication()
    first, second = fact(original), fact(corrected(original, title="Нова назва"))
    async with process(settings):
        async with process(settings) as (leaving, _):
            await bus.emit(first)

            async def some_taken() -> bool:
                return len(smtp.taken) >= 50

            await eventually(some_taken, every=0.002)
            leaving.terminate()
            await bus.emit(second)
            await leaving.wait()
        await receipts.final(second)
    assert set(smtp.recipients()) == set(addresses)
    assert smtp.repeated() == 0
    for address in addresses:
        subjects = [mail.subject for mail in smtp.to(address)]
        assert subjects in (
            ["Нова назва"],
            [original.content.title, "ВИПРАВЛЕННЯ: Нова назва"],
        ), "the newest revision comes last, and as a correction only to who has the original"
