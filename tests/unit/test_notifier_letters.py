"""Mails as bytes: what a mail program makes of them is what was meant, whatever was written."""

import email
import email.policy
import re
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.notifier.body import to_html, to_text
from services.notifier.letters import compose, compose_digest
from services.notifier.outlets import Journalist
from services.notifier.records import Mail, Purpose
from services.notifier.settings import Settings
from shared.events import now
from tests.samples import corrected, publication, withdrawn

SETTINGS = Settings()
TOKEN = "tokentokentokentokentokentoken-_"
EMBARGO = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def mail(**fields: object) -> Mail:
    given: dict[str, object] = {
        "_id": "a" * 40,
        "fanout": "digest/avers/2026-11-23",
        "purpose": Purpose.RELEASE,
        "recipient": "r",
        "name": "Ірина Коваль",
        "address": "koval@avers.example",
        "token": TOKEN,
    }
    return Mail.model_validate(given | fields)


def read(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert [part.defects for part in message.walk() if part.defects] == []
    return message


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return cast("str", cast("EmailMessage", body).get_content())


def test_a_mail_has_the_headers_of_a_mailing_list() -> None:
    message = read(compose(SETTINGS, publication(), Purpose.RELEASE).filled(mail(answers="b" * 40)))
    assert message["Message-ID"] == f"<{'a' * 40}@rada.example>"
    assert message["In-Reply-To"] == message["References"] == f"<{'b' * 40}@rada.example>"
    assert message["List-Unsubscribe"] == f"<http://127.0.0.1:8004/unsubscribe/{TOKEN}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["List-Id"] == "<media.rada.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Reply-To"] == "Олена Ткачук <press@rada.example>"
    assert message["To"] == "Ірина Коваль <koval@avers.example>"
    assert message["From"] == "Пресслужба міської ради <press@rada.example>"
    assert message["Date"] is not None
    assert [one.get_content_type() for one in message.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]


def test_the_mailbox_for_unsubscribing_is_named_where_there_is_one() -> None:
    settings = SETTINGS.model_copy(update={"unsubscribe_mailbox": "stop@rada.example"})
    message = read(compose(settings, publication(), Purpose.RELEASE).filled(mail()))
    assert message["List-Unsubscribe"].endswith(", <mailto:stop@rada.example?subject=unsubscribe>")


def test_the_same_mail_is_the_same_bytes_but_for_what_is_its_recipients() -> None:
    letter = compose(SETTINGS, publication(), Purpose.RELEASE)
    assert letter.filled(mail()) == letter.filled(mail())
    other = letter.filled(mail(token="x" * 32, _id="c" * 40))
    assert "x" * 32 in part(read(other), "plain")
    assert TOKEN not in part(read(other), "html")


@pytest.mark.parametrize(
    ("purpose", "begins"),
    [
        (Purpose.RELEASE, "Тролейбус № 5"),
        (Purpose.ADVANCE, "ЕМБАРГО до 14:00 23.11.2026 — Тролейбус № 5"),
        (Purpose.CORRECTION, "ВИПРАВЛЕННЯ: Тролейбус № 5"),
        (Purpose.WITHDRAWAL, "ВІДКЛИКАНО: Тролейбус № 5"),
    ],
)
def test_the_subject_says_what_it_is(purpose: Purpose, begins: str) -> None:
    of = publication(content={"embargo_until": EMBARGO.isoformat()})
    message = read(compose(SETTINGS, withdrawn(corrected(of)), purpose).filled(mail()))
    assert message["Subject"].startswith(begins)


def test_an_embargo_is_the_first_thing_in_both_parts() -> None:
    of = publication(content={"embargo_until": EMBARGO.isoformat()})
    message = read(compose(SETTINGS, of, Purpose.ADVANCE).filled(mail()))
    visible = re.sub(r"<(style|title).*?</\1>|<[^>]+>", " ", part(message, "html"), flags=re.DOTALL)
    for text in (part(message, "plain"), visible):
        assert text.strip().startswith("ЕМБАРГО до 14:00 23.11.2026")


def test_once_released_no_mail_speaks_of_the_embargo() -> None:
    of = publication(content={"embargo_until": EMBARGO.isoformat()})
    letter = compose(SETTINGS, of, Purpose.RELEASE)
    assert "ЕМБАРГО" not in letter.subject + letter.text + letter.html


def test_a_correction_says_what_changed_since_the_recipients_text() -> None:
    third = corrected(corrected(publication()))
    third = third.model_copy(
        update={
            "corrections": tuple(
                one.model_copy(update={"note": f"Зміна {one.revision}."}) for one in third.corrections
            )
        }
    )
    letter = compose(SETTINGS, third, Purpose.CORRECTION, since=2)
    assert "Зміна 3." in letter.text
    assert "Зміна 2." not in letter.text
    assert "Зміна 3." in letter.html


def test_a_withdrawal_gives_the_reason_and_repeats_nothing_of_the_text() -> None:
    letter = compose(SETTINGS, withdrawn(publication(), "Дата хибна."), Purpose.WITHDRAWAL)
    for text in (letter.text, letter.html):
        assert "Дата хибна." in text
        assert "контактної мережі" not in text


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (1, "1 публікація"),
        (2, "2 публікації"),
        (5, "5 публікацій"),
        (11, "11 публікацій"),
        (22, "22 публікації"),
    ],
)
def test_a_digest_counts_in_good_ukrainian(number: int, says: str) -> None:
    letter = compose_digest(SETTINGS, [publication()] * number, EMBARGO.date())
    assert letter.subject == f"Дайджест за 23 листопада 2026\N{NO-BREAK SPACE}р.: {says}"
    assert read(letter.filled(mail()))["Subject"] == letter.subject


