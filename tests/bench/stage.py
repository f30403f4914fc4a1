"""Everything a benchmark runs against: private servers, our services, the peers' processes."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiormq
import httpx
from aiormq.abc import AbstractChannel
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection

from deploy.local.node import Server
from deploy.local.ports import free_port
from tests.bench.measuring import Failed
from tests.city import ROOT, City
from tests.servers import start_mongo, start_rabbit

LOCAL = ROOT / ".local"
LOGS = LOCAL / "bench-logs"
"""Where the processes' logs of the last run stay."""
Documents = AsyncCollection[dict[str, object]]
AT_ONCE = 32
"""Requests, publishes or inserts under way at the same time, wherever loads are compared."""
SMTP_CONNECTIONS = 8
OUR_QUEUES = ("archive.record", "publisher.site", "notifier.releases")
"""Queues that publications go to; those whose service doesn't run fill up."""
POLL = 0.01


class Stage:
    """Servers and processes of one run; all of it ends with `close`."""

    def __init__(self) -> None:
        LOCAL.mkdir(exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="bench-", dir=LOCAL))
        self.smtp_port = free_port()
        self._peers: dict[str, subprocess.Popen[bytes]] = {}
        self._rabbit: Server | None = None
        self._mongo: Server | None = None
        self._key = ""

    def open(self) -> None:
        """Start the servers."""
        self._rabbit = start_rabbit(self.folder)
        self._mongo = start_mongo(self.folder)
        # Peers don't read the heartbeat out of the address, and have their own.
        self.amqp_url = self._rabbit.url.partition("?")[0]
        self.mongo_url = self._mongo.url
        self.city = City(
            self.folder,
            self._rabbit.url,
            self.mongo_url,
            self.smtp_port,
            more={
                "INGEST_RATE_LIMIT": "1000000/second",
                "NOTIFIER_SMTP_CONNECTIONS": str(SMTP_CONNECTIONS),
            },
        )
        self.mongo: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(
            self.mongo_url, tz_aware=True, uuidRepresentation="standard"
        )

    async def close(self) -> None:
        """End every process that was started, and remove the data; the logs stay."""
        self.end_peers()
        if self._mongo is not None:
            self.city.stop()
            await self.mongo.close()
            self._mongo.stop()
        if self._rabbit is not None:
            self._rabbit.stop()
        LOGS.mkdir(exist_ok=True)
        for log in self.folder.glob("*.log"):
            log.replace(LOGS / log.name)
        for log in self.folder.glob("*/server.log"):
            log.replace(LOGS / f"{log.parent.name}.log")
        shutil.rmtree(self.folder)

    def key(self) -> str:
        """The key that a department submits with."""
        if not self._key:
            self.city.command("services.ingest", "departments", "add", "transport", "Управління транспорту")
            self._key = self.city.command("services.ingest", "keys", "add", "transport").split()[-1]
        return self._key

    @asynccontextmanager
    async def services(self, *names: str) -> AsyncIterator[City]:
        """These of our services, ready."""
        self.city.start(*names)
        try:
            try:
                await self.city.ready(names)
            except AssertionError as error:
                raise Failed(f"{', '.join(names)} did not come up: {error}") from error
            yield self.city
        finally:
            self.city.stop()

    def peer(self, name: str, *command: str, **environment: str) -> None:
        """Start a process of a peer: `python -m …`."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self._peers[name] = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT,
                env={
                    **{k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "TMPDIR")},
                    "PEER_AMQP_URL": self.amqp_url,
                    "PEER_MONGO_URL": self.mongo_url,
                    "PEER_SMTP_PORT": str(self.smtp_port),
                    **environment,
                },
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def end_peers(self) -> None:
        """End the peers' processes."""
        for process in self._peers.values():
            process.terminate()
        for process in self._peers.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        self._peers.clear()

    async def serving(self, port: int) -> None:
        """Wait until a peer answers HTTP."""
        async with httpx.AsyncClient() as client:

            async def answers() -> bool:
                try:
                    answer = await client.get(f"http://127.0.0.1:{port}/health/ready")
                except httpx.TransportError:
                    return False
                return answer.status_code == httpx.codes.OK

            for _ in range(300):
                if await answers():
                    return
                await asyncio.sleep(0.1)
        raise Failed(f"nothing answers on port {port}")

    async def consuming(self, queue: str) -> None:
        """Wait until a queue has a consumer."""
        for _ in range(300):
            try:
                async with self.channel() as channel:
                    declared = await channel.queue_declare(queue, passive=True)
                    if declared.consumer_count:
                        return
            except aiormq.exceptions.ChannelNotFoundEntity:
                pass
            await asyncio.sleep(0.1)
        raise Failed(f"nothing consumes from {queue}")

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[AbstractChannel]:
        """A channel with confirms, on a connection of its own."""
        connection = await aiormq.connect(self.amqp_url)
        try:
            yield await connection.channel(on_return_raises=True)
        finally:
            await connection.close()

    async def empty(self, *queues: str) -> None:
        """Drop what lies in queues whose service doesn't run here."""
        async with self.channel() as channel:
            for queue in queues:
                await channel.queue_purge(queue)


async def holds(documents: Documents, count: int) -> None:
    """Return when a collection has so many documents."""
    while await documents.estimated_document_count() < count:  # noqa: ASYNC110  # another process writes
        await asyncio.sleep(POLL)
