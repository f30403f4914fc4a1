"""kill -9, in the middle of everything; then the books are balanced against what was accepted."""

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aio_pika
import pytest

from deploy.local.servers import RabbitNode
from shared.bus.topology import queues
from tests.city import City, receipt
from tests.faults.conftest import RECIPIENTS, SOAK
from tests.faults.load import Accepted, Department
from tests.smtp import MailServer
from tests.waiting import eventually

SUBMISSIONS = 300
ROUNDS = 5 if SOAK else 1
POSSIBLE_DUPLICATES = "visnyk_mail_possible_duplicates_total"


class Breaker:
    """Kills one victim after another while the department hands in, and starts each again."""

    def __init__(self, city: City, rabbit: RabbitNode, victims: list[str], *, between: range) -> None:
        """Spread the victims evenly between two counts of accepted publications."""
        self._city = city
        self._rabbit = rabbit
        step = len(between) // (len(victims) + 1)
        self._due = {between.start + step * (place + 1): victim for place, victim in enumerate(victims)}
        self._tasks: list[asyncio.Task[None]] = []
        self.counted = 0.0

    async def __call__(self, accepted: int) -> None:
        if victim := self._due.pop(accepted, None):
            self._tasks.append(asyncio.create_task(self._break(victim)))

    async def finished(self) -> None:
        """Wait until the last victim is back."""
        assert not self._due
        await asyncio.gather(*self._tasks)

    async def _break(self, victim: str) -> None:
        if victim == "rabbitmq":
            await asyncio.to_thread(self._rabbit.kill)
            await asyncio.to_thread(self._rabbit.start)
            return
        if victim == "notifier":
            self.counted += await self._city.metric("notifier", POSSIBLE_DUPLICATES)
        await asyncio.to_thread(self._city.kill, victim)
        self._city.start(victim)
        await self._city.ready([victim])


async def settled(city: City, accepted: list[Accepted], *, within: float = 180) -> dict[str, dict[str, Any]]:
    """Every receipt complete, at the revision and in the state that the department was promised."""
    found: dict[str, dict[str, Any]] = {}
    async with city.record() as record:

        async def all_settled() -> bool:
            for publication in accepted:
                if publication.id in found:
                    continue
                one = await receipt(record, publication.id)
                wanted = (publication.revision, "withdrawn" if publication.withdrawn else "released")
                if one is None or (one["revision"], one["state"]) != wanted or not one["receipt"]["complete"]:
                    return False
                found[publication.id] = one
            return True

        try:
            await eventually(all_settled, within=within, every=0.2)
        except AssertionError:
            missing = [publication for publication in accepted if publication.id not in found]
            state = await receipt(record, missing[0].id)
            raise AssertionError(f"{len(missing)} not settled; the first: {missing[0]} is {state}") from None
    return found


def site_shows(city: City, publication: Accepted, found: dict[str, Any]) -> bool:
    """Whether the site has it as it stands: its latest title, or the notice that it was withdrawn."""
    entry = next(each for each in found["receipt"]["entries"] if each["target"] == "site")
    if "url" not in entry:
        return False
    path: Path = city.site / urlsplit(entry["url"]).path.strip("/") / "index.html"
    text = path.read_text(encoding="utf-8")
    if publication.withdrawn:
        return "Маршрут не змінено." in text and "контактної мережі" not in text
    return publication.title in text


