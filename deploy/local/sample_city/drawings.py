"""The sample city's photographs and its video: drawn, so that nobody's rights or faces are in them."""

import random
import subprocess
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

SIZE = (1600, 1067)
_SKIES = (
    ((132, 178, 219), (240, 226, 203)),
    ((92, 110, 160), (236, 178, 132)),
    ((170, 198, 214), (244, 244, 238)),
)
_LIT = 0.3
"""Windows with somebody at home."""
_WALLS = ((214, 188, 154), (196, 152, 128), (222, 210, 190), (170, 160, 150), (188, 120, 96))


def photograph(name: str, *, size: tuple[int, int] = SIZE) -> bytes:
    """A street of the sample city as a JPEG; the same for the same name."""
    chance = random.Random(name)  # noqa: S311  # a picture, not a secret
    picture = _street(chance, size)
    file = BytesIO()
    picture.save(file, "JPEG", quality=88)
    return file.getvalue()


def video(name: str, folder: Path, ffmpeg: str) -> bytes:
    """A walk along that street, four seconds of MP4. Raises `CalledProcessError` where ffmpeg can't."""
    still = folder / "still.jpg"
    still.write_bytes(photograph(name, size=(1920, 720)))
    made = folder / "walk.mp4"
    walk = "crop=1280:720:x='(iw-1280)*t/4':y=0,format=yuv420p"
    subprocess.run(
        [
            ffmpeg,
            "-v",
            "error",
            "-y",
            "-loop",
            "1",
            "-t",
            "4",
            "-r",
            "12",
            "-i",
            str(still),
            "-vf",
            walk,
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-movflags",
            "+faststart",
            str(made),
        ],
        check=True,
    )
    return made.read_bytes()


def _street(chance: random.Random, size: tuple[int, int]) -> Image.Image:
    width, height = size
    picture = Image.new("RGB", size)
    draw = ImageDraw.Draw(picture)
    top, bottom = chance.choice(_SKIES)
    ground = round(height * 0.78)
    for y in range(ground):
        part = y / ground
        draw.line([(0, y), (width, y)], fill=_between(top, bottom, part))
    draw.rectangle([0, ground, width, height], fill=(112, 112, 116))
    x = -chance.randrange(60)
    while x < width:
        x += _house(draw, chance, x, ground, height)
    for _ in range(width // 180):
        _tree(draw, chance, chance.randrange(width), ground, height)
    return picture.filter(ImageFilter.GaussianBlur(0.6))


def _house(draw: ImageDraw.ImageDraw, chance: random.Random, x: int, ground: int, height: int) -> int:
    wide, tall = chance.randrange(150, 320), chance.randrange(height // 4, height * 3 // 5)
    wall = chance.choice(_WALLS)
    draw.rectangle([x, ground - tall, x + wide, ground], fill=wall)
    roof = _between(wall, (70, 40, 36), 0.6)
    draw.polygon(
        [(x - 8, ground - tall), (x + wide + 8, ground - tall), (x + wide // 2, ground - tall - 60)],
        fill=roof,
    )
    for row in range(ground - tall + 30, ground - 60, 74):
        for column in range(x + 22, x + wide - 40, 62):
            light = (252, 226, 150) if chance.random() < _LIT else (88, 104, 124)
            draw.rectangle([column, row, column + 32, row + 44], fill=light)
    return wide + chance.randrange(4, 30)


def _tree(draw: ImageDraw.ImageDraw, chance: random.Random, x: int, ground: int, height: int) -> None:
    tall = chance.randrange(height // 8, height // 4)
    draw.rectangle([x - 5, ground - tall // 2, x + 5, ground + 6], fill=(84, 62, 48))
    leaves = (chance.randrange(60, 110), chance.randrange(110, 150), 70)
    draw.ellipse([x - tall // 2, ground - tall - 20, x + tall // 2, ground - tall // 3], fill=leaves)


def _between(one: tuple[int, int, int], other: tuple[int, int, int], part: float) -> tuple[int, int, int]:
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(one, other, strict=True))
    return red, green, blue
