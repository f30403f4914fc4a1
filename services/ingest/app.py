"""Ingest put together: the desk, the outbox behind it, and what brings the outbox to the bus."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.ingest.admission import Admission
from services.ingest.desk import Desk, routes
from services.ingest.emission import POLL, Emitter, Relay
from services.ingest.keys import Register
from services.ingest.media.finishing import Finisher
from services.ingest.media.intake import Intake
from services.ingest.media.records import Records
from services.ingest.media.routes import MediaDesk
from services.ingest.media.routes import routes as media_routes
from services.ingest.media.settings import MediaSettings
from services.ingest.media.tus import TusDesk
from services.ingest.media.tus import routes as tus_routes
from services.ingest.media.upkeep import Upkeep
from services.ingest.media.uploads import Uploads
from services.ingest.metrics import OLDEST_UNEMITTED, count_refusals
from services.ingest.openapi import describe
from services.ingest.settings import IngestSettings
from services.ingest.store import LEASE, Outbox
from shared.bus import Bus
from shared.events import now
from shared.media import MediaStore
from shared.mongo import Mongo, StoreUnavailable
from shared.telemetry import logger
from shared.web import make_app

_log = logger(__name__)


class Ingest:
    """What lives as long as the process."""

    def __init__(self, settings: IngestSettings, media_settings: MediaSettings) -> None:
        self.mongo = Mongo(settings.mongo_url.get_secret_value(), settings.database)
        self.bus = Bus(settings)
        self.outbox = Outbox(self.mongo.database)
        self.register = Register(self.mongo.database)
        self.emitter = Emitter(self.outbox, self.bus)
        self.relay = Relay(self.outbox, self.bus, self.emitter)
        self.admission = Admission(self.register, settings.rate)
        self.media = Records(self.mongo.database)
        self.media_store = MediaStore(settings.mongo_url.get_secret_value())
        self.intake = Intake(media_settings, self.media, self.media_store)
        self.uploads = Uploads(self.mongo.database, kept_for=media_settings.upload_for)
        self.finisher = Finisher(self.uploads, self.intake)
        self.upkeep = Upkeep(media_settings, self.media, self.media_store, self.uploads, self.finisher)
        self.tus_desk = TusDesk(self.uploads, self.intake, self.finisher)
        self.media_desk = MediaDesk(self.intake, self.media)
        self.desk = Desk(settings, self.outbox, self.emitter, self.media, self.bus)
        self._loops: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin; neither the broker nor the database has to be there yet."""
        await self.bus.start()
        self._loops = [asyncio.create_task(self._run()), asyncio.create_task(self._measure())]

    async def stop(self) -> None:
        """Finish emitting what was accepted or claimed here, and close."""
        self.relay.stop()
        self.upkeep.stop()
        if self.outbox.prepared:
            await asyncio.wait(self._loops[:1], timeout=LEASE.total_seconds())
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self.emitter.finish()
        await self.bus.stop()
        # The driver waits for its own threads here, up to ten seconds.
        await asyncio.to_thread(self.mongo.close)
        await asyncio.to_thread(self.media_store.close)

    async def _run(self) -> None:
        while not self.outbox.prepared:
            try:
                await self.register.prepare()
                await self.media.prepare()
                await self.media_store.prepare()
                await self.uploads.prepare()
                await self.outbox.prepare()
            except StoreUnavailable as error:
                _log.warning("the indexes wait for the database", reason=str(error))
                await asyncio.sleep(POLL)
            except Exception:  # noqa: BLE001  # said, and tried again: the loop must not end
                _log.exception("the indexes can't be made")
                await asyncio.sleep(10 * POLL)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.relay.run())
            group.create_task(self.upkeep.run())

    async def _measure(self) -> None:
        while True:
            try:
                oldest = await self.outbox.oldest_unemitted()
            except StoreUnavailable as error:
                _log.warning("the outbox can't be measured", reason=str(error))
            else:
                OLDEST_UNEMITTED.set(0 if oldest is None else max(0, (now() - oldest).total_seconds()))
            await asyncio.sleep(2 * POLL)

    async def store_health(self) -> str | None:
        """The database, and the indexes that idempotency rests on."""
        if not self.outbox.prepared:
            return "its indexes are not made yet"
        return await self.mongo.health()

    async def relay_health(self) -> str | None:
        """The loops must never end."""
        ended = [loop for loop in self._loops if loop.done()]
        return "it has ended" if ended else None


def build(settings: IngestSettings, media_settings: MediaSettings | None = None) -> FastAPI:
    """The app. It is ready without the broker: what it accepts meanwhile waits in the outbox."""
    ingest = Ingest(settings, media_settings or MediaSettings())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await ingest.start()
        try:
            yield
        finally:
            await ingest.stop()

    app = make_app(
        "Visnyk: ingest",
        description="Hand in a publication once; the receipt says what became of it everywhere.",
        lifespan=lifespan,
        checks={"mongo": ingest.store_health, "relay": ingest.relay_health},
    )
    app.state.ingest = ingest
    app.include_router(routes(ingest.desk, ingest.admission))
    app.include_router(tus_routes(ingest.tus_desk, ingest.admission))
    app.include_router(media_routes(ingest.media_desk, ingest.admission))
    count_refusals(app)
    describe(app)
    return app
