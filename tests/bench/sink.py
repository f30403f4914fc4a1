"""Postfix' own measuring tools: a server that takes any mail and counts it, a client that only sends."""

import asyncio
import os
import re
import shutil
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.bench.measuring import Skipped

_COUNT = re.compile(rb"mesg=(\d+)")
_ALSO_IN = "/usr/sbin:/usr/local/sbin"


def find(program: str) -> str:
    """Raise `Skipped` where Debian's package postfix isn't installed."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_ALSO_IN}")
    if found is None:
        raise Skipped(f"{program} is missing; it comes with postfix: apt-get install postfix")
    return found


class Sink:
    """A running `smtp-sink`."""

    def __init__(self, process: Process, port: int) -> None:
        self.port = port
        self.taken = 0
        self._process = process
        self._more = asyncio.Event()
        self._counting = asyncio.create_task(self._count())

    async def _count(self) -> None:
        assert self._process.stdout is not None
        while shown := await self._process.stdout.read(65_536):
            counts = _COUNT.findall(shown)
            if counts:
                self.taken = int(counts[-1])
                self._more.set()

    async def took(self, count: int) -> None:
        """Return when it has so many mails."""
        while self.taken < count:
            self._more.clear()
            await self._more.wait()

    async def end(self) -> None:
        self._process.terminate()
        await self._process.wait()
        await self._counting

    async def source(self, mail: Path, *, count: int, connections: int) -> None:
        """Send the same mail so many times by `smtp-source`, over kept connections."""
        options = f"-d -s {connections} -m {count} -f press@rada.example -t desk@media.example -F {mail}"
        source = await asyncio.create_subprocess_exec(
            find("smtp-source"), *options.split(), f"127.0.0.1:{self.port}"
        )
        if await source.wait() != 0:
            raise Skipped("smtp-source failed; what it said stands above")


@asynccontextmanager
async def sink(port: int) -> AsyncIterator[Sink]:
    """Take mail on this port."""
    # It refuses to stay root, and to become another unless it is root.
    user = ("-u", "nobody") if os.geteuid() == 0 else ()
    process = await asyncio.create_subprocess_exec(
        find("smtp-sink"), "-c", *user, f"127.0.0.1:{port}", "1000", stdout=PIPE
    )
    running = Sink(process, port)
    try:
        for _ in range(100):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                break
        yield running
    finally:
        await running.end()
