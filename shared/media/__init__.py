"""Media files: bytes by content hash in GridFS, and the renditions made of them."""

from shared.media.renditions import WIDTHS, ImageFormat, poster_key, rendition_key, rendition_widths
from shared.media.store import MediaMissing, MediaStore

__all__ = [
    "WIDTHS",
    "ImageFormat",
    "MediaMissing",
    "MediaStore",
    "poster_key",
    "rendition_key",
    "rendition_widths",
]
