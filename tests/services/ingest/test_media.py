"""Handing in files in one piece: what is stored, and what a publication makes of it."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from PIL import Image
from prometheus_client import REGISTRY

from services.ingest.keys import Register
from services.ingest.media.settings import MediaSettings
from services.ingest.settings import IngestSettings
from shared.events import new_id
from shared.media import ImageFormat, poster_key, rendition_key, rendition_widths
from shared.publication import MediaFile
from tests.media import FFMPEG, GPS, pdf, photograph, video
from tests.samples import submission
from tests.services.ingest.conftest import EDUCATION, Heard, Running, accepted, problem, run_ingest
from tests.waiting import eventually

ALT = "Тролейбус на Театральному майдані"


async def send(desk: Running, content: bytes, **fields: str) -> httpx.Response:
    """Hand in a file; `name` is the file's."""
    name = fields.pop("name", "IMG_0001.JPG")
    return await desk.client.post("/v1/media", files={"file": (name, content)}, data=fields)


async def taken(desk: Running, content: bytes, **fields: str) -> MediaFile:
    """Hand in a file that is taken."""
    answer = await send(desk, content, **fields)
    assert answer.status_code == 201, answer.text
    media = MediaFile.model_validate(answer.json())
    assert answer.headers["Location"] == f"/v1/media/{media.id}"
    return media


@pytest.fixture
async def with_ffmpeg(desk_settings: IngestSettings, key: str) -> AsyncIterator[Running]:
    """A running ingest that looks into videos."""
    async with run_ingest(desk_settings, key, MediaSettings(ffmpeg=FFMPEG)) as running:
        await asyncio.wait_for(running.ingest.bus.ready(), 30)
        yield running


async def test_a_photograph_is_stored_and_described(desk: Running) -> None:
    words = {"alt": ALT, "caption": "Перший рейс.", "author": "Ірина Ковальчук"}
    media = await taken(desk, photograph(), **words)
    assert (media.form, media.media_type, media.width, media.height) == ("photo", "image/jpeg", 1200, 800)
    assert (media.alt, media.caption, media.author, media.name) == (*words.values(), "IMG_0001.JPG")
    found = await desk.client.get(f"/v1/media/{media.id}")
    assert MediaFile.model_validate(found.json()) == media
    stored = await desk.ingest.media_store.read(media.sha256)
    assert len(stored) == media.size


