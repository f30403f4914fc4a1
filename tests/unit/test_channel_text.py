"""Texts without markup, and of limited length."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.publisher.channels.text import shortened, units


def size(text: str) -> int:
    return len(text.encode())


@pytest.mark.parametrize("measure", [len, units, size])
@given(text=st.text(alphabet=st.characters(codec="utf-8")), room=st.integers(3, 200))
def test_a_shortened_text_fits(measure: Callable[[str], int], text: str, room: int) -> None:
    short = shortened(text, room, measure=measure)
    assert measure(short) <= room
    assert short == text or short.endswith("…")


def test_it_ends_between_words_and_never_inside_a_letter() -> None:
    assert shortened("Тролейбус змінює маршрут", 20) == "Тролейбус змінює…"
    assert shortened("Міст на вулиці Шевченка", 18, measure=units) == "Міст на вулиці…"
    assert shortened("Найдовшеслововсвіті тут", 12) == "Найдовшесло…"
    assert shortened("🚎🚎🚎", 4, measure=units) == "🚎…"
