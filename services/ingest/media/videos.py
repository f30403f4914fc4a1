"""A video looked at by ffmpeg: its measures, a copy without metadata, and a still.

Nothing is encoded anew; https://ffmpeg.org/ffmpeg.html#Stream-copy.
"""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

from services.ingest.media.refusals import refused
from services.ingest.media.sniffing import Told

_COPY_SECONDS = 900.0
_LOOK_SECONDS = 60.0
_POSTER_WIDTH = 1600
_FORMATS = {"mp4": ("mov", "mp4"), "mov": ("mov", "mov"), "webm": ("matroska", "webm")}
"""By a name's ending: what ffmpeg calls the format when it reads it, and when it writes it."""
_DURATION = re.compile(r"Duration: (\d+):(\d\d):(\d\d\.\d+)")
_SIZE = re.compile(r"Stream #\S+.*?: Video: .*?\b(\d{2,5})x(\d{2,5})\b")
_TURNED = re.compile(r"rotation of (-?\d+(?:\.\d+)?) degrees")


class NoAnswer(Exception):
    """ffmpeg did not end in time, or could not be started."""


@dataclass(frozen=True)
class Measures:
    """Of a video: pixels, upright, and seconds; None what ffmpeg doesn't say."""

    width: int | None = None
    height: int | None = None
    duration: float | None = None


async def measure(ffmpeg: str, video: Path, told: Told) -> Measures:
    """Look at a video. Raises a 422 `Problem` where there is no picture in it."""
    # Without an output ffmpeg says what it sees and ends with an error.
    _, said = await _run(ffmpeg, *_reading(video, told), within=_LOOK_SECONDS)
    size = _SIZE.search(said)
    if size is None:
        raise refused("damaged-file", "The video is damaged, or was cut off on its way: no picture in it.")
    width, height = int(size[1]), int(size[2])
    turned = _TURNED.search(said)
    if turned is not None and round(float(turned[1])) % 180:
        width, height = height, width
    lasts = _DURATION.search(said)
    seconds = int(lasts[1]) * 3600 + int(lasts[2]) * 60 + float(lasts[3]) if lasts else None
    return Measures(width, height, seconds)


async def without_metadata(ffmpeg: str, video: Path, told: Told, target: Path) -> None:
    """Copy picture and sound alone: no place, no device, no data tracks. Raises a 422 `Problem`."""
    _, writes = _FORMATS[told.ending]
    code, _ = await _run(
        ffmpeg,
        *_reading(video, told),
        *("-map", "0:V:0", "-map", "0:a?", "-map_metadata", "-1", "-map_chapters", "-1", "-c", "copy"),
        *("-map_metadata:s:v", "-1", "-map_metadata:s:a", "-1", "-fflags", "+bitexact"),
        *(("-movflags", "+faststart") if writes != "webm" else ()),
        *("-f", writes, "-y", str(target)),
        within=_COPY_SECONDS,
    )
    if code != 0 or not _written(target):
        raise refused(
            "damaged-file", "The video can't be read through: it is damaged, or was cut off on its way."
        )


async def still(ffmpeg: str, video: Path, told: Told, measures: Measures, target: Path) -> bool:
    """Make a JPEG of an early moment; False where there is none to be had."""
    moment = min(1.0, (measures.duration or 0) / 3)
    code, _ = await _run(
        ffmpeg,
        *("-ss", f"{moment:.3f}"),
        *_reading(video, told),
        *("-frames:v", "1", "-vf", f"scale='min({_POSTER_WIDTH},iw)':-2", "-q:v", "3"),
        *("-map_metadata", "-1", "-fflags", "+bitexact", "-f", "image2", "-update", "1", "-y", str(target)),
        within=_LOOK_SECONDS,
    )
    return code == 0 and _written(target)


def _written(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _reading(video: Path, told: Told) -> tuple[str, ...]:
    # The format is given and only this file may be opened: a playlist inside can't make it fetch anything.
    reads, _ = _FORMATS[told.ending]
    return "-hide_banner", "-nostdin", "-protocol_whitelist", "file", "-f", reads, "-i", str(video)


async def _run(ffmpeg: str, *arguments: str, within: float) -> tuple[int, str]:
    try:
        process = await asyncio.create_subprocess_exec(
            ffmpeg,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise NoAnswer(str(error)) from error
    try:
        async with asyncio.timeout(within):
            _, said = await process.communicate()
    except TimeoutError as error:
        raise NoAnswer(f"it did not end in {within:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, said.decode(errors="replace")