@pytest.mark.timeout(600 * ROUNDS)
@pytest.mark.parametrize("round_", range(ROUNDS))
async def test_every_accepted_publication_arrives_once_whatever_is_killed(
    city: City, rabbit: RabbitNode, smtp: MailServer, round_: int
) -> None:
    """300 submissions; each service and the broker killed once, in the middle."""
    department = Department(city, seed=round_)
    victims = ["publisher", "notifier", "rabbitmq", "archive", "ingest"]
    breaker = Breaker(city, rabbit, victims, between=range(SUBMISSIONS))
    await department.hand_in(SUBMISSIONS, progress=breaker)
    await breaker.finished()
    found = await settled(city, department.accepted)
    assert len({publication.id for publication in department.accepted}) == SUBMISSIONS
    async with city.record() as record:
        listed = Counter(await _all_listed(record))
    assert {listed[publication.id] for publication in department.accepted} == {1}
    assert all(site_shows(city, publication, found[publication.id]) for publication in department.accepted)
    subjects = Counter((mail.recipient, mail.subject) for mail in smtp.taken)
    wanted = {(address, publication.title) for address in RECIPIENTS for publication in department.accepted}
    assert set(subjects) == wanted
    counted = breaker.counted + await city.metric("notifier", POSSIBLE_DUPLICATES)
    assert smtp.repeated() <= counted
    assert sum(subjects.values()) - len(wanted) == smtp.repeated()
    assert "nothing is parked" in await asyncio.to_thread(city.command, "shared.bus.parked", "list")


@pytest.mark.timeout(600 * ROUNDS)
@pytest.mark.parametrize("round_", range(ROUNDS))
async def test_the_last_revision_stands_everywhere_whatever_is_killed_and_reordered(
    city: City, rabbit: RabbitNode, smtp: MailServer, round_: int
) -> None:
    """Corrections and withdrawals mixed in; the consumers find their queues shuffled, with copies."""
    for service in ("archive", "publisher", "notifier"):
        await asyncio.to_thread(city.kill, service)
    department = Department(city, seed=100 + round_)
    await department.hand_in(SUBMISSIONS // 2, change=True)
    await shuffle(rabbit.url, seed=round_)
    city.start("archive", "publisher", "notifier")
    await city.ready()
    victims = ["archive", "notifier", "publisher"]
    breaker = Breaker(city, rabbit, victims, between=range(SUBMISSIONS // 2, SUBMISSIONS))
    await department.hand_in(SUBMISSIONS // 2, change=True, progress=breaker)
    await breaker.finished()
    found = await settled(city, department.accepted)
    assert all(site_shows(city, publication, found[publication.id]) for publication in department.accepted)
    counted = breaker.counted + await city.metric("notifier", POSSIBLE_DUPLICATES)
    assert smtp.repeated() <= counted
    mailed = {address: {mail.subject for mail in smtp.to(address)} for address in RECIPIENTS}
    for publication in department.accepted:
        for address in RECIPIENTS:
            subjects = {subject for subject in mailed[address] if publication.label in subject}
            taken_back = {subject for subject in subjects if subject.startswith("ВІДКЛИКАНО")}
            what_happened = (publication, address, subjects, found[publication.id]["receipt"])
            if publication.withdrawn:
                assert len(taken_back) == bool(subjects), what_happened
            else:
                assert not taken_back, what_happened
                assert any(publication.title in subject for subject in subjects), what_happened


async def _all_listed(record: Any) -> list[str]:
    ids: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = (await record.get("/v1/publications", params={"limit": 100} | after)).json()
        ids += [item["id"] for item in page["items"]]
        if page["next"] is None:
            return ids
        after = {"after": page["next"]}


async def shuffle(url: str, *, seed: int) -> None:
    """Empty each queue and fill it again: in another order, every tenth message twice."""
    chance = random.Random(seed)
    connection = await aio_pika.connect(url)
    async with connection, connection.channel() as channel:
        for queue in queues(["site"]):
            declared = await channel.declare_queue(queue.name, passive=True)
            count = declared.declaration_result.message_count or 0
            taken: list[aio_pika.abc.AbstractIncomingMessage] = []
            if count:
                async with declared.iterator() as messages:
                    async for message in messages:
                        taken.append(message)
                        if len(taken) == count:
                            break
            chance.shuffle(taken)
            for message in taken:
                for _ in range(2 if chance.random() < 0.1 else 1):
                    copy = aio_pika.Message(
                        message.body,
                        message_id=message.message_id,
                        content_type=message.content_type,
                        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                    )
                    await channel.default_exchange.publish(copy, queue.name)
                await message.ack()
