"""A publication as the text of a post."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.publisher.channels.facebook.message import draft_of, names, problems_of, same
from services.publisher.channels.text import plain_text, units
from tests.samples import corrected, publication

ADDRESS = "https://rada.example/publications/novyna/"


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=3000))
def test_a_post_never_exceeds_its_length_and_always_ends_with_the_address(body: str) -> None:
    of = corrected(publication(content={"body": f"Текст {body}"}))
    draft = draft_of(of, ADDRESS, longest=700, uploads=True)
    assert units(draft.message) <= 700
    assert names(draft.message, ADDRESS)
    assert draft.message.startswith(of.content.title)
    assert "Уточнено: Уточнено час." in draft.message
    assert draft.shortened is bool(problems_of(of, draft, longest=700, uploads=True))


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("Один\nабзац.\n\nДругий.", "Один абзац.\n\nДругий."),
        ("## Заголовок\n\n**Жирне** й *косе*, `код`", "Заголовок\n\nЖирне й косе, код"),
        ("- перше\n- друге\n\n  далі\n  1. вкладене", "• перше\n• друге\n  далі\n  1. вкладене"),
        ("3. три\n4. чотири", "3. три\n4. чотири"),
        ("[мапа](https://rada.example/m)", "мапа (https://rada.example/m)"),
        ("<https://rada.example/m>", "https://rada.example/m"),
        ("<press@rada.example>", "press@rada.example"),
        ("![схема](https://rada.example/s.png)", "схема"),
        ("> цитата", "«цитата»"),
        ("рядок\\\nрядок", "рядок\nрядок"),
        ("```\nкод\n```", "код"),
        ("до\n\n---\n\nпісля", "до\n\nпісля"),
        ("&laquo;лапки&raquo; <b>html</b>", "«лапки» <b>html</b>"),
    ],
)
def test_markup_becomes_readable_text(body: str, text: str) -> None:
    assert plain_text(body) == text


@given(st.text())
def test_any_text_is_rendered(body: str) -> None:
    assert plain_text(body) == plain_text(body).strip("\n")


def test_an_address_is_known_by_its_line_alone() -> None:
    assert names(f"Новина\n\nДокладніше на сайті:\n{ADDRESS}", ADDRESS)
    assert not names(f"Новина, див. {ADDRESS} та інше", ADDRESS)
    assert not names(f"Новина\n{ADDRESS}2/", ADDRESS)


def test_texts_are_the_same_whatever_the_white_space() -> None:
    assert same("Один\n\nдва ", "Один два")
    assert not same("Один два", "Один два три")


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("event", "Де: Театральний майдан"),
        ("regulatory_act", "Ухвалено: 19 листопада 2026 р."),
        ("broadcast", "Програма: «Відкрита влада. МІСТО», ТРК «Аверс»"),
        ("broadcast", "Гості: Ірина Мельник, депутатка міської ради"),
    ],
)
def test_a_post_tells_the_facts_of_its_kind(kind: str, line: str) -> None:
    message = draft_of(publication(kind), None, longest=5000, uploads=True).message
    assert line in message.replace("\N{NO-BREAK SPACE}", " ")
