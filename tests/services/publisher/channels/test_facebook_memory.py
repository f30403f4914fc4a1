"""A large video goes to Facebook without being held in memory, and goes on where a kill stopped it."""

import asyncio
import hashlib
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from deploy.local.ports import free_port
from services.publisher.settings import PublisherSettings
from shared.events import Outcome, new_id
from shared.media import MediaStore
from shared.publication import MediaFile
from shared.vocabulary import MediaForm
from tests.platforms.facebook import APP_ID, PAGE_ID, PAGE_TOKEN, FacebookPlatform
from tests.platforms.platform import Running, run
from tests.rabbit import empty_queues
from tests.samples import fact, publication
from tests.services.publisher.conftest import Desk, opened_desk
from tests.waiting import eventually

MIB = 1024 * 1024
SIZE = 300 * MIB + 12_345
"""Bytes; no multiple of anything."""
KILLED_AT = 100 * MIB
MOST = 100 * MIB
"""Bytes of memory that the upload may take."""


@pytest.fixture
async def settings(publisher_settings: PublisherSettings) -> PublisherSettings:
    settings = publisher_settings.model_copy(update={"channels": ("facebook",)})
    await empty_queues(settings)
    return settings


@pytest.fixture
async def desk(settings: PublisherSettings) -> AsyncIterator[Desk]:
    async with opened_desk(settings) as desk:
        yield desk


@pytest.fixture
async def world() -> AsyncIterator[Running]:
    running = await run(FacebookPlatform())
    yield running
    await running.stop()


@pytest.fixture
async def video(mongo_url: str) -> AsyncIterator[MediaFile]:
    """300 MB in the media store, none of it the same; removed with the test, for they take disk and cache."""
    store = MediaStore(mongo_url)
    await store.prepare()
    digest = hashlib.sha256()
    for block in made_up():
        digest.update(block)
    key = digest.hexdigest()

    async def blocks() -> AsyncIterator[bytes]:
        for block in made_up():
            yield block

    await store.write(key, blocks())
    yield MediaFile(id=new_id(), form=MediaForm.VIDEO, media_type="video/mp4", sha256=key, size=SIZE)
    await store.delete(key)
    store.close()


def made_up() -> Iterator[bytes]:
    """The file's bytes, a mebibyte at a time, each block turned a little further: they don't compress."""
    block = hashlib.shake_256(b"facebook").digest(MIB)
    left, turn = SIZE, 0
    while left:
        piece = (block[turn:] + block[:turn])[:left]
        left -= len(piece)
        turn += 1
        yield piece


@asynccontextmanager
async def publisher(
    settings: PublisherSettings, world: Running, folder: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The service as it is started, once it is ready; killed in the end."""
    port = free_port()
    environment = os.environ | {
        "AMQP_URL": settings.amqp_url.get_secret_value(),
        "MONGO_URL": settings.mongo_url.get_secret_value(),
        "RETRY_LADDER": ",".join(map(str, settings.retry_ladder)),
        "CHANNELS": "facebook",
        "PUBLISHER_PORT": str(port),
        "FACEBOOK_PAGE_ID": PAGE_ID,
        "FACEBOOK_PAGE_TOKEN": PAGE_TOKEN,
        "FACEBOOK_APP_ID": APP_ID,
        "FACEBOOK_API_URL": world.url,
        "FACEBOOK_LOOK_EVERY": "1",
    }
    log = (folder / f"publisher-{port}.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.publisher", env=environment, stdout=log, stderr=log
    )
    log.close()
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

            async def ready() -> bool:
                try:
                    return (await client.get("/health/ready")).is_success
                except httpx.TransportError:
                    return False

            await eventually(ready)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def memory(process: asyncio.subprocess.Process, what: str) -> int:
    """Bytes that a process holds now (`VmRSS`), or held at most (`VmHWM`)."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{what}:"))


async def test_a_large_video_takes_little_memory_and_goes_on_after_a_kill(
    settings: PublisherSettings, desk: Desk, world: Running, video: MediaFile, tmp_path: Path
) -> None:
    platform = world.platform
    assert isinstance(platform, FacebookPlatform)
    platform.held_after = KILLED_AT
    event = fact(publication("video", targets=("facebook", "mail"), media=(video,)))
    async with publisher(settings, world, tmp_path) as first:
        idle = memory(first, "VmRSS")
        await desk.emit(event)

        async def in_the_middle() -> bool:
            return platform.bytes_taken >= KILLED_AT

        await eventually(in_the_middle, within=60)
        first.kill()
        await first.wait()
    assert not platform.videos
    platform.held_after = None
    async with publisher(settings, world, tmp_path) as second:
        report = await desk.report_of(event, within=120)
        peak = memory(second, "VmHWM")
    assert report.data.outcome is Outcome.PUBLISHED
    (uploaded,) = platform.videos.values()
    assert (uploaded.size, uploaded.sha256) == (SIZE, video.sha256)
    assert platform.calls.count(f"POST /{APP_ID}/uploads") == 1, "one session, begun once"
    assert platform.bytes_taken == SIZE, "nothing that had arrived was sent again"
    assert peak - idle < MOST, f"{(peak - idle) / MIB:.0f} MiB more than the {idle / MIB:.0f} MiB idle"
