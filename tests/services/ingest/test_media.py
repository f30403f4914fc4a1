"""Handing in files in one piece: what is taken, what is refused, what is stored."""

import io
from uuid import UUID

import httpx
from PIL import Image

from shared.media import ImageFormat, rendition_key, rendition_widths
from shared.publication import MediaFile
from tests.services.ingest.conftest import Running
from tests.services.ingest.media import pdf, photograph
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
    media = await taken(desk, photograph(2000, 1000), alt=ALT)
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
    assert rendition_widths(media) == (480, 960, 1600, 2000)


async def test_a_publication_carries_its_files(desk: Running) -> None:
    photo = await taken(desk, photograph(), alt=ALT)
    act = await taken(desk, pdf(), name="рішення.pdf")
    body = await desk.submit("photo_report", media=[str(photo.id), str(act.id)])
    stored = await desk.ingest.outbox.find(UUID(body["id"]))
    assert stored is not None
    assert stored.submission.publication.media == (photo, act)
