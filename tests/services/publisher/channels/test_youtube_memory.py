"""A large video goes through the publisher without being held in it, and goes on where a kill stopped it."""

import asyncio
import hashlib
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from deploy.local.ports import free_port
from services.publisher.channels.youtube.settings import MIB
from services.publisher.settings import PublisherSettings
from shared.events import Outcome, new_id
from shared.media import MediaStore
from shared.publication import MediaFile
from shared.vocabulary import MediaForm
from tests.platforms.platform import Running, run
from tests.platforms.youtube import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, YoutubePlatform
from tests.rabbit import empty_queues
from tests.samples import fact, publication
from tests.services.publisher.conftest import Desk, opened_desk
from tests.waiting import eventually

SIZE = 300 * MIB + 12_345
"""Bytes; no multiple of anything."""
KILLED_AT = 100 * MIB
CHUNK = 8 * MIB
MOST = 100_000_000
"""Bytes that the process may have for itself; the libraries that it maps from files aren't its own."""
GROWTH = 32 * MIB
"""Bytes by which an upload may let the whole process grow."""


@pytest.fixture
async def settings(publisher_settings: PublisherSettings) -> PublisherSettings:
    settings = publisher_settings.model_copy(update={"channels": ("youtube",)})
    await empty_queues(settings)
    return settings


@pytest.fixture
async def desk(settings: PublisherSettings) -> AsyncIterator[Desk]:
    async with opened_desk(settings) as desk:
        yield desk


@pytest.fixture
async def world() -> AsyncIterator[Running]:
    running = await run(YoutubePlatform())
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
    block = hashlib.shake_256(b"video").digest(MIB)
    left = SIZE
    turn = 0
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
        "CHANNELS": "youtube",
        "PUBLISHER_PORT": str(port),
        "YOUTUBE_CLIENT_ID": CLIENT_ID,
        "YOUTUBE_CLIENT_SECRET": CLIENT_SECRET,
        "YOUTUBE_REFRESH_TOKEN": REFRESH_TOKEN,
        "YOUTUBE_API_URL": world.url,
        "YOUTUBE_TOKEN_URL": f"{world.url}/token",
        "YOUTUBE_CHUNK_MIB": str(CHUNK // MIB),
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
    """Bytes that a process holds now (`VmRSS`), without mapped files (`RssAnon`), at most (`VmHWM`)."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{what}:"))


async def most_of_its_own(process: asyncio.subprocess.Process) -> int:
    """The most that a process held for itself until it ended, looked at again and again."""
    most = 0
    while process.returncode is None:
        with suppress(FileNotFoundError, StopIteration, ProcessLookupError):
            most = max(most, memory(process, "RssAnon"))
        await asyncio.sleep(0.02)
    return most


async def test_a_large_video_takes_little_memory_and_goes_on_after_a_kill(
    settings: PublisherSettings, desk: Desk, world: Running, video: MediaFile, tmp_path: Path
) -> None:
    platform = world.platform
    assert isinstance(platform, YoutubePlatform)
    platform.held_after = KILLED_AT
    event = fact(publication("video", targets=("youtube", "mail"), media=(video,)))
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
        own = asyncio.create_task(most_of_its_own(second))
        report = await desk.report_of(event, within=90)
        peak = memory(second, "VmHWM")
    assert await own < MOST, "all that the process has for itself"
    assert report.data.outcome is Outcome.PUBLISHED
    (uploaded,) = platform.videos.values()
    assert (uploaded.size, uploaded.sha256) == (SIZE, video.sha256)
    assert platform.calls.count("POST /upload/youtube/v3/videos") == 1, "one session, begun once"
    assert platform.bytes_taken < SIZE + CHUNK, "not sent again but for what was on its way"
    assert peak - idle < GROWTH, f"{peak / MIB:.0f} MiB at most, {idle / MIB:.0f} MiB idle"
