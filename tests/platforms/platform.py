"""What every stand-in has: scripted faults, a record of calls, and what the public would see now."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from aiohttp import web
from pydantic import BaseModel


class Fault(Enum):
    """What the next call that would change something meets instead of a plain answer."""

    THROTTLED = auto()
    """The platform's own answer to too many calls, with the shortest wait it can ask for."""
    SERVER_ERROR = auto()
    """5xx, without effect."""
    SERVER_ERROR_AFTER = auto()
    """5xx, though it took effect."""
    CUT_BEFORE = auto()
    """The connection is cut, without effect."""
    CUT_AFTER = auto()
    """The connection is cut after the effect."""
    HANGS_AFTER = auto()
    """It takes effect, and the answer never comes."""
    EXPIRED_TOKEN = auto()
    """The platform's own answer to a token that is no longer good, without effect."""
    FORBIDDEN = auto()
    """The platform's own answer to a missing permission, without effect."""
    REFUSED = auto()
    """The platform's own answer to content that it will never take, without effect."""


class Picture(BaseModel):
    """A photograph that is small enough to be kept."""

    alt: str
    data: str
    """A JPEG in base64."""


class Shown(BaseModel):
    """One post as the public sees it now."""

    text: str
    """Everything a reader can read in it: text, captions, titles and descriptions."""
    images: int = 0
    pictures: list[Picture] = []
    """Those of the images that were kept."""
    video: bool = False
    link: str | None = None
    """The address whose preview is shown with it."""
    url: str | None = None
    """Where it is."""


class Platform(Protocol):
    """A stand-in; the tests run it in their own process, the demo as a program."""

    name: str
    app: web.Application
    faults: deque[Fault]
    """Taken from the left by calls that change something."""
    calls: list[str]
    """Every call that came, oldest first: the method's name or `POST /path`."""

    def shown(self) -> Sequence[Shown]:
        """What the public sees, oldest first."""

    def clear(self) -> None:
        """Forget posts, faults and calls."""

    def snapshot(self) -> str:
        """All that `restore` needs to show the same again, as JSON."""

    def restore(self, snapshot: str) -> None:
        """Show again what was kept."""


async def cut(request: web.Request) -> web.StreamResponse:
    """Cut the connection that the request came over."""
    if request.transport is not None:
        request.transport.abort()
    raise asyncio.CancelledError


async def hang() -> web.StreamResponse:
    """Never answer; ends when the client gives up and goes."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


@dataclass
class Running:
    """A stand-in that listens on a port of its own."""

    platform: Platform
    url: str
    _runner: web.AppRunner

    async def stop(self) -> None:
        await self._runner.cleanup()


async def run(platform: Platform) -> Running:
    """Listen on a free port of the loopback interface."""
    runner = web.AppRunner(platform.app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    return Running(platform, f"http://{host}:{port}", runner)
