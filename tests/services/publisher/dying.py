"""A publisher that kills itself, as `kill -9` would, at a named place.

`python -m tests.services.publisher.dying <place> <site root> <site url>`; a place is one of `PLACES`.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from services.publisher.app import Publisher
from services.publisher.channels.site.addresses import Addresses
from services.publisher.channels.site.files import Folder
from services.publisher.channels.site.pages import Pages
from services.publisher.channels.site.settings import SiteSection
from services.publisher.ledger import Ledger
from services.publisher.settings import PublisherSettings
from shared.bus import Bus

Patch = tuple[type, str, str, int]
"""Class, method, before or after it, at which of its calls once a publication has come."""

PLACES: dict[str, Patch] = {
    "the lease is claimed": (Ledger, "claim", "after", 1),
    "the call is recorded": (Ledger, "keep", "after", 1),
    "the address is reserved": (Addresses, "reserve", "after", 1),
    "the page is in the database": (Pages, "put", "after", 1),
    "the page is half on disk": (Folder, "_temporary", "after", 1),
    "the page is on disk": (Folder, "write", "after", 1),
    "the page may be listed": (Pages, "admit", "after", 1),
    "some lists are half on disk": (Folder, "_temporary", "after", 6),
    "the lists are on disk": (Folder, "write", "after", 2),
    "the outcome is recorded": (Ledger, "release", "after", 1),
    "the report is sent": (Bus, "emit", "after", 1),
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def patched(owner: type, name: str, when: str, at: int) -> None:
    """Make the `at`-th call of a method the last thing the process does."""
    original: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def due() -> bool:
        nonlocal calls
        calls += 1
        return calls == at

    if asyncio.iscoroutinefunction(original):

        async def deadly(*arguments: Any, **named: Any) -> Any:
            last = due()
            result = await original(*arguments, **named)
            if last:
                die()
            return result

        setattr(owner, name, deadly)
        return

    def deadly_at_once(*arguments: Any, **named: Any) -> Any:
        last = due()
        result = original(*arguments, **named)
        if last:
            die()
        return result

    setattr(owner, name, deadly_at_once)


async def run(place: str, root: Path, site_url: str) -> None:
    settings = PublisherSettings(site_url=site_url)
    publisher = Publisher(
        settings, [SiteSection(root=root, name="Луцька міська рада")], lease=timedelta(seconds=0.5)
    )
    await publisher.channels["site"].prepare()
    patched(*PLACES[place])
    await publisher.start()
    await wait_for_death()


def wait_for_death() -> Awaitable[bool]:
    return asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
