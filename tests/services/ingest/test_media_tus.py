"""Resumable uploads, by the tus protocol: told step by step, and by a client that others wrote."""

import asyncio
import base64
import io
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from tusclient import client as tus

from services.ingest.keys import Register
from services.ingest.media.uploads import PART
from shared.events import now
from shared.publication import MediaFile
from tests.city import City
from tests.media import pdf, photograph, video
from tests.services.ingest.conftest import EDUCATION, Running, problem, run_ingest
from tests.waiting import eventually

UPLOADS = "/v1/media/uploads"
TUS = {"Tus-Resumable": "1.0.0"}
PIECE = TUS | {"Content-Type": "application/offset+octet-stream"}


def metadata(**words: str) -> str:
    """Upload-Metadata."""
    return ",".join(f"{name} {base64.b64encode(text.encode()).decode()}" for name, text in words.items())


async def begin(desk: Running, length: int, **words: str) -> str:
    """Begin an upload; return its address."""
    headers = TUS | {"Upload-Length": str(length), "Upload-Metadata": metadata(**words)}
    answer = await desk.client.post(UPLOADS, headers=headers)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    assert "GMT" in answer.headers["Upload-Expires"]
    return answer.headers["Location"]


async def piece(desk: Running, upload: str, offset: int, content: bytes) -> httpx.Response:
    """Send bytes from this offset on."""
    return await desk.client.patch(upload, content=content, headers=PIECE | {"Upload-Offset": str(offset)})


async def offset(desk: Running, upload: str) -> int:
    """How far it has come."""
    answer = await desk.client.head(upload, headers=TUS)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    return int(answer.headers["Upload-Offset"])


async def test_the_server_says_what_it_can(desk: Running) -> None:
    del desk.client.headers["Authorization"]
    answer = await desk.client.options(UPLOADS)
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert answer.headers["Tus-Extension"] == "creation,termination,expiration"
    assert int(answer.headers["Tus-Max-Size"]) == 2048 * 1024 * 1024


async def test_a_photograph_in_pieces(desk: Running) -> None:
    content = photograph()
    upload = await begin(desk, len(content), filename="IMG.JPG", alt="Міст", author="Ірина Ковальчук")
    assert await offset(desk, upload) == 0
    for start in range(0, len(content), 5000):
        assert (await desk.client.get(upload)).json()["state"] == "receiving"
        answer = await piece(desk, upload, start, content[start : start + 5000])
        assert answer.status_code == 204, answer.text
        assert int(answer.headers["Upload-Offset"]) == min(start + 5000, len(content))
    found = (await desk.client.get(upload)).json()
    media = MediaFile.model_validate(found["media"])
    assert (found["state"], media.alt, media.author) == ("taken", "Міст", "Ірина Ковальчук")
    assert answer.headers["Content-Location"] == f"/v1/media/{media.id}"
    assert (await desk.client.get(f"/v1/media/{media.id}")).json() == found["media"]
    assert await desk.ingest.mongo.database["uploads.parts"].count_documents({}) == 0
    assert await offset(desk, upload) == len(content)


