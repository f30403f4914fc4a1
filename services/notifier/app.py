"""The notifier put together: two consumers, the digests, the unsubscribe pages, health, metrics."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.notifier.composing import Composing
from services.notifier.digests import Digests
from services.notifier.fanout import FanOuts
from services.notifier.items import Items
from services.notifier.mailing import Mailing
from services.notifier.metrics import OLDEST_OPEN, OPEN_BATCHES, OPEN_FANOUTS
from services.notifier.presence import Presence
from services.notifier.reporting import Reporting
from services.notifier.settings import Settings
from services.notifier.smtp import SmtpPool
from services.notifier.store import Store
from services.notifier.subscribers import Subscribers, SubscriberStore
from services.notifier.unsubscribe import routes
from shared.bus import Bus
from shared.events import now
from shared.mongo import Mongo, StoreUnavailable
from shared.telemetry import logger
from shared.web import make_app

HOUSEKEEPING_EVERY = 5.0

_log = logger(__name__)


class Notifier:
    """All parts, and their order of starting and stopping."""

    def __init__(self, settings: Settings) -> None:
        self.mongo = Mongo(settings.mongo_url.get_secret_value(), settings.database)
        self.bus = Bus(settings)
        self.store = Store(self.mongo)
        self.items = Items(self.mongo)
        self.people = SubscriberStore(self.mongo)
        self.presence = Presence(self.mongo)
        self.pool = SmtpPool(settings)
        subscribers = Subscribers(self.people)
        reporting = Reporting(self.store, self.items, self.bus)
        self.fanouts = FanOuts(
            store=self.store,
            items=self.items,
            subscribers=subscribers,
            presence=self.presence,
            reporting=reporting,
            bus=self.bus,
        )
        self.mailing = Mailing(
            settings=settings,
            store=self.store,
            subscribers=self.people,
            composing=Composing(settings, self.store, self.items),
            presence=self.presence,
            reporting=reporting,
            pool=self.pool,
            bus=self.bus,
        )
        self.digests = Digests(
            store=self.store,
            items=self.items,
            subscribers=subscribers,
            presence=self.presence,
            reporting=reporting,
            bus=self.bus,
        )
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Begin in the background: the service starts while broker and database are away."""
        self.bus.consume(self.fanouts.consumption())
        self.bus.consume(self.mailing.consumption())
        self._tasks["start"] = asyncio.create_task(self._come_up())

    async def _come_up(self) -> None:
        while True:
            try:
                for part in (self.store, self.items, self.people):
                    await part.prepare()
                await self.presence.renew()
            except StoreUnavailable as error:
                _log.warning("the database is not reachable yet", reason=str(error))
                await asyncio.sleep(1)
            else:
                break
        self._tasks["presence"] = asyncio.create_task(self.presence.run())
        self._tasks["digests"] = asyncio.create_task(self.digests.run())
        self._tasks["housekeeping"] = asyncio.create_task(self._keep_house())
        await self.bus.start()

    async def stop(self) -> None:
        """Let what is on the wire end; leave the rest to whoever comes next."""
        self.mailing.stop()
        await self.bus.stop()
        await self.mailing.drain()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self.pool.close_idle(0)
        try:
            await self.presence.leave()
        except StoreUnavailable as error:
            _log.warning("others will wait for this process to count as dead", reason=str(error))
        self.mongo.close()

    async def _keep_house(self) -> None:
        while True:
            await self.pool.close_idle()
            try:
                fanouts, batches, oldest = await self.store.open_work()
            except StoreUnavailable:
                _log.info("open mails can't be counted now")
            else:
                OPEN_FANOUTS.set(fanouts)
                OPEN_BATCHES.set(batches)
                OLDEST_OPEN.set((now() - oldest).total_seconds() if oldest else 0)
            await asyncio.sleep(HOUSEKEEPING_EVERY)

    async def loops_ail(self) -> str | None:
        """Every loop has to run; that of coming up, until it is through."""
        wanted = ("presence", "digests", "housekeeping")
        dead = [name for name in wanted if name not in self._tasks or self._tasks[name].done()]
        return f"not running: {', '.join(dead)}" if dead else None


def build(settings: Settings) -> FastAPI:
    """The app; `app.state.notifier` is the running service."""
    notifier = Notifier(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await notifier.start()
        try:
            yield
        finally:
            await notifier.stop()

    app = make_app(
        "Visnyk: notifier",
        description="Brings publications to the media by mail.",
        lifespan=lifespan,
        checks={"bus": notifier.bus.health, "mongo": notifier.mongo.health, "loops": notifier.loops_ail},
    )
    app.state.notifier = notifier
    app.include_router(routes(settings, notifier.people))
    return app
