"""What a file is, told from its first bytes; its name and the type it was sent as don't count."""

from dataclasses import dataclass

from services.ingest.media.refusals import refused
from shared.vocabulary import MediaForm

HEAD = 4096
"""Bytes that are enough to tell."""

TAKEN = "JPEG, PNG and WebP photographs, MP4, MOV and WebM videos, PDF documents"


@dataclass(frozen=True)
class Told:
    """The form and the type of a file."""

    form: MediaForm
    media_type: str

    @property
    def ending(self) -> str:
        """Of a name for it: `mp4`."""
        return _ENDINGS[self.media_type]


_ENDINGS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "application/pdf": "pdf",
}
_SIGNATURES = (
    (b"\xff\xd8\xff", 0, Told(MediaForm.PHOTO, "image/jpeg")),
    (b"\x89PNG\r\n\x1a\n", 0, Told(MediaForm.PHOTO, "image/png")),
    (b"WEBP", 8, Told(MediaForm.PHOTO, "image/webp")),
    (b"%PDF-", 0, Told(MediaForm.DOCUMENT, "application/pdf")),
)
_MP4_BRANDS = frozenset(
    {b"isom", b"iso2", b"iso3", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"M4VH"}
    | {b"M4VP", b"MSNV", b"dash", b"f4v ", b"XAVC", b"3gp4", b"3gp5", b"3gp6"}
)
"""Major brands of the ISO base media format that mean a video; https://mp4ra.org/registered-types/brands."""
_STILL_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis"})


def tell(head: bytes) -> Told:
    """What a file with these first bytes (up to `HEAD`) is. Raises a 415 or 422 `Problem`."""
    if not head:
        raise refused("empty-file", "The file is empty.")
    told = _signature(head)
    if told is None:
        raise refused(
            "unknown-file-type",
            f"That is no file of a kind that is taken: {TAKEN}. The content counts, not the name.",
            status=415,
        )
    return told


def _signature(head: bytes) -> Told | None:
    for begins, at, told in _SIGNATURES:
        if head[at : at + len(begins)] == begins:
            return told
    if head.startswith(b"\x1a\x45\xdf\xa3") and b"\x42\x82\x84webm" in head[:64]:
        return Told(MediaForm.VIDEO, "video/webm")
    return _iso(head[8:12]) if head[4:8] == b"ftyp" else None


def _iso(brand: bytes) -> Told | None:
    if brand in _STILL_BRANDS:
        raise refused(
            "unknown-file-type",
            "HEIC and AVIF photographs are not taken: export the photograph as JPEG.",
            status=415,
        )
    if brand == b"qt  ":
        return Told(MediaForm.VIDEO, "video/quicktime")
    return Told(MediaForm.VIDEO, "video/mp4") if brand in _MP4_BRANDS else None
