"""The publisher killed again and again while publications, corrections and withdrawals go to all channels."""

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr
from pydantic_core import to_jsonable_python
from pydantic_settings import BaseSettings, NoDecode

from deploy.local.ports import free_port
from deploy.local.servers import MongoNode, RabbitNode
from services.publisher.settings import PublisherSettings
from services.publisher.settling import Doubts
from shared.bus import Bus, channel_queue
from shared.events import PublicationEvent
from shared.media import MediaStore
from shared.publication import Fact, Publication
from tests.city import ROOT
from tests.conftest import drop_databases
from tests.faults.conftest import SOAK
from tests.rabbit import depth, empty_queues
from tests.samples import corrected, fact, publication, withdrawn
from tests.services.publisher.stands import stands
from tests.services.publisher.stands.interface import ChannelStand
from tests.waiting import eventually

PUBLICATIONS, KILLS = (200, 30) if SOAK else (80, 12)
LADDER = (0.2, 0.5, 1, 2, 2, 2, 2, 2)


def environment_of(section: BaseSettings) -> dict[str, str]:
    """A section of settings as the variables that it is read from."""
    found: dict[str, str] = {}
    for name, described in type(section).model_fields.items():
        value = getattr(section, name)
        if value is None:
            continue
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        variable = described.validation_alias
        assert isinstance(variable, str)
        plain = to_jsonable_python(value)
        if isinstance(plain, list) and NoDecode in described.metadata:
            plain = ",".join(plain)
        found[variable] = plain if isinstance(plain, str) else json.dumps(plain)
    return found


@dataclass
class Told:
    """What was told about one publication: the model that every channel is held against."""

    marker: str
    """A part of the title that no revision changes, and no other publication has."""
    events: list[PublicationEvent]

    @property
    def latest(self) -> PublicationEvent:
        return max(self.events, key=lambda event: event.rank)

    @property
    def targets(self) -> Sequence[str]:
        return self.latest.data.targets


@dataclass
class Office:
    """A publisher as a process of its own, in front of every channel's stand-in."""

    settings: PublisherSettings
    folder: Path
    stands: dict[str, ChannelStand]
    environment: dict[str, str]
    port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it; return when it consumes every queue."""
        with (self.folder / "publisher.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "services.publisher",
                cwd=ROOT,
                env={**os.environ, **self.environment, "PUBLISHER_PORT": str(self.port)},
                stdout=log,
                stderr=log,
            )
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=5) as client:

            async def ready() -> bool:
                assert self.process is not None
                assert self.process.returncode is None, (self.folder / "publisher.log").read_text()[-3000:]
                try:
                    return (await client.get("/health/ready")).is_success
                except httpx.TransportError:
                    return False

            await eventually(ready, within=60)

    async def kill(self) -> None:
        """End it as a crash would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def done(self) -> bool:
        """Whether no queue of a channel holds anything, and no call is open."""
        names = [channel_queue(name) for name in self.stands]
        waits = [f"wait.{round(step * 1000)}ms" if step % 1 else f"wait.{step:g}s" for step in LADDER]
        counts = [await depth(self.settings, name) for name in dict.fromkeys([*names, *waits])]
        return sum(counts) == 0


@asynccontextmanager
async def opened(rabbit: RabbitNode, mongod: MongoNode, folder: Path) -> AsyncIterator[Office]:
    found = stands()
    settings = PublisherSettings(
        amqp_url=SecretStr(rabbit.url),
        mongo_url=SecretStr(mongod.url),
        channels=("site", *(name for name in found if name != "site")),
        retry_ladder=LADDER,
        site_url="https://rada.example",
    )
    await drop_databases(mongod.url)
    await empty_queues(settings)
    async with AsyncExitStack() as stack:
        built: dict[str, ChannelStand] = {}
        environment = {
            "AMQP_URL": rabbit.url,
            "MONGO_URL": mongod.url,
            "CHANNELS": ",".join(settings.channels),
            "RETRY_LADDER": ",".join(map(str, LADDER)),
            "SITE_URL": settings.site_url,
        }
        for name, make in found.items():
            own = folder / name
            own.mkdir()
            built[name] = make(settings, own)
            for section in await built[name].open():
                environment |= environment_of(section)
            stack.push_async_callback(built[name].close)
        office = Office(settings, folder, built, environment)
        try:
            yield office
        finally:
            if office.process is not None and office.process.returncode is None:
                await office.kill()


