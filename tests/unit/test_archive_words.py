"""What words are reduced to before they are compared."""

from hypothesis import given
from hypothesis import strategies as st

from services.archive.wording import kind_of
from services.archive.words import base_forms
from shared.publication import Act
from shared.vocabulary import Kind


def test_forms_of_a_word_are_one() -> None:
    assert base_forms("роботи робота РОБОТУ") == ["робота"]
    assert base_forms("ради раді радою") == ["рада"]


def test_apostrophes_are_one() -> None:
    assert base_forms("п’ятниця пʼятницю п`ятниці п'ятницею") == ["п'ятниця"]


@given(st.text())
def test_any_text_gives_words_that_are_found_by_themselves(text: str) -> None:
    found = base_forms(text)
    assert found == sorted(set(found))
    assert all(word and word == word.strip() for word in found)


def test_an_act_is_called_what_it_is() -> None:
    act = Act.model_validate({"issuer": "mayor", "title": "Про це", "normative": False, "draft": True})
    assert kind_of(Kind.REGULATORY_ACT, act) == "проєкт розпорядження міського голови"
    normative = act.model_copy(update={"normative": True})
    assert kind_of(Kind.REGULATORY_ACT, normative) == "проєкт нормативно-правового акта"
    assert kind_of(Kind.NEWS, None) == "новина"
