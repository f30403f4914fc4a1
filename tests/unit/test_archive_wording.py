"""What the receipt's page says of a publication, in words."""

from datetime import UTC, datetime, timedelta

import pytest

from services.archive.record import Record
from services.archive.wording import (
    Tone,
    cards,
    headline,
    letters,
    look_again,
    outcome_name,
    prose,
    steps,
    target_name,
    web_address,
)
from shared.events import DeliveryReported, Outcome, PublicationEvent, now
from shared.publication import Fact
from tests.samples import corrected, delivery, fact, publication, withdrawn


def record(*events: PublicationEvent | DeliveryReported) -> Record:
    found = Record.of(events)
    assert found is not None
    return found


def test_a_report_of_an_earlier_decision_is_told_with_its_revision() -> None:
    first = publication()
    second = corrected(first)
    site, mail = cards(
        record(
            fact(second),
            delivery(first, "site", Outcome.PUBLISHED),
            delivery(second, "mail", Outcome.SKIPPED, reason="Дрібна правка."),
        )
    )
    assert (site.name, site.revision, site.tone) == ("Сайт", 1, Tone.GOOD)
    assert (mail.name, mail.revision, mail.tone) == ("Листи редакціям", None, Tone.QUIET)
    assert mail.reason == "Дрібна правка."


def test_silent_targets_have_a_card_too() -> None:
    site, mail = cards(record(fact(publication())))
    assert (site.outcome, mail.outcome) == ("Очікуємо", "Очікуємо")


@pytest.mark.parametrize(
    ("outcomes", "tone", "words"),
    [
        ({}, Tone.BUSY, "Ще чекаємо: Сайт, Листи редакціям."),
        ({"site": Outcome.PUBLISHED}, Tone.BUSY, "Ще чекаємо: Листи редакціям."),
        ({"site": Outcome.RETRYING, "mail": Outcome.PUBLISHED}, Tone.BUSY, "Ще не все завершено."),
        ({"site": Outcome.PUBLISHED, "mail": Outcome.SKIPPED}, Tone.GOOD, "Усе зроблено"),
        ({"site": Outcome.FAILED, "mail": Outcome.PUBLISHED}, Tone.BAD, "подивіться на позначене нижче."),
        ({"site": Outcome.FAILED}, Tone.BAD, "Решта ще триває."),
        ({"site": Outcome.UNCONFIRMED, "mail": Outcome.PUBLISHED}, Tone.BUSY, "Ще не все завершено."),
    ],
)
def test_the_headline_says_whether_anybody_has_to_act(
    outcomes: dict[str, Outcome], tone: Tone, words: str
) -> None:
    one = publication()
    said = headline(record(fact(one), *(delivery(one, target, how) for target, how in outcomes.items())))
    assert said.tone is tone
    assert words in said.text


def test_a_withdrawal_says_whether_it_had_been_public() -> None:
    public = withdrawn(publication(targets=()))
    never = withdrawn(publication(targets=(), released_at=None))
    assert "знято всюди" in headline(record(fact(public, Fact.WITHDRAWN))).text
    assert "раніше, ніж вона стала публічною" in headline(record(fact(never, Fact.WITHDRAWN))).text


def test_letters_are_counted_with_those_refused() -> None:
    assert letters(None, None) is None
    assert letters(7, 0) == "Листів: 7"
    assert letters(7, 2) == "Листів: 7, з них відхилено: 2"


def test_the_same_outcome_has_its_word_on_a_channel_and_in_the_mail() -> None:
    assert outcome_name("site", Outcome.PUBLISHED) == "Опубліковано"
    assert outcome_name("mail", Outcome.PUBLISHED) == "Надіслано"
    assert outcome_name("mail", Outcome.FAILED) == "Не вдалося"


@pytest.mark.parametrize("target", ["site", "mail", "advance", "digest", "telegram", "a_new_channel"])
@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_of_every_target_has_words(target: str, outcome: Outcome) -> None:
    one = publication(targets=(target,))
    told = record(fact(one), delivery(one, target, outcome))
    [card] = cards(told)
    assert card.outcome
    assert card.name == target_name(target)
    assert len(steps(told)) == 2


@pytest.mark.parametrize("url", ["https://rada.example/1", "http://rada.example"])
def test_addresses_of_the_web_are_linked(url: str) -> None:
    assert web_address(url) == url


@pytest.mark.parametrize(
    "url", [None, "", "javascript:alert(1)", "/1", "data:text/html,x", "http://[", "//x"]
)
def test_all_other_addresses_are_not(url: str | None) -> None:
    assert web_address(url) is None


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**так** і *ні*", "<strong>так</strong> і <em>ні</em>"),
        ("# Розділ", "<h4>Розділ</h4>"),
        ("Розділ\n===", "<h4>Розділ</h4>"),
        ("<b>x</b>", "&lt;b&gt;x&lt;/b&gt;"),
    ],
)
def test_commonmark_becomes_html(text: str, html: str) -> None:
    assert html in prose(text)


@pytest.mark.parametrize(
    "text", ["![x](https://spy.example/1.png)", "[x](javascript:alert(1))", "[x](data:text/html,y)"]
)
def test_what_commonmark_must_not_bring_along(text: str) -> None:
    assert "<img" not in prose(text)
    assert "<a" not in prose(text)


def test_the_page_looks_again_soon_after_something_happened_then_calmly_then_never() -> None:
    one = publication(targets=("site",))
    event = fact(one).model_copy(update={"time": datetime(2026, 11, 19, 10, tzinfo=UTC)})
    waiting = record(event)
    assert look_again(waiting, event.time + timedelta(seconds=1)) == 5
    assert look_again(waiting, event.time + timedelta(hours=1)) == 60
    assert look_again(record(event, delivery(one, "site", Outcome.PUBLISHED)), now()) is None


def test_a_decision_for_an_embargo_does_not_claim_that_anybody_has_the_text() -> None:
    (step,) = steps(record(fact(publication(released_at=None), Fact.ADVANCE)))
    assert step.what == "Прийнято під ембарго"