async def test_bytes_go_only_where_the_upload_stands(desk: Running) -> None:
    content = pdf()
    upload = await begin(desk, len(content))
    answers = await asyncio.gather(*(piece(desk, upload, 0, content[:300]) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [204] + [409] * 4
    for wrong in (0, 299, 301, len(content)):
        answer = await piece(desk, upload, wrong, content[wrong:])
        assert problem(answer, 409)["offset"] == 300
        assert answer.headers["Tus-Resumable"] == "1.0.0"
    problem(await piece(desk, upload, 300, content[300:] + b"x"), 413)
    assert (await piece(desk, upload, 300, content[300:])).status_code == 204
    assert await desk.ingest.mongo.database["uploads.parts"].count_documents({}) == 0


async def test_headers_that_make_no_sense(desk: Running) -> None:
    upload = await begin(desk, 1000)
    send = desk.client.request
    cases: list[tuple[str, str, dict[str, str], int]] = [
        ("POST", UPLOADS, {"Upload-Length": "5"}, 412),
        ("POST", UPLOADS, {"Tus-Resumable": "0.2.2", "Upload-Length": "5"}, 412),
        ("POST", UPLOADS, TUS, 400),
        ("POST", UPLOADS, TUS | {"Upload-Length": "-5"}, 400),
        ("POST", UPLOADS, TUS | {"Upload-Length": "0"}, 422),
        ("POST", UPLOADS, TUS | {"Upload-Length": str(10**12)}, 413),
        ("POST", UPLOADS, TUS | {"Upload-Length": "5", "Upload-Metadata": "alt ***"}, 400),
        ("POST", UPLOADS, TUS | {"Upload-Length": "5", "Upload-Metadata": "alt 4oCL"}, 422),
        ("PATCH", upload, PIECE, 400),
        ("PATCH", upload, TUS | {"Content-Type": "text/plain", "Upload-Offset": "0"}, 415),
        ("PATCH", upload, {"Upload-Offset": "0", "Content-Type": PIECE["Content-Type"]}, 412),
    ]
    for method, address, headers, status in cases:
        answer = await send(method, address, headers=headers)
        problem(answer, status)
        assert answer.headers["Tus-Resumable"] == "1.0.0"


async def test_what_will_be_refused_is_refused_with_the_first_bytes(desk: Running) -> None:
    """And the reason can be asked for again; the bytes are gone."""
    content = b"MZ\x90\0" * 5000
    upload = await begin(desk, len(content))
    problem(await piece(desk, upload, 0, content[:10_000]), 415)
    assert problem(await desk.client.get(upload), 415)["type"] == "/problems/unknown-file-type"
    assert (await desk.client.head(upload, headers=TUS)).status_code == 410
    problem(await piece(desk, upload, 10_000, content[10_000:]), 410)
    assert await desk.ingest.mongo.database["uploads.parts"].count_documents({}) == 0


async def test_what_is_damaged_is_refused_in_the_end(desk: Running) -> None:
    content = photograph()[:-3000]
    upload = await begin(desk, len(content), alt="Міст")
    refusal = problem(await piece(desk, upload, 0, content), 422)
    assert refusal["type"] == "/problems/damaged-file"
    assert problem(await desk.client.get(upload), 422)["detail"] == refusal["detail"]


async def test_a_photograph_without_alt_is_refused_at_once(desk: Running) -> None:
    content = photograph()
    upload = await begin(desk, len(content), filename="IMG.JPG")
    refusal = problem(await piece(desk, upload, 0, content[:8000]), 422)
    assert [error["field"] for error in refusal["errors"]] == ["alt"]


async def test_an_upload_can_be_given_up_and_is_nobody_elses(desk: Running, register: Register) -> None:
    content = pdf()
    upload = await begin(desk, len(content))
    await piece(desk, upload, 0, content[:300])
    own = desk.client.headers["Authorization"]
    desk.client.headers["Authorization"] = f"Bearer {await register.make_key(EDUCATION.id, '')}"
    problem(await desk.client.get(upload), 404)
    problem(await piece(desk, upload, 300, content[300:]), 404)
    problem(await desk.client.delete(upload, headers=TUS), 404)
    desk.client.headers["Authorization"] = own
    assert (await desk.client.delete(upload, headers=TUS)).status_code == 204
    problem(await desk.client.get(upload), 404)
    assert await desk.ingest.mongo.database["uploads.parts"].count_documents({}) == 0


async def test_an_unfinished_upload_expires(desk: Running) -> None:
    content = pdf()
    upload = await begin(desk, len(content))
    await piece(desk, upload, 0, content[:300])
    uploads = desk.ingest.uploads
    assert await uploads.remove_expired(now() + timedelta(hours=47)) == 0
    assert await uploads.remove_expired(now() + timedelta(hours=49)) == 1
    problem(await desk.client.get(upload), 404)
    assert await desk.ingest.mongo.database["uploads.parts"].count_documents({}) == 0


async def test_what_a_dead_process_received_whole_is_finished_by_another(desk: Running, key: str) -> None:
    """It died between the last byte and the look at the file."""
    desk.ingest.upkeep.stop()
    content = pdf()
    upload = await begin(desk, len(content), filename="рішення.pdf")
    kept = await desk.ingest.uploads.find(_id(upload))
    assert kept is not None
    assert await desk.ingest.uploads.append(kept, content) is not None
    assert (await desk.client.get(upload)).json()["state"] == "looked-at"
    async with run_ingest(desk.settings, key) as other:

        async def taken() -> dict[str, Any] | None:
            found: dict[str, Any] = (await other.client.get(upload)).json()
            return found if found["state"] == "taken" else None

        media = MediaFile.model_validate((await eventually(taken))["media"])
    assert media.name == "рішення.pdf"
    assert await desk.ingest.media_store.read(media.sha256) == content


def _id(upload: str) -> UUID:

    return UUID(upload.rsplit("/", 1)[-1])


@pytest.fixture
async def city(tmp_path: Path, amqp_url: str, mongo_url: str, register: Register) -> Any:
    """An ingest in a process of its own, which can be killed."""
    city = City(tmp_path, amqp_url, mongo_url, 1)
    city.start("ingest")
    await city.ready(["ingest"])
    yield city
    city.stop()


async def test_another_program_uploads_in_spite_of_kills(city: City, key: str, tmp_path: Path) -> None:
    """The process dies by SIGKILL in the middle of a piece, again and again; the video arrives whole."""
    content = video(tmp_path) + b"\0\0\0\x08free" * (PART // 2)
    headers = {"Authorization": f"Bearer {key}"}
    client = tus.TusClient(city.url("ingest") + UPLOADS, headers=headers)
    uploader = client.uploader(
        file_stream=io.BytesIO(content), chunk_size=PART * 3 // 2, metadata={"filename": "міст.mp4"}
    )
    await asyncio.to_thread(uploader.upload_chunk)
    assert uploader.offset == PART * 3 // 2
    for _ in range(2):
        # Half a piece is on its way when the process is killed.
        async def some(start: int = uploader.offset) -> Any:
            yield content[start : start + PART + 1000]
            city.kill("ingest")
            yield content[start + PART + 1000 : start + PART * 2]

        async with httpx.AsyncClient(headers=headers | PIECE) as half:
            with pytest.raises(httpx.TransportError):
                await half.patch(
                    str(uploader.url),
                    content=some(),
                    headers={"Upload-Offset": str(uploader.offset), "Content-Length": str(PART * 2)},
                )
        city.start("ingest")
        await city.ready(["ingest"])
        uploader.offset = await asyncio.to_thread(uploader.get_offset)
    await asyncio.to_thread(uploader.upload)
    async with httpx.AsyncClient(headers=headers) as desk:
        found = (await desk.get(str(uploader.url))).json()
    assert (found["state"], found["offset"]) == ("taken", len(content))
    assert found["media"]["media_type"] == "video/mp4"
