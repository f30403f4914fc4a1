"""Publications to three channels while Telegram is down for good, beside the same while it is up."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

import httpx
from pydantic import SecretStr

from deploy.local.ports import free_port
from services.publisher.settings import PublisherSettings
from shared.bus import ARCHIVE_RECORD, Bus
from shared.events import DeliveryReported, Outcome, decode
from shared.settings import SharedSettings
from tests.bench.latency import percentiles
from tests.bench.measuring import Benchmark, Beside, Contender, Failed, Figures
from tests.bench.payload import text
from tests.bench.scale import Scale
from tests.bench.stage import Stage
from tests.faults.test_channels import environment_of
from tests.rabbit import channel, empty_queues
from tests.samples import fact, publication
from tests.services.publisher.stands.facebook import Stand as FacebookStand
from tests.services.publisher.stands.interface import ChannelStand
from tests.services.publisher.stands.telegram import Stand as TelegramStand
from tests.waiting import eventually

NAME = "isolation"
PER_SECOND = 10
CHANNELS = ("site", "telegram", "facebook")
MEASURED = ("site", "facebook")


@asynccontextmanager
async def prepared(stage: Stage, scale: Scale) -> AsyncIterator[Benchmark]:
    """A publisher started anew for each round, before stand-ins of which one may be gone."""
    count = round(PER_SECOND * scale.seconds)
    settings = PublisherSettings(
        amqp_url=SecretStr(stage.city.amqp_url), mongo_url=SecretStr(stage.mongo_url), channels=CHANNELS
    )
    async with AsyncExitStack() as stack:
        environment: dict[str, str] = {"CHANNELS": ",".join(CHANNELS), "SITE_URL": "https://rada.example"}
        opened: list[type[ChannelStand]] = [TelegramStand, FacebookStand]
        for make in opened:
            stand = make(settings, stage.folder)
            for section in await stand.open():
                environment |= environment_of(section)
            stack.push_async_callback(stand.close)
        usual = {"CHANNELS": "site", "SITE_URL": "http://127.0.0.1:1"} | stage.city.more
        stack.callback(stage.city.more.update, usual)
        up, down = environment["TELEGRAM_API_URL"], f"http://127.0.0.1:{free_port()}"

        async def with_telegram(url: str) -> Figures:
            stage.city.more.update(environment | {"TELEGRAM_API_URL": url})
            await empty_queues(settings)
            stage.city.start("publisher")
            try:
                await _consuming(
                    stage, () if url == environment["TELEGRAM_API_URL"] else ("channel telegram",)
                )
                return await _measured(settings, count)
            finally:
                stage.city.stop()

        yield Benchmark(
            NAME,
            "ms",
            Contender("Telegram is down", lambda: with_telegram(down)),
            [Beside(Contender("Telegram is up", lambda: with_telegram(up)), "floor")],
        )
        await empty_queues(settings)


async def _consuming(stage: Stage, ailing: tuple[str, ...]) -> None:
    """Wait until nothing but these ails the publisher."""
    async with httpx.AsyncClient(base_url=stage.city.url("publisher"), timeout=5) as client:

        async def well() -> bool:
            try:
                found: Mapping[str, str] = (await client.get("/health/ready")).json()["ailing"]
            except httpx.TransportError:
                return False
            return set(found) <= set(ailing)

        await eventually(well, within=60)


async def _measured(settings: SharedSettings, count: int) -> Figures:
    """Release publications at an even pace; the time from each to its outcome on the channels that are up."""
    bus = Bus(settings)
    await bus.start()
    await asyncio.wait_for(bus.ready(), 20)
    begun: dict[UUID, float] = {}
    start = time.perf_counter()
    for number in range(count):
        await asyncio.sleep(start + number / PER_SECOND - time.perf_counter())
        event = fact(publication(content=text(number), targets=(*CHANNELS, "mail")))
        begun[event.subject] = time.time()
        await bus.emit(event)
    taken: dict[str, list[float]] = {name: [] for name in MEASURED}
    until = time.monotonic() + 40
    async with channel(settings) as opened:
        queue = await opened.get_queue(ARCHIVE_RECORD)
        while any(len(found) < count for found in taken.values()):
            message = await queue.get(fail=False)
            if message is None:
                if time.monotonic() > until:
                    raise Failed("a channel that is up did not report everything")
                await asyncio.sleep(0.05)
                continue
            await message.ack()
            report = decode(message.body)
            if not isinstance(report, DeliveryReported) or report.data.target not in taken:
                continue
            if report.data.outcome is Outcome.PUBLISHED:
                taken[report.data.target].append(report.data.at.timestamp() - begun[report.subject])
    await bus.stop()
    return {
        figure: value for name, found in taken.items() for figure, value in percentiles(name, found).items()
    }