async def test_renditions_are_made_behind(desk: Running) -> None:
    """Of a photograph that lies on its side too: in all widths and both formats, upright and bare."""
    media = await taken(desk, photograph(1000, 2000, orientation=6), alt=ALT)
    assert (media.width, media.height) == (2000, 1000)
    assert rendition_widths(media) == (480, 960, 1600, 2000)
    store = desk.ingest.media_store
    for width in rendition_widths(media):
        for format in ImageFormat:
            key = rendition_key(media, width=width, format=format)

            async def made(key: str = key) -> bytes | None:
                return await store.read(key) if await store.has(key) else None

            with Image.open(io.BytesIO(await eventually(made))) as image:
                assert image.size == (width, width // 2)
                assert image.get_format_mimetype() == format.media_type
                assert not image.getexif()
                assert not {"icc_profile", "xmp", "comment"} & image.info.keys()
                # The red corner of the upper left has turned to the upper right.
                red, green, _ = image.convert("RGB").getpixel((width - 20, 20))  # type: ignore[misc]  # of RGB
                assert (red > 200, green < 60) == (True, True)


async def test_what_waits_is_made_by_another_process_after_a_crash(desk: Running, key: str) -> None:
    """The claim of one that died runs out, and the next one starts again."""
    desk.ingest.upkeep.stop()
    media = await taken(desk, photograph(600, 400), alt=ALT)
    records = desk.ingest.media

    assert await records.claim_waiting() is not None
    assert await records.claim_waiting() is None
    await desk.ingest.mongo.database["renditions"].update_many({}, [{"$set": {"due_at": "$$NOW"}}])
    async with run_ingest(desk.settings, key) as other:
        store = other.ingest.media_store

        async def made() -> bool:
            return await store.has(rendition_key(media, width=480, format=ImageFormat.WEBP))

        await eventually(made)


async def test_a_photograph_keeps_no_place_but_its_author_and_its_way_up(desk: Running) -> None:
    for format in ("JPEG", "PNG", "WEBP"):
        media = await taken(desk, photograph(60, 40, format=format, orientation=8), alt=ALT)
        stored = await desk.ingest.media_store.read(media.sha256)
        assert (media.width, media.height) == (40, 60)
        with Image.open(io.BytesIO(stored)) as image:
            exif = image.getexif()
            assert not exif.get_ifd(GPS)
            assert set(exif) == {0x0112, 0x013B, 0x8298}
            assert (exif[0x0112], exif[0x013B]) == (8, "Iryna Kovalchuk")
        for trace in (b"Camera & Sons", b"50,44", b"xmpmeta"):
            assert trace not in stored


async def test_not_a_pixel_changes(desk: Running) -> None:
    for format in ("JPEG", "PNG", "WEBP"):
        content = photograph(300, 200, format=format)
        media = await taken(desk, content, alt=ALT)
        stored = await desk.ingest.media_store.read(media.sha256)
        with Image.open(io.BytesIO(content)) as before, Image.open(io.BytesIO(stored)) as after:
            assert before.tobytes() == after.tobytes()


async def test_the_same_upload_again_is_the_same_file(desk: Running, register: Register) -> None:
    """With other words it is another file of the same bytes, and another department's is its own."""
    content = photograph()
    first, again = await asyncio.gather(*(taken(desk, content, alt=ALT) for _ in range(2)))
    assert first == again == await taken(desk, content, alt=ALT)
    other = await taken(desk, content, alt="Тролейбус")
    desk.client.headers["Authorization"] = f"Bearer {await register.make_key(EDUCATION.id, '')}"
    foreign = await taken(desk, content, alt=ALT)
    assert len({first.id, other.id, foreign.id}) == 3
    assert len({first.sha256, other.sha256, foreign.sha256}) == 1
    files = desk.ingest.media_store.mongo.database["files.files"]
    assert await files.count_documents({"filename": first.sha256}) == 1
    problem(await desk.client.get(f"/v1/media/{first.id}"), 404)


async def test_a_video_loses_its_place_and_gets_a_still(with_ffmpeg: Running, tmp_path: Path) -> None:
    for ending, type, place in (
        ("mp4", "video/mp4", b"loci"),
        ("mov", "video/quicktime", b"50.7478"),
        ("webm", "video/webm", b"50.7478"),
    ):
        content = video(tmp_path, ending=ending)
        assert place in content
        media = await taken(with_ffmpeg, content, name="a.bin", caption="Міст відкрито.")
        assert (media.form, media.media_type, media.width, media.height) == ("video", type, 320, 180)
        assert media.duration == pytest.approx(2, abs=0.2)
        store = with_ffmpeg.ingest.media_store
        stored = await store.read(media.sha256)
        assert place not in stored
        assert b"Secret" not in stored
        assert media.poster
        with Image.open(io.BytesIO(await store.read(poster_key(media)))) as still:
            assert (still.format, still.size) == ("JPEG", (320, 180))
        again = await taken(with_ffmpeg, content, name="a.bin", caption="Міст відкрито.")
        assert again == media


async def test_a_video_that_lies_on_its_side_is_measured_upright(
    with_ffmpeg: Running, tmp_path: Path
) -> None:
    media = await taken(with_ffmpeg, video(tmp_path, turned=90))
    assert (media.width, media.height) == (180, 320)
    with Image.open(io.BytesIO(await with_ffmpeg.ingest.media_store.read(poster_key(media)))) as still:
        assert still.size == (180, 320)


async def test_without_ffmpeg_a_video_is_stored_as_it_came(
    desk_settings: IngestSettings, key: str, tmp_path: Path
) -> None:
    content = video(tmp_path)
    async with run_ingest(desk_settings, key, MediaSettings(ffmpeg="")) as desk:
        media = await taken(desk, content)
        assert (media.poster, media.duration, media.size) == (False, None, len(content))
        assert await desk.ingest.media_store.read(media.sha256) == content


async def test_every_event_carries_the_files(ingest: Running, heard: Heard) -> None:
    """A revision's list replaces the one before; a withdrawal leaves it."""
    photo = await taken(ingest, photograph(), alt=ALT)
    act = await taken(ingest, pdf(), name="рішення.pdf")
    body = await ingest.submit("photo_report", media=[str(act.id), str(photo.id)])
    accepted(await ingest.revise(body["id"], 1, kind="photo_report", media=[str(photo.id)]))
    accepted(await ingest.withdraw(body["id"]))

    async def three() -> bool:
        return len(await heard.of(body["id"])) == 3

    await eventually(three)
    events = {(event.fact, event.data.revision): event.data.media for event in heard.events}
    assert events == {
        ("released", 1): (act, photo),
        ("released", 2): (photo,),
        ("withdrawn", 2): (photo,),
    }


async def test_only_ones_own_files_can_be_named(desk: Running, register: Register) -> None:
    foreign = await taken(desk, photograph(), alt=ALT)
    desk.client.headers["Authorization"] = f"Bearer {await register.make_key(EDUCATION.id, '')}"
    own = await taken(desk, pdf())
    missing = str(new_id())
    for id in (str(foreign.id), missing):
        for answer in (
            await desk.client.post("/v1/publications", json={**submission(), "media": [str(own.id), id]}),
            await desk.revise((await desk.submit())["id"], 1, media=[id]),
        ):
            [error] = problem(answer, 422)["errors"]
            assert error["field"] == "media"
            assert id in error["message"]


async def test_a_photo_report_has_a_photograph_a_video_story_a_video(desk: Running, tmp_path: Path) -> None:
    photo, clip = await taken(desk, photograph(), alt=ALT), await taken(desk, video(tmp_path))
    for kind, fits, other in (("photo_report", photo, clip), ("video", clip, photo)):
        for media in ([], [str(other.id)]):
            answer = await desk.client.post("/v1/publications", json=submission(kind) | {"media": media})
            [error] = problem(answer, 422)["errors"]
            assert error["field"] == "media"
        body = await desk.submit(kind, media=[str(other.id), str(fits.id)])
        [error] = problem(await desk.revise(body["id"], 1, kind=kind, media=[]), 422)["errors"]
        assert error["field"] == "media"


async def test_uploads_are_counted(desk: Running) -> None:
    def count(form: str, outcome: str) -> float:
        labels = {"form": form, "outcome": outcome}
        return REGISTRY.get_sample_value("visnyk_uploads_total", labels) or 0

    before = count("document", "taken"), count("photo", "damaged-file"), count("unknown", "unknown-file-type")
    await taken(desk, pdf())
    await send(desk, photograph()[:5000], alt=ALT)
    await send(desk, b"MZ\x90\0" * 100)
    after = count("document", "taken"), count("photo", "damaged-file"), count("unknown", "unknown-file-type")
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, 1]


async def test_nobody_hands_in_without_a_key(desk: Running) -> None:
    media = await taken(desk, pdf())
    del desk.client.headers["Authorization"]
    problem(await send(desk, pdf()), 401)
    problem(await desk.client.get(f"/v1/media/{media.id}"), 401)
