"""Titles, descriptions and tags within YouTube's limits, whatever is handed in."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.publisher.channels.text import plain_text
from services.publisher.channels.youtube.metadata import (
    DESCRIPTION_BYTES,
    TAGS_CHARACTERS,
    TITLE_CHARACTERS,
    fitting_tags,
    marker_of,
    metadata_of,
)
from shared.publication import Correction, Significance
from tests.samples import corrected, publication

LINK = "https://rada.example/publications/dovha-adresa"
WORDS = st.text(st.sampled_from("абвг дежз <>&«»ї’\n-–.яё🎥"), min_size=1, max_size=6000)


@settings(deadline=None)
@given(title=st.text(st.sampled_from("аб <>«🎥"), min_size=3, max_size=200), lead=WORDS, body=WORDS)
def test_everything_fits(title: str, lead: str, body: str) -> None:
    content = {"title": f"А{title}я", "lead": f"А{' '.join(lead.split())}"[:1900], "body": f"А{body}"}
    published = publication("video", content=content)
    metadata = metadata_of(published, link=LINK)
    assert 0 < len(metadata.title) <= TITLE_CHARACTERS
    assert len(metadata.description.encode()) <= DESCRIPTION_BYTES
    assert not re.search("[<>]", metadata.title + metadata.description)
    assert LINK in metadata.description
    assert marker_of(published.id) in metadata.description


@settings(deadline=None)
@given(st.lists(st.text(st.sampled_from('аб, "<🎥'), max_size=120), max_size=40))
def test_tags_fit_together(tags: list[str]) -> None:
    kept = fitting_tags(tags)
    cost = sum(len(tag) + (2 if " " in tag else 0) for tag in kept) + max(0, len(kept) - 1)
    assert cost <= TAGS_CHARACTERS
    assert len(set(kept)) == len(kept)
    assert all(tag.strip() and not re.search('[,"<>]', tag) for tag in kept)


def test_a_title_that_is_cut_stands_whole_in_the_description() -> None:
    title = "Дуже довга назва сюжету про ремонт мосту " * 4
    published = publication("video", content={"title": title.strip()})
    metadata = metadata_of(published, link=None)
    assert metadata.title.endswith("…")
    assert metadata.description.startswith(title.strip())
    assert [problem for problem in metadata.problems(published) if "Заголовок" in problem]


def test_what_fits_is_no_problem_and_a_long_text_is() -> None:
    short = publication("video")
    assert metadata_of(short, link=LINK).problems(short) == []
    long = publication("video", content={"body": "Слово " * 1000})
    (problem,) = metadata_of(long, link=LINK).problems(long)
    assert "буде скорочено" in problem


def test_grave_corrections_are_told_and_small_ones_are_not() -> None:
    small = corrected(publication("video"), significance="minor")
    assert "Уточнено" not in metadata_of(small, link=None).description
    grave = corrected(small, significance="major")
    assert "Уточнено час." in metadata_of(grave, link=None).description


def test_long_notes_leave_room_for_the_link() -> None:
    first = publication("video")
    notes = tuple(
        Correction(revision=n, at=first.accepted_at, significance=Significance.MAJOR, note="Слово " * 300)
        for n in range(2, 7)
    )
    description = metadata_of(first.model_copy(update={"corrections": notes}), link=LINK).description
    assert len(description.encode()) <= DESCRIPTION_BYTES
    assert LINK in description


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("Перше **слово** і *друге*.\nДалі.\n\nАбзац.", "Перше слово і друге. Далі.\n\nАбзац."),
        ("## Заголовок\n\nТекст", "Заголовок\n\nТекст"),
        ("- раз\n- два\n\nТекст", "• раз\n• два\n\nТекст"),
        ("3. раз\n4. два", "3. раз\n4. два"),
        ("[сайт](https://rada.example)", "сайт (https://rada.example)"),
        ("<https://rada.example>", "https://rada.example"),
        ("Рядок  \nдругий `код`", "Рядок\nдругий код"),
        ("> цитата", "«цитата»"),
        ("<b>не розмітка</b>", "<b>не розмітка</b>"),
        ("![Зала](https://rada.example/1.jpg)", "Зала"),
    ],
)
def test_markup_becomes_plain_text(body: str, text: str) -> None:
    assert plain_text(body) == text
