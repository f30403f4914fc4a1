"""What posts say beside title, lead and body."""

from services.publisher.channels.facts import correction_note, lines_of
from shared.publication import Content, Publication
from tests.samples import corrected, publication

EVENING = "2026-11-26T17:30:00Z"


def of(kind: str, **content: object) -> Content:
    return publication(kind, content=content).content


def plain(lines: list[str]) -> list[str]:
    """With spaces as they are typed."""
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def test_an_event_says_when_and_where_in_the_city_s_hours() -> None:
    event = {
        "starts_at": EVENING,
        "ends_at": "2026-11-26T22:15:00Z",
        "place": "Театральний майдан",
        "accreditation_until": "2026-11-25T10:00:00Z",
    }
    assert plain(lines_of(of("event", event=event))) == [
        "Коли: 26 листопада 2026 р. о 19:30",
        "Завершення: 27 листопада 2026 р. о 00:15",
        "Де: Театральний майдан",
        "Акредитація журналістів: до 25 листопада 2026 р. о 12:00",
    ]


def test_an_act_says_whose_it_is_with_number_and_date_and_a_draft_when_it_is_considered() -> None:
    assert plain(lines_of(of("regulatory_act"))) == [
        "Акт: «Про тарифи на перевезення»",
        "Видавець: виконавчий комітет",
        "Номер: 712-1",
        "Ухвалено: 19 листопада 2026 р.",
    ]
    act = {"issuer": "city_council", "title": "Про бюджет", "normative": True, "draft": True}
    assert plain(lines_of(of("regulatory_act", act=act | {"considered_on": "2026-12-24"}))) == [
        "Проєкт акта: «Про бюджет»",
        "Видавець: міська рада",
        "Розгляд: 24 грудня 2026 р.",
    ]


def test_a_broadcast_says_when_it_is_on_air_and_who_comes() -> None:
    broadcast = {
        "series": "Відкрита влада. МІСТО",
        "station": "ТРК «Аверс»",
        "medium": "tv",
        "airs_at": EVENING,
        "state": "cancelled",
        "guests": [{"name": "Ірина Мельник", "post": "депутатка"}, {"name": "Олег Бойко"}],
    }
    assert plain(lines_of(of("broadcast", broadcast=broadcast))) == [
        "Програма: «Відкрита влада. МІСТО», ТРК «Аверс»",
        "В ефірі: 26 листопада 2026 р. о 19:30 (ефір скасовано)",
        "Гості: Ірина Мельник, депутатка; Олег Бойко",
    ]


def test_an_interview_says_who_answers_and_news_say_nothing_more() -> None:
    speaker = {"name": "Ірина Мельник", "post": "депутатка", "faction": "Рідне місто"}
    assert lines_of(of("interview", speaker=speaker)) == [
        "Співрозмовник: Ірина Мельник, депутатка, Рідне місто"
    ]
    assert lines_of(of("interview")) == lines_of(of("news")) == []


def test_only_a_major_correction_is_told_and_the_latest_of_them() -> None:
    first: Publication = publication()
    assert correction_note(first) is None
    assert correction_note(corrected(first, significance="minor")) is None
    assert correction_note(corrected(corrected(first), significance="minor")) == "Уточнено: Уточнено час."
