"""A part goes away and comes back; what was accepted arrives, once."""

import asyncio
from uuid import uuid4

import httpx

from deploy.local.servers import MongoNode, RabbitNode
from tests.city import City, complete, receipt
from tests.faults.conftest import RECIPIENTS
from tests.samples import submission
from tests.smtp import MailServer
from tests.waiting import eventually


async def test_submitted_while_rabbitmq_is_down(city: City, rabbit: RabbitNode, smtp: MailServer) -> None:
    """Accepted at once; in the archive, on the site and in the mailboxes when the broker is back."""
    await asyncio.to_thread(rabbit.kill)
    async with city.desk() as desk, city.record() as record:
        accepted = []
        for number in range(5):
            answer = await desk.post("/v1/publications", json=submission(title=f"Без брокера {number}"))
            assert answer.status_code == 202, answer.text
            accepted.append(answer.json()["id"])

        async def measured() -> bool:
            return await city.metric("ingest", "visnyk_oldest_unemitted_seconds") > 0

        await eventually(measured)
        assert await receipt(record, accepted[0]) is None
        await asyncio.to_thread(rabbit.start)
        for publication_id in accepted:
            found = await complete(record, publication_id, within=90)
            outcomes = {entry["target"]: entry["outcome"] for entry in found["receipt"]["entries"]}
            assert outcomes == {"site": "published", "mail": "published"}
    assert smtp.recipients() == dict.fromkeys(RECIPIENTS, 5)


async def test_submitted_while_mongodb_is_down(city: City, mongod: MongoNode, smtp: MailServer) -> None:
    """503 with Retry-After; the same request, with the same key, succeeds once after it is back."""
    key = {"Idempotency-Key": str(uuid4())}
    body = submission(title="Подано наосліп")
    async with city.desk() as desk, city.record() as record:
        await asyncio.to_thread(mongod.kill)
        refused = await desk.post("/v1/publications", json=body, headers=key)
        assert refused.status_code == 503, refused.text
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert int(refused.headers["Retry-After"]) > 0
        await asyncio.to_thread(mongod.start)

        async def accepted() -> httpx.Response | None:
            answer = await desk.post("/v1/publications", json=body, headers=key)
            return answer if answer.status_code == 202 else None

        first = (await eventually(accepted, within=60)).json()
        again = (await eventually(accepted)).json()
        assert again == first
        await complete(record, first["id"], within=90)
        listed = (await record.get("/v1/publications")).json()["items"]
        assert [item["title"] for item in listed].count("Подано наосліп") == 1
    assert smtp.recipients() == dict.fromkeys(RECIPIENTS, 1)


async def test_a_mail_refused_for_now_is_sent_later(city: City, smtp: MailServer) -> None:
    smtp.tell("second@news.example", "451 later", "451 later", "take")
    async with city.desk() as desk, city.record() as record:
        accepted = (await desk.post("/v1/publications", json=submission())).json()
        found = await complete(record, accepted["id"])
        [mail] = [entry for entry in found["receipt"]["entries"] if entry["target"] == "mail"]
        assert (mail["outcome"], mail["recipients"], mail["failed"]) == ("published", 3, 0)
    assert smtp.recipients() == dict.fromkeys(RECIPIENTS, 1)


async def test_a_mail_refused_for_good_is_on_the_receipt(city: City, smtp: MailServer) -> None:
    smtp.tell("second@news.example", "550 no such user")
    async with city.desk() as desk, city.record() as record:
        accepted = (await desk.post("/v1/publications", json=submission())).json()
        found = await complete(record, accepted["id"])
        [mail] = [entry for entry in found["receipt"]["entries"] if entry["target"] == "mail"]
        assert (mail["outcome"], mail["recipients"], mail["failed"]) == ("published", 3, 1)
        assert "550" in mail["reason"]
    assert smtp.recipients() == {"first@news.example": 1, "third@news.example": 1}


async def test_a_parked_message_is_sent_again_by_the_command(city: City, smtp: MailServer) -> None:
    """The ladder is used up, the receipt says so; after `parked retry` it is complete and right."""
    for address in RECIPIENTS:
        smtp.tell(address, "451 later")
    async with city.desk() as desk, city.record() as record:
        accepted = (await desk.post("/v1/publications", json=submission())).json()

        async def failed() -> bool:
            found = await receipt(record, accepted["id"])
            entries = found["receipt"]["entries"] if found else []
            return any((each["target"], each["outcome"]) == ("mail", "failed") for each in entries)

        await eventually(failed, within=90)

        async def parked() -> str | None:
            listed = await asyncio.to_thread(city.command, "shared.bus.parked", "list")
            return listed if "notifier.mails" in listed else None

        await eventually(parked, within=30, every=0.5)
        assert smtp.recipients() == {}
        smtp.script.clear()
        sent = await asyncio.to_thread(city.command, "shared.bus.parked", "retry", "--all")
        assert "sent again: 1" in sent

        async def delivered() -> bool:
            found = await receipt(record, accepted["id"])
            assert found is not None
            [mail] = [entry for entry in found["receipt"]["entries"] if entry["target"] == "mail"]
            return bool(
                found["receipt"]["complete"] and mail["outcome"] == "published" and mail["recipients"] == 3
            )

        await eventually(delivered, within=60)
    assert smtp.recipients() == dict.fromkeys(RECIPIENTS, 1)
    assert "nothing is parked" in await asyncio.to_thread(city.command, "shared.bus.parked", "list")


async def test_the_mail_server_down_for_a_while(city: City, smtp: MailServer) -> None:
    await smtp.stop()
    async with city.desk() as desk, city.record() as record:
        accepted = (await desk.post("/v1/publications", json=submission())).json()

        async def retrying() -> bool:
            found = await receipt(record, accepted["id"])
            entries = found["receipt"]["entries"] if found else []
            return any((each["target"], each["outcome"]) == ("mail", "retrying") for each in entries)

        await eventually(retrying, within=60)
        await smtp.start()
        found = await complete(record, accepted["id"], within=90)
        assert {entry["outcome"] for entry in found["receipt"]["entries"]} == {"published"}
    assert smtp.recipients() == dict.fromkeys(RECIPIENTS, 1)
