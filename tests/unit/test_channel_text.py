"""Texts without markup, and of limited length."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.publisher.channels.text import plain_text, shortened, units


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


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ("Перший **абзац**,\nдалі.\n\n## Заголовок", "Перший абзац, далі.\n\nЗаголовок"),
        ("- хліб\n- сіль\n  - кухонна", "• хліб\n• сіль\n  • кухонна"),
        ("3. третє\n4. четверте", "3. третє\n4. четверте"),
        ("[Сайт](https://rada.example/a) ради", "Сайт (https://rada.example/a) ради"),
        ("<https://rada.example/a>", "https://rada.example/a"),
        ("[Пишіть](mailto:press@rada.example)", "Пишіть (press@rada.example)"),
        ("> Так і буде.", "«Так і буде.»"),
        ("Рядок\\\nрядок", "Рядок\nрядок"),
        ("2 \\* 2 &amp; `<b>`", "2 * 2 & <b>"),
    ],
)
def test_common_mark_is_read_aloud(body: str, read: str) -> None:
    assert plain_text(body) == read


@given(st.text(alphabet=st.sampled_from("абв *_#>-1.<&\\\n"), max_size=60))
def test_no_word_of_a_body_is_lost(body: str) -> None:
    assert [letter for letter in plain_text(body) if letter in "абв"] == [
        letter for letter in body if letter in "абв"
    ]
