"""A large video passes through ingest with little memory, in one piece and in pieces."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from services.ingest.keys import Register
from shared.media import MediaStore
from tests.city import City

MIB = 1024 * 1024
SIZE = 300
"""MiB of the video."""
MOST = 110
"""MiB that the process may grow by, whatever the size."""
HEAD = b"\0\0\0\x1cftypisom\0\0\2\0isomiso2mp41" + b"\0\0\0\x08free"
BOUNDARY = "----boundary"


def blocks() -> Iterator[bytes]:
    """The video, a MiB at a time; no two are equal."""
    yield HEAD.ljust(MIB, b"\0")
    for number in range(1, SIZE):
        yield hashlib.sha256(str(number).encode()).digest() * (MIB // 32)


async def form() -> AsyncIterator[bytes]:
    """The same as a form."""
    yield f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'.encode()
    for block in blocks():
        yield block
    yield f"\r\n--{BOUNDARY}--\r\n".encode()


def peak(city: City) -> float:
    """MiB that ingest had at most since it started, its own and no one else's."""
    status = Path(f"/proc/{city._processes['ingest'].pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


@pytest.fixture
async def city(tmp_path: Path, amqp_url: str, mongo_url: str, register: Register) -> AsyncIterator[City]:
    """An ingest in a process of its own."""
    city = City(tmp_path, amqp_url, mongo_url, 1, more={"MEDIA_FFMPEG": "", "MEDIA_FOLDER": str(tmp_path)})
    city.start("ingest")
    await city.ready(["ingest"])
    yield city
    await asyncio.to_thread(city.stop)


async def test_in_one_piece(city: City, key: str, mongo_url: str) -> None:
    before = peak(city)
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
    }
    async with httpx.AsyncClient(base_url=city.url("ingest"), headers=headers, timeout=120) as desk:
        answer = await desk.post("/v1/media", content=form())
    assert answer.status_code == 201, answer.text
    await whole(answer.json()["sha256"], mongo_url)
    assert peak(city) - before < MOST, (peak(city), before)


async def test_in_pieces(city: City, key: str, mongo_url: str) -> None:
    before = peak(city)
    headers = {"Authorization": f"Bearer {key}", "Tus-Resumable": "1.0.0"}
    async with httpx.AsyncClient(base_url=city.url("ingest"), headers=headers, timeout=120) as desk:
        begun = await desk.post("/v1/media/uploads", headers={"Upload-Length": str(SIZE * MIB)})
        upload = begun.headers["Location"]

        async def content() -> AsyncIterator[bytes]:
            for block in blocks():
                yield block

        piece = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        answer = await desk.patch(upload, content=content(), headers=piece)
        assert answer.status_code == 204, answer.text
        media = (await desk.get(upload)).json()["media"]
    await whole(media["sha256"], mongo_url)
    assert peak(city) - before < MOST, (peak(city), before)


async def whole(sha256: str, mongo_url: str) -> None:
    """Hold that the store gives back what was sent, from the middle on too."""
    store = MediaStore(mongo_url)
    found, sent = hashlib.sha256(), hashlib.sha256()
    async for block in store.chunks(sha256):
        found.update(block)
    for block in blocks():
        sent.update(block)
    assert found.hexdigest() == sent.hexdigest() == sha256
    tail = b"".join([block async for block in store.chunks(sha256, start=(SIZE - 1) * MIB)])
    assert tail == list(blocks())[-1]
    store.close()
