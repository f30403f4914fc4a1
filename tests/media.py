"""Files to hand in: small, made on the spot."""

import io
import subprocess
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import imageio_ffmpeg  # type: ignore[import-untyped]  # it has no types
from PIL import Image, ImageDraw

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
GPS = 0x8825


def picture(width: int = 1200, height: int = 800, mode: str = "RGB") -> Image.Image:
    """A gradient with a red corner at its upper left, so that its way up can be told."""
    image = Image.linear_gradient("L").resize((width, height)).convert(mode)
    ImageDraw.Draw(image).rectangle((0, 0, width // 4, height // 4), fill="red" if mode != "L" else 10)
    return image


def photograph(
    width: int = 1200,
    height: int = 800,
    *,
    format: str = "JPEG",
    orientation: int = 1,
    located: bool = True,
    **options: Any,
) -> bytes:
    """A photograph as a camera writes it: with its place, model, author."""
    exif = Image.Exif()
    exif[0x010F] = "Camera & Sons"
    exif[0x0112] = orientation
    exif[0x013B] = "Iryna Kovalchuk"
    exif[0x8298] = "(c) Luchanka"
    if located:
        exif.get_ifd(GPS).update({1: "N", 2: (50.0, 44.0, 52.1), 3: "E", 4: (25.0, 19.0, 30.0)})
    out = io.BytesIO()
    mode = options.pop("mode", "RGB")
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>50,44.868N</x:xmpmeta>"
    more = {"xmp": xmp} if format in ("JPEG", "WEBP") else {}
    picture(width, height, mode).save(out, format, exif=exif, **more, **options)
    return out.getvalue()


def pdf(pages: int = 1) -> bytes:
    """A PDF document."""
    out = io.BytesIO()
    first, *others = [Image.new("L", (60, 80), 255) for _ in range(pages)]
    first.save(out, "PDF", save_all=True, append_images=others)
    return out.getvalue()


def video(
    folder: Path,
    *,
    ending: str = "mp4",
    width: int = 320,
    height: int = 180,
    seconds: float = 2,
    turned: int = 0,
) -> bytes:
    """A video with sound, made in this place (as its metadata say)."""
    path = folder / f"sample-{ending}-{width}-{turned}.{ending}"
    codecs = ["-c:v", "libvpx", "-c:a", "libopus"] if ending == "webm" else ["-c:v", "mpeg4", "-c:a", "aac"]
    _ffmpeg(
        *("-f", "lavfi", "-i", f"testsrc=size={width}x{height}:rate=10:duration={seconds}"),
        *("-f", "lavfi", "-i", f"sine=duration={seconds}"),
        *codecs,
        *("-metadata", "location=+50.7478+025.3254/", "-metadata", "title=Secret"),
        *("-movflags", "use_metadata_tags") if ending == "mov" else (),
        str(path),
    )
    if turned:
        straight, path = path, path.with_name(f"turned.{ending}")
        _ffmpeg("-display_rotation", str(turned), "-i", str(straight), "-c", "copy", str(path))
    return path.read_bytes()


def _ffmpeg(*arguments: str) -> None:
    subprocess.run([FFMPEG, "-y", "-loglevel", "error", *arguments], check=True)


@lru_cache
def clip() -> bytes:
    """A small video."""
    with TemporaryDirectory() as folder:
        return video(Path(folder))


async def files_for(kind: str, desk: httpx.AsyncClient) -> list[str]:
    """Hand in what a publication of this kind can't be without; the ids."""
    forms: dict[str, tuple[bytes, dict[str, str]]] = {
        "photo_report": (photograph(640, 480), {"alt": "Тролейбус на Театральному майдані"}),
        "video": (clip(), {}),
    }
    if kind not in forms:
        return []
    content, words = forms[kind]
    answer = await desk.post("/v1/media", files={"file": ("файл", content)}, data=words)
    answer.raise_for_status()
    return [answer.json()["id"]]
