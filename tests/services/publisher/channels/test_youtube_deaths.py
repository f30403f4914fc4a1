"""A process that dies before or after any request or write: the next one leaves one thing up, or nothing."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

import pytest

from services.publisher.channels.youtube.settings import MIB
from shared.events import now
from shared.mongo import Mongo
from shared.publication import Publication
from shared.settings import SharedSettings
from tests.faults.mortal import Died, Process
from tests.platforms.platform import Running, run
from tests.platforms.youtube import YoutubePlatform
from tests.samples import corrected, publication, withdrawn
from tests.services.publisher.channels.youtube_account import Account, opened


@pytest.fixture
async def world() -> AsyncIterator[Running]:
    running = await run(YoutubePlatform())
    yield running
    await running.stop()


@asynccontextmanager
async def living(
    settings: SharedSettings, mongo: Mongo, world: Running, process: Process
) -> AsyncIterator[Account]:
    """The channel in a process that may die around each request and each write of its own."""
    async with opened(settings, mongo.database, world) as account:
        mortal(process, account.channel._http, "request")
        mortal(process, account.channel._records, "change")
        yield account


def mortal(process: Process, owner: object, name: str) -> None:
    lives: Callable[..., Awaitable[object]] = getattr(owner, name)

    async def may_die(*given: object, **named: object) -> object:
        return await process.mortal(partial(lives, *given, **named))

    setattr(owner, name, may_die)


async def a_video(account: Account, number: int) -> Publication:
    return await account.video(2 * MIB + 5, of=bytes([number]))


async def a_broadcast(account: Account, number: int) -> Publication:
    del account
    at = (now() + timedelta(days=1, minutes=number)).isoformat()
    details = {"series": "Сесія", "station": "YouTube", "medium": "online", "airs_at": at}
    return publication("broadcast", content={"broadcast": details}, targets=("youtube",))


MAKERS = [a_video, a_broadcast]


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
async def test_it_is_up_once_and_gone_when_withdrawn(
    make: Callable[[Account, int], Awaitable[Publication]],
    shared_settings: SharedSettings,
    mongo: Mongo,
    world: Running,
) -> None:
    for cut in itertools.count():
        async with living(shared_settings, mongo, world, Process()) as account:
            first = await make(account, cut)
        second = corrected(first, title=f"Виправлено {cut}")
        lived = True
        async with living(shared_settings, mongo, world, Process(cut)) as account:
            try:
                await account.update(second, await account.publish(first))
            except Died:
                lived = False
        async with living(shared_settings, mongo, world, Process()) as account:
            await account.publish(second)
        (shown,) = world.platform.shown()
        assert f"Виправлено {cut}" in shown.text
        async with living(shared_settings, mongo, world, Process(cut)) as account:
            try:
                await account.withdraw(withdrawn(second), None)
            except Died:
                lived = False
        async with living(shared_settings, mongo, world, Process()) as account:
            await account.withdraw(withdrawn(second), None)
        assert world.platform.shown() == []
        if lived:
            assert cut > 10, "each step had its death"
            return


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
async def test_nothing_stays_up_of_what_was_withdrawn_while_it_was_put_up(
    make: Callable[[Account, int], Awaitable[Publication]],
    shared_settings: SharedSettings,
    mongo: Mongo,
    world: Running,
) -> None:
    for cut in itertools.count():
        lived = True
        async with living(shared_settings, mongo, world, Process(cut)) as account:
            try:
                first = await make(account, cut)
                await account.publish(first)
            except Died:
                lived = False
        async with living(shared_settings, mongo, world, Process()) as account:
            await account.withdraw(withdrawn(first), None)
        assert world.platform.shown() == []
        if lived:
            assert cut > 5, "each step had its death"
            return