async def written(office: Office, count: int, chance: random.Random) -> list[Told]:
    """Publications of the kinds that the channels take, a third of them corrected, a sixth withdrawn."""
    store = MediaStore(office.settings.mongo_url.get_secret_value())
    await store.prepare()
    media = {name: await stand.media(store) for name, stand in office.stands.items()}
    store.close()
    told = []
    names = sorted(office.stands)
    for number in range(count):
        own = office.stands[names[number % len(names)]]
        alike = [
            name
            for name in names
            if (it := office.stands[name]).kind == own.kind and it.content == own.content
        ]
        kind, files = own.kind, tuple(file for name in alike for file in media[name])
        marker = f"Справа № {number:03d}"
        fields = {"title": f"{marker}: подано", "media": [file.id for file in files], **own.content}
        targets = ("site", *(name for name in alike if name != "site"))
        latest: Publication = publication(kind, content=fields, targets=targets, media=files)
        events = [fact(latest)]
        if chance.random() < 1 / 3:
            latest = corrected(latest, title=f"{marker}: уточнено")
            events.append(fact(latest))
        if chance.random() < 1 / 6:
            events.append(fact(withdrawn(latest), Fact.WITHDRAWN))
        told.append(Told(marker, events))
    return told


async def settle_doubts(office: Office) -> None:
    """What an operator does about calls that no channel can tell of: look, and say what is there."""
    doubts = Doubts(office.settings)
    for line in await doubts.lines():
        channel, id, title = line.split("  ", 2)
        publication_id = UUID(id)
        remote = await office.stands[channel].remote_of(title.split(":")[0])
        if remote is None:
            await doubts.again(channel, publication_id)
        else:
            await doubts.there(channel, publication_id, url=None, remote=json.dumps(remote))


def differences(name: str, stand: ChannelStand, shown: Sequence[str], told: Sequence[Told]) -> list[str]:
    """Where a channel shows something else than the model says."""
    found = []
    for each in told:
        if name not in each.targets:
            continue
        mine = [text for text in shown if each.marker in text]
        latest = each.latest
        if len(set(mine)) != len(mine):
            found.append(f"{each.marker}: the same twice")
        elif latest.fact is Fact.WITHDRAWN:
            if stand.removes and len(mine) > stand.notices:
                found.append(f"{each.marker}: still up after its withdrawal")
        elif stand.edits and len(mine) != 1:
            found.append(f"{each.marker}: there {len(mine)} times")
        elif not any(latest.data.content.title in text for text in mine):
            found.append(f"{each.marker}: not as the latest revision has it")
    return found


@pytest.mark.timeout(900)
async def test_no_channel_shows_anything_twice_or_anything_withdrawn(
    rabbit: RabbitNode, mongod: MongoNode, tmp_path: Path
) -> None:
    chance = random.Random(20_211_231)
    async with opened(rabbit, mongod, tmp_path) as office:
        told = await written(office, PUBLICATIONS, chance)
        events = [event for each in told for event in each.events]
        # Neighbours overtake each other, as redelivered messages do.
        order = sorted(range(len(events)), key=lambda place: place + chance.uniform(0, 8))
        bus = Bus(office.settings)
        await bus.start()
        await asyncio.wait_for(bus.ready(), 20)
        await office.start()
        size = -(-len(order) // KILLS)
        for first in range(0, len(order), size):
            await asyncio.gather(*(bus.emit(events[place]) for place in order[first : first + size]))
            await asyncio.sleep(chance.uniform(0.05, 0.6))  # somewhere in the middle of the work
            await office.kill()
            await office.start()

        async def as_the_model_says() -> bool:
            await settle_doubts(office)
            if not await office.done():
                return False
            wrong = {
                name: differences(name, stand, await stand.shown(), told)
                for name, stand in office.stands.items()
            }
            office.environment["wrong"] = str({name: lines[:5] for name, lines in wrong.items() if lines})
            return not any(wrong.values())

        try:
            await eventually(as_the_model_says, within=180, every=0.5)
        except AssertionError:
            raise AssertionError(office.environment.get("wrong", "queues never emptied")) from None
        await bus.stop()