@pytest.mark.parametrize("kind", ["news", "event", "regulatory_act", "broadcast", "interview"])
def test_every_kind_has_its_facts(kind: str) -> None:
    content = {"speaker": {"name": "Ірина Мельник", "post": "депутатка"}} if kind == "interview" else {}
    letter = compose(SETTINGS, publication(kind, content=content), Purpose.RELEASE)
    for fact in {
        "event": ["Місце: Театральний майдан", "Учасники: Міський голова"],
        "regulatory_act": ["Номер: 712-1", "Дата ухвалення: 19 листопада 2026"],
        "broadcast": ["Програма: Відкрита влада. МІСТО", "Гості: Ірина Мельник"],
        "interview": ["Співрозмовник: Ірина Мельник, депутатка"],
    }.get(kind, []):
        assert fact in letter.text


LINES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=250
)


@given(title=LINES, name=LINES)
def test_whatever_people_are_called_and_write_comes_out_as_it_was(title: str, name: str) -> None:
    """Through two of Python's own parsers: ours would repeat our mistakes."""
    try:
        of = publication(content={"title": title})
        person = Journalist.model_validate(
            {"name": name, "address": "koval@avers.example", "subscriptions": [{}]}
        )
    except ValidationError:
        return
    raw = compose(SETTINGS, of, Purpose.RELEASE).filled(mail(name=person.name))
    message = email.message_from_bytes(raw)
    subject = str(email.header.make_header(email.header.decode_header(message["Subject"])))
    assert subject == of.content.title
    called = str(email.header.make_header(email.header.decode_header(message["To"])))
    assert called == f"{person.name} <koval@avers.example>"
    assert [key for key, _ in message.items()].count("Subject") == 1
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert all(byte < 128 for byte in raw)


@given(
    body=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1),
    token=st.from_regex(r"[A-Za-z0-9_-]{32}", fullmatch=True),
)
def test_the_fast_way_yields_what_was_rendered(body: str, token: str) -> None:
    """Base64 cut around the token decodes to the text with the token in its place."""
    try:
        of = publication(content={"body": body})
    except ValidationError:
        return
    letter = compose(SETTINGS, of, Purpose.RELEASE)
    found = re.search(r"unsubscribe/([0-9a-f]{32})", letter.text)
    assert found is not None
    message = read(letter.filled(mail(token=token)))
    for kind, rendered in (("plain", letter.text), ("html", letter.html)):
        expected = rendered.replace(found[1], token).replace("\r\n", "\n")
        assert part(message, kind).replace("\r\n", "\n") == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"token": "short"},
        {"token": "t" * 31 + "\n"},
        {"_id": "a" * 39 + "\r"},
        {"address": "a@b.example>\r\nBcc: c@d.example"},
        {"address": "a@b.example\n"},
    ],
)
def test_nothing_that_could_begin_a_header_gets_into_one(fields: dict[str, object]) -> None:
    letter = compose(SETTINGS, publication(), Purpose.RELEASE)
    with pytest.raises(ValueError, match=r"can't|no header"):
        letter.filled(mail(**fields))


def test_a_line_break_in_a_name_begins_no_header() -> None:
    letter = compose(SETTINGS, publication(), Purpose.RELEASE)
    message = read(letter.filled(mail(name="Ім’я\r\nBcc: c@d.example\n\nтекст")))
    assert message["Bcc"] is None
    assert message["To"].addresses[0].display_name == "Ім’я Bcc: c@d.example текст"


@pytest.mark.parametrize(
    "title", ["№\N{NO-BREAK SPACE}5", "пере\N{SOFT HYPHEN}нос", "👩\N{ZERO WIDTH JOINER}🏫 школа"]
)
def test_a_title_may_hold_what_word_processors_leave(title: str) -> None:
    letter = compose(SETTINGS, publication(content={"title": title}), Purpose.RELEASE)
    assert read(letter.filled(mail()))["Subject"] == title


def test_a_body_becomes_safe_html_and_readable_text() -> None:
    body = (
        "# Назва\n\n<script>alert(1)</script> **важливо** [сайт](https://a.example) "
        "[зле](javascript:alert(1)) ![Фото](https://b.example/x.png)\n\n1. раз\n2. два\n\n> цитата"
    )
    html, text = to_html(body), to_text(body)
    assert "<script" not in html
    assert "javascript:" not in re.findall(r'href="([^"]*)"', html)
    assert "<img" not in html
    assert "<h2>Назва</h2>" in html
    assert "НАЗВА" in text
    assert "важливо сайт (https://a.example)" in text
    assert "Фото (https://b.example/x.png)" in text
    assert "1. раз\n2. два" in text
    assert "> цитата" in text


def test_the_date_is_now() -> None:
    message = read(compose(SETTINGS, publication(), Purpose.RELEASE).filled(mail()))
    assert abs((message["Date"].datetime - now()).total_seconds()) < 60
