"""Whatever a department writes becomes messages that the Bot API takes whole."""

import json

from aiogram.types import MessageEntity
from hypothesis import given
from hypothesis import strategies as st

from services.publisher.channels.telegram.drafts import post_of
from services.publisher.channels.telegram.formatting import (
    CAPTION_LIMIT,
    ENTITY_LIMIT,
    TEXT_LIMIT,
    Rendered,
    from_commonmark,
    split,
    units,
)
from tests.platforms.telegram import formatted
from tests.samples import publication

_MARKS = st.sampled_from(
    [
        "**",
        "*",
        "`",
        "```\n",
        "> ",
        "- ",
        "1. ",
        "\n",
        "\n\n",
        "# ",
        "[місто](https://rada.example/a)",
        "<b>",
        "&",
    ]
)
_WORDS = st.text(alphabet="абвгдїі 😀👨‍👩‍👧.,!\u0301", min_size=1, max_size=40)
_BODIES = st.lists(_MARKS | _WORDS, max_size=60).map("".join)


def taken(piece: Rendered, limit: int) -> None:
    """The stand-in's own check: lengths, entities inside of the text, nesting, whole symbols."""
    entities = [entity.model_dump(exclude_none=True) for entity in piece.entities]
    field = "text" if limit == TEXT_LIMIT else "caption"
    formatted({field: piece.text, "entities": json.dumps(entities)}, field, "entities", limit)


@given(_BODIES)
def test_any_commonmark_is_taken(body: str) -> None:
    for piece in split(Rendered.of(from_commonmark(body))):
        taken(piece, TEXT_LIMIT)


@given(_BODIES.map(lambda body: body * 40), st.integers(20, 400))
def test_a_split_loses_nothing_but_white_space_and_keeps_every_limit(body: str, limit: int) -> None:
    whole = Rendered.of(from_commonmark(body))
    pieces = split(whole, first=limit, rest=limit * 2)
    assert "".join("".join(piece.text for piece in pieces).split()) == "".join(whole.text.split())
    for number, piece in enumerate(pieces):
        assert 0 < units(piece.text) <= (limit * 2 if number else limit)
        assert len(piece.entities) <= ENTITY_LIMIT
        taken(piece, TEXT_LIMIT)


def test_a_split_prefers_the_end_of_a_paragraph_then_of_a_sentence_then_of_a_word() -> None:
    def first(text: str) -> str:
        return split(Rendered(text), first=30)[0].text

    assert first("Один два три чотири.\n\nП’ять шість сім.") == "Один два три чотири."
    assert first("Один два три чотири. П’ять шість сім.") == "Один два три чотири."
    assert first("Один два три чотири п’ять шість сім") == "Один два три чотири п’ять"
    assert first("а" * 40) == "а" * 30


def test_what_is_cut_in_bold_goes_on_in_bold() -> None:
    bold = MessageEntity(type="bold", offset=0, length=20)
    first, second = split(Rendered("Один два три чотири.", (bold,)), first=13)
    assert [(e.type, e.offset, e.length) for e in first.entities] == [("bold", 0, 12)]
    assert [(e.type, e.offset, e.length) for e in second.entities] == [("bold", 0, 7)]


def test_more_entities_than_a_message_may_have_make_another_message() -> None:
    pieces = split(Rendered.of(from_commonmark(" ".join(f"**слово{n}** і" for n in range(250)))))
    assert [len(piece.entities) for piece in pieces] == [100, 100, 50]


def test_headings_lists_links_code_and_pictures_stay_readable() -> None:
    body = (
        "# Графік\n\n- **будні**: 9:00\n- [субота](https://rada.example/s)\n\n2. два\n3. три\n\n> цитата\n\n"
        "![план](https://rada.example/p.png) `код` [пошта](mailto:a@b.example) <b>не тег</b>"
    )
    rendered = Rendered.of(from_commonmark(body))
    assert rendered.text == (
        "Графік\n\n• будні: 9:00\n• субота\n\n2. два\n3. три\n\nцитата\n\n"
        "план код пошта (a@b.example) <b>не тег</b>"
    )
    assert [entity.type for entity in rendered.entities] == [
        "bold", "bold", "text_link", "blockquote", "text_link", "code"
    ]  # fmt: skip


def test_the_title_leads_to_the_page_and_the_facts_of_the_kind_are_told() -> None:
    post = post_of(publication("event"), "https://rada.example/p")
    first = post.head.text
    link = next(entity for entity in first.entities if entity.type == "text_link")
    assert (link.offset, link.url) == (0, "https://rada.example/p")
    assert post.head.link == "https://rada.example/p"
    assert "Де: Театральний майдан" in first.text
    act = post_of(publication("regulatory_act"), None).head.text.text
    assert "Номер: 712-1" in act
    assert "Ухвалено: 19 листопада 2026" in act


def test_units_are_those_of_utf_16() -> None:
    assert units("їжак 😀") == 7
    longest = Rendered("😀" * (CAPTION_LIMIT // 2 + 1))
    assert [units(piece.text) for piece in split(longest, first=CAPTION_LIMIT)] == [CAPTION_LIMIT, 2]
