"""The smaller pictures made of photographs: WebP and JPEG, sRGB, upright, without metadata."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

from PIL import Image, ImageCms, ImageOps

from services.ingest.media.records import Records, Waiting
from shared.events import now
from shared.media import ImageFormat, MediaMissing, MediaStore, rendition_key, rendition_widths
from shared.publication import MediaFile
from shared.telemetry import logger

_JPEG_QUALITY, _WEBP_QUALITY = 82, 80
_WAIT = timedelta(seconds=20)
_WAIT_MOST = timedelta(hours=1)

_log = logger(__name__)


def render(data: bytes, photo: MediaFile) -> Iterator[tuple[str, bytes]]:
    """The key and the bytes of every rendition, the widest first: CPU work."""
    with Image.open(io.BytesIO(data)) as image:
        widest = rendition_widths(photo)[-1]
        scale = widest / (photo.width or widest)
        # JPEG decodes to a half, a quarter, an eighth for next to nothing; never under what is asked for.
        image.draft("RGB", (max(1, int(image.width * scale)), max(1, int(image.height * scale))))
        picture = _plain(image)
    for width in reversed(rendition_widths(photo)):
        height = max(1, round(width * (photo.height or 1) / (photo.width or 1)))
        if (width, height) != picture.size:
            picture = picture.resize((width, height), Image.Resampling.LANCZOS)
        for format in ImageFormat:
            yield rendition_key(photo, width=width, format=format), _encoded(picture, format)


def _plain(image: Image.Image) -> Image.Image:
    """Upright, in sRGB, RGB or RGBA."""
    upright = ImageOps.exif_transpose(image)
    profile = image.info.get("icc_profile")
    if upright.mode.startswith("I;16"):
        upright = upright.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if profile and upright.mode in ("RGB", "CMYK", "L"):
        try:
            converted = ImageCms.profileToProfile(
                upright,
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
        except (ImageCms.PyCMSError, OSError, ValueError):
            # A profile that can't be read: most are near sRGB, and the picture is worth more than its tint.
            converted = None
        if converted is not None:
            return converted
    return upright.convert("RGBA" if upright.has_transparency_data else "RGB")


def _encoded(picture: Image.Image, format: ImageFormat) -> bytes:
    out = io.BytesIO()
    if format is ImageFormat.WEBP:
        picture.save(out, "WEBP", quality=_WEBP_QUALITY, method=4, exif=b"", icc_profile=b"", xmp=b"")
        return out.getvalue()
    if picture.mode == "RGBA":
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture).convert("RGB")
    picture.save(out, "JPEG", quality=_JPEG_QUALITY, progressive=True, optimize=True)
    return out.getvalue()


class Maker:
    """Makes what waits, in every process; the lease of `Records.claim_waiting` shares the work out."""

    def __init__(self, records: Records, store: MediaStore) -> None:
        self._records = records
        self._store = store

    async def make_next(self) -> bool:
        """Make one photograph's renditions; False where none waits. Raises `StoreUnavailable`."""
        waiting = await self._records.claim_waiting()
        if waiting is None:
            return False
        try:
            await self._make(waiting)
        except MediaMissing:
            # Removed meanwhile; handed in anew, it waits anew.
            await self._records.made(waiting)
        except (OSError, ValueError) as error:
            wait = min(_WAIT * 2 ** min(waiting.tries, 10), _WAIT_MOST)
            _log.error(
                "renditions can't be made", sha256=waiting.file.sha256, tries=waiting.tries, reason=str(error)
            )
            await self._records.wait_again(waiting, now() + wait)
        else:
            await self._records.made(waiting)
        return True

    async def _make(self, waiting: Waiting) -> None:
        photo = waiting.file
        data = await self._store.read(photo.sha256)
        made, keys = render(data, photo), list[str]()
        while (rendition := await asyncio.to_thread(next, made, None)) is not None:
            key, content = rendition
            keys.append(key)
            await self._store.write(key, _whole(content))
        if not await self._store.has(photo.sha256):
            for key in keys:
                await self._store.delete(key)
            raise MediaMissing("Файл видалено.")


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content
