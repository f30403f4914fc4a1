"""The outlets' file: what is read, and what is said of what isn't."""

import pytest

from services.notifier.outlets import InvalidFile, Mode, read_outlets

GOOD = """
outlets:
  - id: avers
    name: ТРК «Аверс»
    digest_hour: 17:30
    journalists:
      - name: Ірина Коваль
        address: Koval@avers.example
        accredited: true
        subscriptions:
          - topics: [transport, tariffs]
          - kinds: [event]
            mode: digest
"""


def test_a_file_is_read() -> None:
    [outlet] = read_outlets(GOOD)
    assert (outlet.id, outlet.name, outlet.digest_hour) == ("avers", "ТРК «Аверс»", "17:30")
    [journalist] = outlet.journalists
    assert journalist.accredited
    assert [one.mode for one in journalist.subscriptions] == [Mode.IMMEDIATE, Mode.DIGEST]


def test_json_is_read_too() -> None:
    [outlet] = read_outlets('{"outlets": [{"id": "avers", "name": "ТРК", "digest_hour": "09:05"}]}')
    assert outlet.digest_hour == "09:05"
    assert outlet.journalists == ()


@pytest.mark.parametrize(
    ("written", "hour"), [("17:30", "17:30"), ('"17:30"', "17:30"), ("09:05", "09:05"), ("9:05", "09:05")]
)
def test_an_hour_may_be_quoted_or_not(written: str, hour: str) -> None:
    """YAML 1.1 reads 17:30 as the number 1050."""
    [outlet] = read_outlets(f"outlets:\n  - {{id: a, name: А, digest_hour: {written}}}")
    assert outlet.digest_hour == hour


def test_all_errors_are_told_each_on_a_line() -> None:
    text = """
outlets:
  - id: Avers
    name: А
  - id: b
    name: Б
    digest_hour: "25:00"
    journalists:
      - {name: Хтось, address: nobody, subscriptions: [{topics: [weather]}]}
      - {name: Хтось, address: a@b.example, subscriptions: []}
      - {name: Хтось, address: ї@b.example, subscriptions: [{}]}
more: 1
"""
    with pytest.raises(InvalidFile) as caught:
        read_outlets(text)
    errors = caught.value.errors
    for place in (
        "more:",
        "outlets[0].id:",
        "outlets[1].digest_hour:",
        "outlets[1].journalists[0].address:",
        "outlets[1].journalists[0].subscriptions[0].topics[0]:",
        "outlets[1].journalists[1].subscriptions:",
        "outlets[1].journalists[2].address:",
    ):
        assert [error for error in errors if error.startswith(place)], place
    assert all("\n" not in error for error in errors)


@pytest.mark.parametrize("text", ["", "[]", "outlets: 5", "outlets: [", '{"outlets": [}', "- a\n- b"])
def test_what_is_no_such_file_is_said_so(text: str) -> None:
    with pytest.raises(InvalidFile):
        read_outlets(text)


def test_an_address_stands_once() -> None:
    text = """
outlets:
  - {id: a, name: А, journalists: [{name: Х, address: x@a.example, subscriptions: [{}]}]}
  - {id: b, name: Б, journalists: [{name: Х, address: X@a.example, subscriptions: [{}]}]}
  - {id: a, name: В}
"""
    with pytest.raises(InvalidFile) as caught:
        read_outlets(text)
    assert caught.value.errors == (
        "b: X@a.example is already listed by a",
        "a: this id stands twice",
    )
