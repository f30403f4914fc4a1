"""The publisher put together: a worker for each channel that is on, health, metrics."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from email.message import EmailMessage
from uuid import UUID

from fastapi import FastAPI
from pydantic_settings import BaseSettings

from services.publisher.alerts import Alerts
from services.publisher.channels.interface import Channel, Posted, SectionT, Settlement
from services.publisher.channels.registry import open_channel
from services.publisher.controls import Controls
from services.publisher.keeper import Keeper
from services.publisher.ledger import LEASE, Ledger
from services.publisher.mailing import Post
from services.publisher.previews import Previews
from services.publisher.settings import PublisherSettings
from services.publisher.settling import Settlements
from services.publisher.worker import Worker
from shared.bus import PUBLISHER_PREVIEWS, Bus
from shared.media import MediaStore
from shared.mongo import Database, Mongo
from shared.settings import SharedSettings
from shared.web import Check, make_app


class Publisher:
    """The channels that are on, their workers, and what they share."""

    def __init__(
        self,
        settings: PublisherSettings,
        sections: Sequence[BaseSettings] = (),
        *,
        lease: timedelta = LEASE,
    ) -> None:
        """`sections`: settings of channels that are not to be read from the environment."""
        self._settings = settings
        self._sections = {type(section): section for section in sections}
        self.mongo = Mongo(settings.mongo_url.get_secret_value(), "publisher")
        self.ledger = Ledger(self.mongo.database, lease=lease)
        self.bus = Bus(settings)
        self.media = MediaStore(settings.mongo_url.get_secret_value())
        self.controls = Controls(self.mongo.database)
        self._post = Post(settings)
        self._alerts = Alerts(settings)
        self.channels: dict[str, Channel] = {name: open_channel(name, self) for name in settings.channels}
        self.keepers: dict[str, Keeper] = {}
        self.workers = {name: self._worker(channel) for name, channel in self.channels.items()}
        self.bus.consume(Settlements(self.ledger, self.bus).consumption())
        self.bus.answer(PUBLISHER_PREVIEWS, Previews(self.channels).reply)
        self._tasks: list[asyncio.Task[None]] = []

    def _worker(self, channel: Channel) -> Worker:
        def notice(error: Exception | None) -> None:
            self.keepers[channel.name].notice(error)

        worker = Worker(
            channel, self.ledger, self.bus, on=self._settings.channels, notice=notice, alert=self.alert
        )
        tap = self.bus.tap(worker.consumption())
        self.keepers[channel.name] = Keeper(channel, tap, self.controls, self.alert)
        return worker

    @property
    def settings(self) -> SharedSettings:
        return self._settings

    @property
    def database(self) -> Database:
        return self.mongo.database

    def section(self, model: type[SectionT]) -> SectionT:
        """A channel's own settings."""
        given = self._sections.get(model)
        return given if isinstance(given, model) else model()

    def page_url(self, channel: str, path: str) -> str:
        """The public address of a page that a channel serves."""
        return f"{self._settings.url}/channels/{channel}{path}"

    async def mail(self, message: EmailMessage) -> None:
        """Send a mail from the press office."""
        await self._post.send(message)

    async def alert(self, subject: str, text: str) -> None:
        """Tell the operators."""
        await self._alerts.tell(subject, text)

    async def posted(self, publication_id: UUID, channel: str) -> Posted | None:
        """Where a channel shows a publication."""
        return await self.ledger.posted(channel, publication_id)

    async def settle(self, channel: str, publication_id: UUID, settlement: Settlement) -> None:
        """Record and report an outcome that came after its call."""
        await self.workers[channel].settle(publication_id, settlement)

    async def start(self) -> None:
        """Begin to consume; channels become ready in the background, each by itself."""
        self._tasks.append(asyncio.create_task(self.controls.watch()))
        self._tasks += [asyncio.create_task(keeper.run()) for keeper in self.keepers.values()]
        await self.bus.start()

    async def ready(self) -> None:
        """Wait until every channel is ready and their queues are consumed."""
        await asyncio.gather(self.bus.ready(), *(keeper.ready() for keeper in self.keepers.values()))

    async def stop(self) -> None:
        """Let running calls finish, and close."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.bus.stop()
        for channel in self.channels.values():
            await channel.close()
        await self._alerts.close()
        self.media.close()
        self.mongo.close()

    def checks(self) -> dict[str, Check]:
        """What must be well for the service to be ready."""
        own: dict[str, Check] = {"bus": self.bus.health, "mongo": self.mongo.health}
        return own | {f"channel {name}": keeper.readiness for name, keeper in self.keepers.items()}


def build(settings: PublisherSettings, sections: Sequence[BaseSettings] = ()) -> FastAPI:
    """The service as an app that starts and stops the workers with itself."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        publisher = Publisher(settings, sections)
        # The checks are those of the instance that runs; an app may be started more than once.
        app.state.publisher = publisher
        checks.update(publisher.checks())
        own_routes = list(app.router.routes)
        for name, channel in publisher.channels.items():
            if (routes := channel.routes()) is not None:
                app.include_router(routes, prefix=f"/channels/{name}", include_in_schema=False)
        await publisher.start()
        try:
            yield
        finally:
            await publisher.stop()
            app.router.routes[:] = own_routes

    checks: dict[str, Check] = {}
    return make_app(
        "Visnyk publisher",
        description="Puts publications on the channels. Health, metrics, and pages that channels serve.",
        lifespan=lifespan,
        checks=checks,
    )
