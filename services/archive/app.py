"""The archive put together: it records what the bus carries, and answers to programs and people."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.archive.api import api
from services.archive.pages import pages
from services.archive.reading import Reading
from services.archive.recording import Recorder
from services.archive.settings import ArchiveSettings
from services.archive.settling import settling
from services.archive.store import Store
from services.archive.words import base_forms
from shared.bus import Bus
from shared.mongo import Mongo, StoreUnavailable
from shared.telemetry import logger
from shared.web import Check, make_app

INDEXES_AGAIN = 2.0
"""Seconds between attempts to make the indexes while the database is away."""

_log = logger(__name__)


class Archive:
    """The record, from the bus to the database, while the service runs."""

    def __init__(self, settings: ArchiveSettings) -> None:
        self.mongo = Mongo(settings.mongo_url.get_secret_value(), settings.database)
        self.store = Store(self.mongo.database)
        self.bus = Bus(settings)
        self.bus.consume(Recorder(self.store).consumption())
        self._preparing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to record; the database and the broker may come later."""
        self._preparing = asyncio.create_task(self._prepare())
        await self.bus.start()

    async def stop(self) -> None:
        """Let running writes finish, and close."""
        await self.bus.stop()
        if self._preparing is not None:
            self._preparing.cancel()
            await asyncio.gather(self._preparing, return_exceptions=True)
        self.mongo.close()

    def checks(self) -> dict[str, Check]:
        """What must be well for the service to be ready."""
        return {"bus": self.bus.health, "mongo": self.mongo.health, "indexes": self._indexes_ail}

    async def _prepare(self) -> None:
        while True:
            try:
                # The dictionary is read before the first event needs it, off the loop.
                await asyncio.to_thread(base_forms, "слово")
                await self.store.prepare()
                if found := await self.store.find_words():
                    _log.info("publications made findable", publications=found)
            except StoreUnavailable as error:
                _log.warning("the indexes wait for the database", reason=str(error))
                await asyncio.sleep(INDEXES_AGAIN)
            else:
                return

    async def _indexes_ail(self) -> str | None:
        preparing = self._preparing
        if preparing is None or not preparing.done():
            return "not made yet"
        error = preparing.exception()
        return None if error is None else f"{type(error).__name__}: {error}"


def build(settings: ArchiveSettings) -> FastAPI:
    """The service as an app that records as long as it runs."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        archive = Archive(settings)
        app.state.archive = archive
        app.state.reading = Reading(archive.store, settings.archive_url)
        checks.update(archive.checks())
        await archive.start()
        try:
            yield
        finally:
            await archive.stop()

    checks: dict[str, Check] = {}
    app = make_app(
        "Visnyk archive",
        description="The record of the city's publications: what was published, and what became of it.",
        lifespan=lifespan,
        checks=checks,
    )
    app.state.settings = settings
    app.include_router(api)
    app.include_router(pages)
    app.include_router(settling)
    return app
