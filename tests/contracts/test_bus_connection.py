"""The bus and its connection: lost in every way there is, and found again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from shared.bus import Bus, BusUnavailable, Consumption, channel_queue
from shared.events import DeliveryReported, PublicationEvent, decode
from shared.settings import SharedSettings
from tests.proxy import Proxy, proxy_to
from tests.samples import fact, publication
from tests.waiting import eventually

Event = PublicationEvent | DeliveryReported
SITE = channel_queue("site")


@pytest.fixture
async def proxy(shared_settings: SharedSettings) -> AsyncIterator[Proxy]:
    """A proxy in front of the broker."""
    port = urlsplit(shared_settings.amqp_url.get_secret_value()).port
    assert port is not None
    async with proxy_to(port) as opened:
        yield opened


@pytest.fixture
def through(shared_settings: SharedSettings, proxy: Proxy) -> SharedSettings:
    """Settings whose broker is behind the proxy, with a heartbeat that notices a black hole soon."""
    url = urlsplit(shared_settings.amqp_url.get_secret_value())
    behind = url._replace(netloc=f"{url.username}:{url.password}@127.0.0.1:{proxy.port}", query="heartbeat=1")
    return shared_settings.model_copy(update={"amqp_url": SecretStr(behind.geturl())})


async def emitted(bus: Bus, event: Event) -> None:
    """Emit again and again until it is confirmed, as every service does."""

    async def confirmed() -> bool:
        try:
            await bus.emit(event)
        except BusUnavailable:
            return False
        return True

    await eventually(confirmed, within=40, every=0.1)


async def close(proxy: Proxy) -> None:
    proxy.cut()


async def reset(proxy: Proxy) -> None:
    proxy.cut(reset=True)


async def refuse_for_a_while(proxy: Proxy) -> None:
    await proxy.refuse()
    await asyncio.sleep(0.1)
    await proxy.open()


async def black_hole(proxy: Proxy) -> None:
    proxy.freeze()
    asyncio.get_running_loop().call_later(4, proxy.thaw)


@pytest.mark.parametrize("failure", [close, reset, refuse_for_a_while, black_hole])
async def test_publishing_and_consuming_go_on_after_a_lost_connection(
    through: SharedSettings, proxy: Proxy, failure: Callable[[Proxy], Awaitable[None]]
) -> None:
    """Twice in one run: what worked after the first loss must work after the second."""
    handled: set[str] = set()

    async def handle(event: Event) -> None:
        handled.add(str(event.id))

    bus = Bus(through)
    bus.consume(Consumption(SITE, read=decode, handle=handle))
    await bus.start()
    try:
        await asyncio.wait_for(bus.ready(), 20)
        sent = [fact(publication()) for _ in range(30)]
        for number, event in enumerate(sent):
            if number in (10, 20):
                await failure(proxy)
            await emitted(bus, event)

        async def all_handled() -> bool:
            return handled >= {str(event.id) for event in sent}

        await eventually(all_handled, within=60)
        assert await bus.connected()
    finally:
        await bus.stop()


async def test_a_service_starts_while_the_broker_is_away(through: SharedSettings, proxy: Proxy) -> None:
    await proxy.refuse()
    handled: list[Event] = []

    async def handle(event: Event) -> None:
        handled.append(event)

    bus = Bus(through)
    bus.consume(Consumption(SITE, read=decode, handle=handle))
    await bus.start()
    try:
        event = fact(publication())
        with pytest.raises(BusUnavailable):
            await bus.emit(event)
        assert not await bus.connected()
        await proxy.open()
        await asyncio.wait_for(bus.ready(), 30)
        await emitted(bus, event)

        async def once() -> bool:
            return handled == [event]

        await eventually(once)
    finally:
        await bus.stop()


async def test_a_stop_while_the_broker_is_away_returns(through: SharedSettings, proxy: Proxy) -> None:
    await proxy.refuse()
    bus = Bus(through)
    await bus.start()
    await asyncio.wait_for(bus.stop(), 10)
