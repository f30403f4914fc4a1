"""Colours of the archive's pages: readable for everyone, by the contrast that WCAG 2.2 AA asks for."""

import re
from pathlib import Path

import pytest

STYLE = (Path(__file__).parents[2] / "services" / "archive" / "static" / "archive.css").read_text()
_ROOTS = re.findall(r":root \{([^}]*)\}", STYLE)


def colours(scheme: str) -> dict[str, str]:
    """The colours of a scheme, by name."""
    assert len(_ROOTS) == 2
    declared = _ROOTS[0] if scheme == "light" else _ROOTS[1]
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", declared))


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


TONES = ("good", "busy", "bad", "quiet")
PAIRS = [
    *((front, back) for front in ("ink", "soft", "accent") for back in ("ground", "paper")),
    *((tone, back) for tone in TONES for back in ("paper", "ground", f"{tone}-wash")),
    *(("ink", f"{tone}-wash") for tone in TONES),
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back"), PAIRS)
def test_text_can_be_read_on_its_ground(scheme: str, front: str, back: str) -> None:
    palette = colours(scheme)
    assert contrast(palette[front], palette[back]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("front", ["#fff", "#cfe0f2"])
def test_text_can_be_read_on_the_band(scheme: str, front: str) -> None:
    assert front in STYLE
    assert contrast(front, colours(scheme)["band"]) >= 4.5


def test_the_contrast_of_black_and_white_is_21() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
