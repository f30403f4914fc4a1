"""Which renditions a photograph has, and under which key each is kept. The making is ingest's."""

from enum import StrEnum

from shared.publication import MediaFile

WIDTHS = (480, 960, 1600, 2560)
"""Pixels. A rendition is never wider than its original."""


class ImageFormat(StrEnum):
    """The formats of renditions; also the ending of their files' names."""

    WEBP = "webp"
    JPEG = "jpg"

    @property
    def media_type(self) -> str:
        return "image/webp" if self is ImageFormat.WEBP else "image/jpeg"


def rendition_widths(photo: MediaFile) -> tuple[int, ...]:
    """The widths that exist of a photograph, smallest first; the last may be its own width."""
    own = photo.width or 0
    return (*(width for width in WIDTHS if width < own), *((own,) if own <= WIDTHS[-1] else ()))


def rendition_key(photo: MediaFile, *, width: int, format: ImageFormat) -> str:
    """The key of the widest rendition that is at most `width` pixels wide, else of the smallest."""
    widths = rendition_widths(photo)
    fitting = [each for each in widths if each <= width]
    return f"{photo.sha256}/{fitting[-1] if fitting else widths[0]}.{format}"


def poster_key(video: MediaFile) -> str:
    """The key of a video's still, a JPEG; there where `video.poster` is set."""
    return f"{video.sha256}/poster.jpg"
