"""Metadata taken out of a photograph without touching a pixel: where it was made, by which camera, for whom.

What stays is what the picture itself needs (tables, colour profile, transparency) and a new small EXIF
block with orientation, author and copyright. What follows the picture's end, where a second file could
hide, goes too. Structures: JPEG, ITU-T T.81 annex B; PNG, https://www.w3.org/TR/png-3/#5Chunk-layout;
WebP, https://developers.google.com/speed/webp/docs/riff_container.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset(
    {b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"sBIT", b"bKGD", b"pHYs"}
    | {b"IDAT", b"IEND"}
)
_EXIF_FLAG, _XMP_FLAG = 0x08, 0x04
ORIENTATION, ARTIST, COPYRIGHT = 0x0112, 0x013B, 0x8298
_TEXT_MOST = 300
_END, _SCAN, _COMMENT = 0xD9, 0xDA, 0xFE
_APPLICATION = range(0xE0, 0xF0)
_RESTART = range(0xD0, 0xD8)
_FILL = 0xFF
_JFIF_LENGTH = 14


class Broken(ValueError):
    """It isn't built as its format has it, or ends too early."""


def exif_kept(exif: Image.Exif) -> bytes:
    """A new EXIF block, from the six bytes of its name on, with what may stay; empty where nothing is."""
    kept = Image.Exif()
    orientation = exif.get(ORIENTATION)
    if orientation in range(2, 9):
        kept[ORIENTATION] = orientation
    for tag in (ARTIST, COPYRIGHT):
        text = exif.get(tag)
        if isinstance(text, str) and text.strip("\0 "):
            kept[tag] = text.strip("\0 ")[:_TEXT_MOST]
    return kept.tobytes() if len(kept) else b""


def strip_jpeg(data: bytes, exif: bytes) -> bytes:
    """The same JPEG with this EXIF block as its only metadata. Raises `Broken`."""
    out = [b"\xff\xd8"]
    if exif:
        out.append(b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif)
    at = 2
    while True:
        marker, body, at = _segment(data, at)
        if marker == _END:
            out.append(b"\xff\xd9")
            return b"".join(out)
        if _jpeg_keeps(marker, body):
            out.append(b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body)
        if marker == _SCAN:
            end = _scan_end(data, at)
            out.append(data[at:end])
            at = end


def _segment(data: bytes, at: int) -> tuple[int, bytes, int]:
    """The marker at this place, its parameters, and where it ends."""
    while data[at : at + 2] == b"\xff\xff":
        at += 1
    if len(data) < at + 2 or data[at] != _FILL or data[at + 1] == 0:
        raise Broken("no marker where one must be")
    marker = data[at + 1]
    if marker == _END:
        return marker, b"", at + 2
    if len(data) < at + 4:
        raise Broken("cut off")
    end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    if end < at + 4 or end > len(data):
        raise Broken("cut off")
    return marker, data[at + 4 : end], end


def _jpeg_keeps(marker: int, body: bytes) -> bool:
    if marker == _COMMENT:
        return False
    if marker in _APPLICATION:
        # JFIF's own, without a thumbnail; the colour profile; Adobe's note on how colours are coded.
        return (body.startswith(b"JFIF\0") and len(body) == _JFIF_LENGTH) or body.startswith(
            (b"ICC_PROFILE\0", b"Adobe")
        )
    return True


def _scan_end(data: bytes, at: int) -> int:
    """Where the entropy-coded data ends: at a marker that is neither stuffing nor a restart."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            raise Broken("cut off")
        following = data[at + 1]
        if following == _FILL:
            at += 1
        elif following == 0 or following in _RESTART:
            at += 2
        else:
            return at


class _Chunk(NamedTuple):
    name: bytes
    body: bytes


def strip_png(data: bytes, exif: bytes) -> bytes:
    """The same PNG with this EXIF block as its only metadata. Raises `Broken`."""
    out = [_PNG_SIGNATURE]
    for chunk in _png_chunks(data):
        if chunk.name == b"IDAT" and exif:
            out.append(_png_chunk(_Chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))))
            exif = b""
        if chunk.name in _PNG_KEPT:
            out.append(_png_chunk(chunk))
        if chunk.name == b"IEND":
            return b"".join(out)
    raise Broken("cut off")


def _png_chunks(data: bytes) -> Iterator[_Chunk]:
    at = len(_PNG_SIGNATURE)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if len(data) < at + 12 + length:
            return
        if int.from_bytes(data[at + 8 + length : at + 12 + length], "big") != zlib.crc32(name + body):
            raise Broken("damaged")
        yield _Chunk(name, body)
        at += 12 + length


def _png_chunk(chunk: _Chunk) -> bytes:
    checksum = zlib.crc32(chunk.name + chunk.body)
    return struct.pack(">I", len(chunk.body)) + chunk.name + chunk.body + struct.pack(">I", checksum)


def strip_webp(data: bytes, exif: bytes) -> bytes:
    """The same WebP with this EXIF block as its only metadata. Raises `Broken`."""
    end = 8 + int.from_bytes(data[4:8], "little")
    if len(data) < end:
        raise Broken("cut off")
    chunks: list[_Chunk] = []
    at = 12
    while at + 8 <= end:
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + length > end:
            raise Broken("cut off")
        chunks.append(_Chunk(data[at : at + 4], data[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    out = b"WEBP"
    for chunk in chunks:
        if chunk.name == b"VP8X":
            flags = chunk.body[0] & ~(_EXIF_FLAG | _XMP_FLAG) | (_EXIF_FLAG if exif else 0)
            out += _riff(_Chunk(b"VP8X", bytes([flags]) + chunk.body[1:]))
        elif chunk.name in (b"ICCP", b"ALPH", b"VP8 ", b"VP8L"):
            out += _riff(chunk)
    if exif and chunks and chunks[0].name == b"VP8X":
        out += _riff(_Chunk(b"EXIF", exif.removeprefix(b"Exif\0\0")))
    return b"RIFF" + struct.pack("<I", len(out)) + out


def _riff(chunk: _Chunk) -> bytes:
    return chunk.name + struct.pack("<I", len(chunk.body)) + chunk.body + b"\0" * (len(chunk.body) % 2)
