"""Files that are refused: what is said, and that nothing of them stays."""

import io
import struct
import zipfile
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from services.ingest.media.settings import MediaSettings
from services.ingest.settings import IngestSettings
from tests.media import FFMPEG, pdf, photograph, picture, video
from tests.services.ingest.conftest import Running, problem, run_ingest

ALT = "Міст"


@pytest.fixture
async def strict(desk_settings: IngestSettings, key: str) -> AsyncIterator[Running]:
    """A running ingest with small limits: a MiB for photographs and documents, two for videos."""
    media = MediaSettings(photo_limit=1, document_limit=1, video_limit=2, photo_pixels=2, ffmpeg=FFMPEG)
    async with run_ingest(desk_settings, key, media) as running:
        yield running


async def nothing_stored(desk: Running) -> bool:
    """Whether the register, the store and the uploads are empty."""
    ingest, media = desk.ingest.mongo.database, desk.ingest.media_store.mongo.database
    counts = [
        await collection.count_documents({})
        for collection in (ingest["media"], media["files.files"], media["files.chunks"], media["writing"])
    ]
    return not any(counts)


def bomb() -> bytes:
    """A PNG of a few bytes that says it has 3.6 thousand million pixels."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def animation() -> bytes:
    """A WebP with two frames."""
    out = io.BytesIO()
    picture(40, 30).save(out, "WEBP", save_all=True, append_images=[Image.new("RGB", (40, 30))])
    return out.getvalue()


def heic() -> bytes:
    return b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 100


UNFIT = [
    (b"", 422, "empty-file"),
    (b"\0" * 10_000, 415, "unknown-file-type"),
    (b"GIF89a" + b"\0" * 100, 415, "unknown-file-type"),
    (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", 415, "unknown-file-type"),
    (b"MZ\x90\0" + b"\0" * 100, 415, "unknown-file-type"),
    (heic(), 415, "unknown-file-type"),
    (photograph()[:-2000], 422, "damaged-file"),
    (photograph(format="PNG")[:-2000], 422, "damaged-file"),
    (photograph(format="WEBP")[:-200], 422, "damaged-file"),
    (b"\xff\xd8\xff\xe0" + b"x" * 100, 422, "damaged-file"),
    (photograph()[:600] + b"\0" * 5000, 422, "damaged-file"),
    (bomb(), 422, "too-many-pixels"),
    (photograph(2000, 1100), 422, "too-many-pixels"),
    (animation(), 422, "animated"),
    (pdf()[:-30], 422, "damaged-file"),
    (b"%PDF-1.7\n" + b"x" * 100, 422, "damaged-file"),
    (pdf() + b"PK\3\4" * 100, 422, "damaged-file"),
    (b"\0\0\0\x1cftypisom\0\0\2\0isomiso2mp41" + b"\0" * 5000, 422, "damaged-file"),
    (b"\xff\xd8\xff" + b"\0" * (1024 * 1024), 413, "too-large"),
    (b"%PDF-" + b"\0" * (1024 * 1024), 413, "too-large"),
]


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
async def test_what_is_no_good_file_is_refused_whatever_it_is_called(strict: Running) -> None:
    for content, status, name in UNFIT:
        form = {"file": ("фото.jpg", content, "image/jpeg")}
        answer = await strict.client.post("/v1/media", files=form, data={"alt": ALT})
        refusal = problem(answer, status)
        assert refusal["type"] == f"/problems/{name}", (content[:40], refusal)
        assert refusal["detail"]
    assert await nothing_stored(strict)


async def test_a_video_that_was_cut_off_is_refused(strict: Running, tmp_path: Path) -> None:
    for ending in ("mp4", "mov"):
        cut = video(tmp_path, ending=ending)[:-500]
        answer = await strict.client.post("/v1/media", files={"file": ("a", cut)})
        assert problem(answer, 422)["type"] == "/problems/damaged-file"


async def test_what_hides_behind_a_picture_is_not_stored(desk: Running) -> None:
    """A file that is a photograph and an archive at once ends as a photograph alone."""
    hidden = io.BytesIO()
    with zipfile.ZipFile(hidden, "w") as archive:
        archive.writestr("evil.js", "alert(document.cookie)")
    for format in ("JPEG", "PNG", "WEBP"):
        both = photograph(200, 100, format=format) + hidden.getvalue()
        assert zipfile.is_zipfile(io.BytesIO(both))
        answer = await desk.client.post("/v1/media", files={"file": ("a", both)}, data={"alt": ALT})
        assert answer.status_code == 201, answer.text
        stored = await desk.ingest.media_store.read(answer.json()["sha256"])
        assert not zipfile.is_zipfile(io.BytesIO(stored))
        assert b"evil.js" not in stored


WORDS = [
    ({}, "alt"),
    ({"alt": ""}, "alt"),
    ({"alt": "   "}, "alt"),
    ({"alt": "\u200b\u2060\u00ad"}, "alt"),
    ({"alt": "Міст\u202eтсом"}, "alt"),
    ({"alt": "рядок\nдругий"}, "alt"),
    ({"alt": "х" * 301}, "alt"),
    ({"alt": ALT, "caption": "х" * 2001}, "caption"),
    ({"alt": ALT, "caption": "х" * 20_000}, "caption"),
    ({"alt": ALT, "author": "\u2800"}, "author"),
    ({"alt": ALT, "title": "Х"}, "title"),
]


async def test_words_that_do_not_fit_are_named(desk: Running) -> None:
    for words, field in WORDS:
        answer = await desk.client.post("/v1/media", files={"file": ("a.jpg", photograph())}, data=words)
        assert field in [error["field"] for error in problem(answer, 422)["errors"]], words
    assert await nothing_stored(desk)


async def test_a_photograph_alone_needs_alt(desk: Running) -> None:
    answer = await desk.client.post("/v1/media", files={"file": ("a.pdf", pdf())})
    assert answer.status_code == 201
    assert "alt" not in answer.json()


async def test_a_name_is_kept_without_its_folders_and_tricks(desk: Running) -> None:
    for given, kept in (
        ("../../etc/рішення 712.pdf", "рішення 712.pdf"),
        ("C:\\Users\\Olena\\act.pdf", "act.pdf"),
        ("act\u202efdp.exe", "actfdp.exe"),
        ("/", None),
    ):
        answer = await desk.client.post("/v1/media", files={"file": (given, pdf())})
        assert answer.json().get("name") == kept, answer.text


FORMS = [
    ("application/json", b"{}", 415),
    ("multipart/form-data", b"", 415),
    ("multipart/form-data; boundary=x", b"", 400),
    ("multipart/form-data; boundary=x", b"garbage", 400),
    ("multipart/form-data; boundary=x", b"--x\r\nContent-Dispo", 400),
    ("multipart/form-data; boundary=x", b"--x--\r\n", 422),
    (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n%PDF-',
        400,
    ),
    (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="alt"\r\n\r\nx\r\n--x--\r\n',
        422,
    ),
    (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="alt"\r\n\r\n\xff\xfe\r\n--x--\r\n',
        422,
    ),
    (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n%PDF-\r\n' * 2 + b"--x--\r\n",
        422,
    ),
    (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n' * 20 + b"--x--\r\n",
        422,
    ),
]


async def test_a_form_that_is_none_is_said_to_be(desk: Running) -> None:
    for type, body, status in FORMS:
        answer: httpx.Response = await desk.client.post(
            "/v1/media", content=body, headers={"Content-Type": type}
        )
        problem(answer, status)
    assert await nothing_stored(desk)
