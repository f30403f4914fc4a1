"""The broker goes away, the database goes away, the process dies: what was accepted comes to the bus."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from services.ingest.settings import IngestSettings
from services.ingest.store import LEASE
from tests.city import City
from tests.proxy import Proxy, proxy_to
from tests.samples import submission
from tests.services.ingest.conftest import Heard, Running, accepted, problem, run_ingest
from tests.waiting import eventually


def behind(url: str, port: int, query: str) -> SecretStr:
    """The same server, reached by another port."""
    parts = urlsplit(url)
    login = f"{parts.username}:{parts.password}@" if parts.username else ""
    return SecretStr(parts._replace(netloc=f"{login}127.0.0.1:{port}", query=query).geturl())


@pytest.fixture
async def rabbit_proxy(settings: IngestSettings) -> AsyncIterator[Proxy]:
    """A proxy in front of the broker."""
    async with proxy_to(urlsplit(settings.amqp_url.get_secret_value()).port or 0) as proxy:
        yield proxy


@pytest.fixture
async def mongo_proxy(settings: IngestSettings) -> AsyncIterator[Proxy]:
    """A proxy in front of the database."""
    async with proxy_to(urlsplit(settings.mongo_url.get_secret_value()).port or 0) as proxy:
        yield proxy


@pytest.fixture
async def fragile(
    settings: IngestSettings, key: str, rabbit_proxy: Proxy, mongo_proxy: Proxy
) -> AsyncIterator[Running]:
    """An ingest that reaches both servers by the proxies."""
    through = settings.model_copy(
        update={
            "amqp_url": behind(settings.amqp_url.get_secret_value(), rabbit_proxy.port, "heartbeat=1"),
            "mongo_url": behind(
                settings.mongo_url.get_secret_value(), mongo_proxy.port, "directConnection=true"
            ),
        }
    )
    async with run_ingest(through, key) as running:
        await asyncio.wait_for(running.ingest.bus.ready(), 30)
        yield running


async def all_heard(heard: Heard, ids: list[str], *, within: float = 60) -> None:
    """Wait until all these are released on the bus."""

    async def is_heard() -> bool:
        return {str(event.subject) for event in await heard.more()} >= set(ids)

    await eventually(is_heard, within=within)


async def test_what_is_accepted_without_a_broker_comes_when_it_is_back(
    fragile: Running, rabbit_proxy: Proxy, heard: Heard
) -> None:
    """It stays ready meanwhile, says how long the oldest waits, and catches up."""
    await rabbit_proxy.refuse()
    ids = [(await fragile.submit())["id"] for _ in range(30)]
    changed = accepted(await fragile.revise(ids[0], 1))
    assert changed["revision"] == 2
    assert (await fragile.client.get("/health/ready")).status_code == 200

    async def waits() -> bool:
        lines = (await fragile.client.get("/metrics")).text.splitlines()
        [line] = [line for line in lines if line.startswith("visnyk_oldest_unemitted_seconds ")]
        return float(line.split()[1]) > 0

    await eventually(waits)
    assert await heard.more() == []
    await rabbit_proxy.open()
    await all_heard(heard, ids)
    assert await heard.of(ids[0]) == [("released", 1), ("released", 2)]

    async def nothing_waits() -> bool:
        return not await waits()

    await eventually(nothing_waits)


async def test_a_start_without_a_broker_takes_publications_all_the_same(
    settings: IngestSettings, key: str, rabbit_proxy: Proxy, heard: Heard
) -> None:
    """It is ready at once; the broker comes later, and hears of it all."""
    await rabbit_proxy.refuse()
    url = behind(settings.amqp_url.get_secret_value(), rabbit_proxy.port, "heartbeat=1")
    async with run_ingest(settings.model_copy(update={"amqp_url": url}), key) as running:
        ids = [(await running.submit())["id"] for _ in range(5)]

        async def ready() -> bool:
            return (await running.client.get("/health/ready")).status_code == 200

        await eventually(ready)
        assert await heard.more() == []
        await rabbit_proxy.open()
        await all_heard(heard, ids)
    assert len(heard.times()) == 5


async def test_a_broker_that_hangs_holds_up_nobody(
    fragile: Running, rabbit_proxy: Proxy, heard: Heard
) -> None:
    """A black hole instead of a refusal: accepted all the same, and emitted when it ends."""
    rabbit_proxy.freeze()
    ids = [(await asyncio.wait_for(fragile.submit(), 5))["id"] for _ in range(5)]
    rabbit_proxy.thaw()
    await all_heard(heard, ids)


async def test_what_waits_of_one_publication_is_bounded(
    fragile: Running, rabbit_proxy: Proxy, heard: Heard
) -> None:
    """A document has its limit: before it is reached the department is asked to come later."""
    await rabbit_proxy.refuse()
    id = (await fragile.submit())["id"]
    revision = 1
    while (answer := await fragile.revise(id, revision)).status_code == 202:
        revision += 1
        assert revision < 20
    problem(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0
    await rabbit_proxy.open()

    async def taken() -> bool:
        return (await fragile.revise(id, revision)).status_code == 202

    await eventually(taken, within=60, every=0.5)

    async def all_of_it() -> bool:
        return await heard.of(id) == [("released", n + 1) for n in range(revision + 1)]

    await eventually(all_of_it)


async def test_without_the_database_a_department_is_asked_to_come_again(
    fragile: Running, mongo_proxy: Proxy, heard: Heard
) -> None:
    """503 with Retry-After, soon; then the same key succeeds once."""
    await fragile.submit()
    body, key = submission(title="Подано наосліп"), {"Idempotency-Key": str(uuid4())}

    async def post() -> httpx.Response:
        return await fragile.client.post("/v1/publications", json=body, headers=key)

    await mongo_proxy.refuse()
    async with asyncio.timeout(15):
        answer = await post()
    problem(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0
    assert (await fragile.client.get("/health/ready")).status_code == 503
    await mongo_proxy.open()

    async def taken() -> httpx.Response | None:
        answer = await post()
        return answer if answer.status_code == 202 else None

    first = accepted(await eventually(taken, every=0.5))
    assert accepted(await post()) == first
    await all_heard(heard, [first["id"]])
    assert sum(event.data.content.title == "Подано наосліп" for event in heard.events) == 1


async def test_a_write_whose_answer_was_lost_is_found_by_its_key(
    fragile: Running, mongo_proxy: Proxy, heard: Heard
) -> None:
    """The connection ends while requests are under way; whatever was written, each key is one publication."""
    keys = [str(uuid4()) for _ in range(20)]

    async def post(key: str) -> httpx.Response:
        return await fragile.client.post(
            "/v1/publications", json=submission(title=key), headers={"Idempotency-Key": key}
        )

    async def until_taken(key: str) -> str:
        async def taken() -> httpx.Response | None:
            answer = await post(key)
            assert answer.status_code in (202, 503), answer.text
            return answer if answer.status_code == 202 else None

        return str(accepted(await eventually(taken, within=60))["id"])

    async def break_it() -> None:
        for _ in range(5):
            await asyncio.sleep(0.02)
            mongo_proxy.cut(reset=True)

    *ids, _ = await asyncio.gather(*(until_taken(key) for key in keys), break_it())
    await all_heard(heard, [str(id) for id in ids])
    titles: dict[str, set[str]] = {}
    for event in heard.events:
        titles.setdefault(event.data.content.title, set()).add(str(event.subject))
    assert titles == {key: {str(id)} for key, id in zip(keys, ids, strict=True)}


@pytest.fixture
def doomed(tmp_path: Path, settings: IngestSettings, key: str, rabbit_proxy: Proxy) -> Iterator[City]:
    """A process of its own, to be killed, that reaches the broker by the proxy."""
    url = behind(settings.amqp_url.get_secret_value(), rabbit_proxy.port, "heartbeat=5")
    city = City(tmp_path, url.get_secret_value(), settings.mongo_url.get_secret_value(), 1, key=key)
    city.start("ingest")
    yield city
    city.stop()


async def test_what_a_killed_process_accepted_another_one_emits(
    doomed: City, settings: IngestSettings, key: str, rabbit_proxy: Proxy, heard: Heard
) -> None:
    """SIGKILL between the acceptance and the broker's confirm. Its log holds no key."""
    await doomed.ready(["ingest"])

    async def connected() -> bool:
        return await doomed.metric("ingest", "visnyk_bus_connected") == 1

    await eventually(connected)
    rabbit_proxy.freeze()
    async with doomed.desk() as desk:
        ids = [accepted(await desk.post("/v1/publications", json=submission()))["id"] for _ in range(5)]
    doomed.kill("ingest")
    assert await heard.more() == []
    async with run_ingest(settings, key):
        await all_heard(heard, ids, within=LEASE.total_seconds() + 30)
    log = (doomed.folder / "ingest.log").read_text()
    assert ids[0] in log
    assert key not in log


async def test_three_relays_emit_what_was_left_over_once_each(
    fragile: Running, rabbit_proxy: Proxy, three: list[Running], heard: Heard
) -> None:
    """Forty that one process could not emit are shared by three others, and none is emitted twice."""
    await rabbit_proxy.refuse()
    ids = [(await fragile.submit())["id"] for _ in range(40)]
    await all_heard(heard, ids)

    async def settled() -> bool:
        return await fragile.ingest.outbox.oldest_unemitted() is None

    await eventually(settled)
    await heard.more()
    assert sorted(heard.times().values()) == [1] * 40
