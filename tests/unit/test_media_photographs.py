"""Photographs looked at: whatever comes, it is a stripped photograph, or a refusal that says why."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from services.ingest.media.photographs import look
from services.ingest.media.renditions import render
from services.ingest.media.sniffing import tell
from shared.events import new_id
from shared.publication import MediaFile
from shared.web import Problem
from tests.media import photograph, picture

SAMPLES = {format: photograph(120, 80, format=format, orientation=6) for format in ("JPEG", "PNG", "WEBP")}
PIXELS = 1_000_000


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
@settings(max_examples=300, deadline=None)
@given(
    format=st.sampled_from(sorted(SAMPLES)),
    at=st.integers(12, 5000),
    junk=st.binary(min_size=1, max_size=12),
    cut=st.integers(0, 3000),
)
def test_damage_is_refused_or_harmless(format: str, at: int, junk: bytes, cut: int) -> None:
    """Never an error of another kind; and what is taken opens again, without a place in it."""
    content = SAMPLES[format]
    at %= len(content)
    damaged = content[:at] + junk + content[at + len(junk) : len(content) - cut % len(content)]
    try:
        photo = look(damaged, tell(damaged), pixels=PIXELS)
    except Problem as problem:
        if problem.status not in (415, 422):
            raise
        return
    with Image.open(io.BytesIO(photo.data)) as image:
        image.load()
        assert not image.getexif().get_ifd(0x8825)
        assert photo.width * photo.height == image.width * image.height


@pytest.mark.parametrize("format", sorted(SAMPLES))
def test_stripped_twice_is_stripped_once(format: str) -> None:
    """So the same photograph, downloaded and handed in again, is stored once."""
    content = SAMPLES[format]
    once = look(content, tell(content), pixels=PIXELS)
    assert look(once.data, tell(once.data), pixels=PIXELS) == once


@pytest.mark.parametrize(
    ("format", "mode"),
    [
        ("JPEG", "L"),
        ("JPEG", "CMYK"),
        ("PNG", "L"),
        ("PNG", "LA"),
        ("PNG", "P"),
        ("PNG", "1"),
        ("PNG", "I;16"),
        ("PNG", "RGBA"),
        ("WEBP", "RGBA"),
    ],
)
def test_pictures_of_all_modes_are_shown(format: str, mode: str) -> None:
    out = io.BytesIO()
    if mode == "I;16":
        Image.new("I;16", (700, 500), 40_000).save(out, format)
    else:
        picture(700, 500).convert(mode).save(out, format)
    photo = look(out.getvalue(), tell(out.getvalue()), pixels=PIXELS)
    renditions = dict(render(photo.data, described(photo.data, photo.width, photo.height)))
    assert len(renditions) == 4
    for key, content in renditions.items():
        with Image.open(io.BytesIO(content)) as image:
            assert image.mode in ("RGB", "RGBA")
            assert image.size == ((700, 500) if "/700." in key else (480, 343))
            if mode == "I;16":
                assert image.convert("L").getpixel((5, 5)) == pytest.approx(40_000 >> 8, abs=3)


def test_the_colour_profile_stays_and_renditions_need_none() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    out = io.BytesIO()
    picture(600, 400).save(out, "JPEG", icc_profile=profile, quality=95)
    photo = look(out.getvalue(), tell(out.getvalue()), pixels=PIXELS)
    with Image.open(io.BytesIO(photo.data)) as image:
        assert image.info["icc_profile"] == profile
    for _, content in render(photo.data, described(photo.data, 600, 400)):
        with Image.open(io.BytesIO(content)) as image:
            assert "icc_profile" not in image.info
            red, green, blue = image.convert("RGB").getpixel((20, 20))  # type: ignore[misc]  # of RGB
            assert (red > 200, green < 60, blue < 60) == (True, True, True)


def test_a_jpeg_is_progressive() -> None:
    content = SAMPLES["JPEG"]
    photo = look(content, tell(content), pixels=PIXELS)
    for key, rendition in render(photo.data, described(photo.data, photo.width, photo.height)):
        if key.endswith(".jpg"):
            with Image.open(io.BytesIO(rendition)) as image:
                assert image.info.get("progressive")


def described(data: bytes, width: int, height: int) -> MediaFile:
    """A stored photograph."""
    return MediaFile.model_validate(
        {
            "id": new_id(),
            "form": "photo",
            "media_type": tell(data).media_type,
            "sha256": "a" * 64,
            "size": len(data),
            "width": width,
            "height": height,
            "alt": "Міст",
        }
    )
