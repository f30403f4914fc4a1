"""Titles as addresses, by the official transliteration."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.publisher.channels.site.addresses import LONGEST, slug_of


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        # The examples of resolution 55-2010 itself: a letter in it is written otherwise at a word's start.
        ("Алушта, Борщагівка, Вінниця", "alushta-borshchahivka-vinnytsia"),
        ("Гадяч і Ґалаґан", "hadiach-i-galagan"),
        ("Розгон, Згорани", "rozghon-zghorany"),
        ("Єнакієве та Гаєвич", "yenakiieve-ta-haievych"),
        ("Їжакевич Кадиївка Йосипівка Стрий", "yizhakevych-kadyivka-yosypivka-stryi"),
        ("Юрій, Крюківка, Яготин, Ічня", "yurii-kriukivka-yahotyn-ichnia"),
        ("Щербухи, Гоща, Гаращенко", "shcherbukhy-hoshcha-harashchenko"),
        ("Знам’янка, Знам'янка, Знамʼянка", "znamianka-znamianka-znamianka"),
        ("Львів, Русь, Маріуполь", "lviv-rus-mariupol"),
        ("До уваги представників ЗМІ", "do-uvahy-predstavnykiv-zmi"),
        ("«Луцький замок» № 5: щодня — 24/7!", "lutskyi-zamok-no-5-shchodnia-24-7"),
        ("Road works on 5th Street", "road-works-on-5th-street"),
    ],
)
def test_titles_are_transliterated_by_resolution_55(title: str, slug: str) -> None:
    assert slug_of(title) == slug


@pytest.mark.parametrize("title", ["«»", "!!!", "…", "🎉", "№"])
def test_a_title_without_words_gets_a_general_address(title: str) -> None:
    assert slug_of(title) in {"publikatsiia", "no"}


def test_a_long_title_is_cut_between_words() -> None:
    title = "Про затвердження детального плану території " * 5
    slug = slug_of(title)
    assert slug == "pro-zatverdzhennia-detalnoho-planu-terytorii-pro-zatverdzhennia-detalnoho-planu"
    assert len(slug) <= LONGEST


@given(st.text(min_size=1, max_size=250))
def test_whatever_the_title_the_address_is_clean(title: str) -> None:
    slug = slug_of(title)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug)
    assert len(slug) <= LONGEST
