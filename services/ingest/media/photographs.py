"""A photograph looked at: whole, a picture, not a bomb; and freed of its metadata."""

import io
from dataclasses import dataclass
from struct import error as StructError  # noqa: N812  # an exception, whatever its module calls it

from PIL import Image

from services.ingest.media.refusals import refused
from services.ingest.media.sniffing import Told
from services.ingest.media.stripping import (
    ORIENTATION,
    Broken,
    exif_kept,
    strip_jpeg,
    strip_png,
    strip_webp,
)
from shared.web import Problem

_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
_STRIP = {"image/jpeg": strip_jpeg, "image/png": strip_png, "image/webp": strip_webp}
_ON_ITS_SIDE = frozenset({5, 6, 7, 8})
"""Orientations that swap width and height."""
SIDE_MOST = 16_000
"""Pixels; WebP, which every photograph is also shown as, ends at 16 383."""


@dataclass(frozen=True)
class Photograph:
    """As it is to be stored; width and height in pixels, upright."""

    data: bytes
    width: int
    height: int


def look(data: bytes, told: Told, *, pixels: int) -> Photograph:
    """Check a photograph of up to `pixels` and strip it: CPU work. Raises a 422 `Problem`."""
    exif = _check(data, told, pixels)[2]
    try:
        stripped = _STRIP[told.media_type](data, exif_kept(exif))
    except (Broken, IndexError) as error:
        raise _damaged() from error
    # What is stored is what others will open: it has to be whole too.
    width, height, _ = _check(stripped, told, pixels)
    on_its_side = exif.get(ORIENTATION) in _ON_ITS_SIDE
    return Photograph(stripped, *((height, width) if on_its_side else (width, height)))


def _check(data: bytes, told: Told, pixels: int) -> tuple[int, int, Image.Exif]:
    """Width, height, and what the camera wrote of a photograph that opens to the last pixel."""
    try:
        with Image.open(io.BytesIO(data), formats=[_FORMATS[told.media_type]]) as image:
            width, height = image.size
            if width * height > pixels or max(width, height) > SIDE_MOST:
                raise _bomb(width, height, pixels)
            if getattr(image, "n_frames", 1) > 1:
                raise refused("animated", "An animation is no photograph: hand it in as a video.")
            image.load()
            return width, height, _exif(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise refused("too-many-pixels", f"A photograph may have up to {pixels} pixels.") from error
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, StructError) as error:
        raise _damaged() from error


def _exif(image: Image.Image) -> Image.Exif:
    """What the camera wrote, if it can be read; it is thrown away anyway but for a few lines."""
    try:
        exif = image.getexif()
        exif.tobytes()
    except (OSError, ValueError, SyntaxError, KeyError, TypeError, StructError):
        return Image.Exif()
    return exif


def _bomb(width: int, height: int, pixels: int) -> Problem:
    return refused(
        "too-many-pixels",
        f"The photograph is {width} by {height}; up to {pixels} pixels, {SIDE_MOST} a side, are taken.",
    )


def _damaged() -> Problem:
    return refused(
        "damaged-file", "The photograph is damaged, or was cut off on its way: it doesn't open to its end."
    )
