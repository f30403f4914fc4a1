"""What DATA needs of a message: dots doubled at the beginning of lines, the end marked (RFC 5321, 4.5.2)."""

import pytest

from services.notifier.smtp import _stuffed


@pytest.mark.parametrize(
    ("message", "on_the_wire"),
    [
        (b"a\r\nb\r\n", b"a\r\nb\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b".a\r\n", b"..a\r\n.\r\n"),
        (b"a\r\n.b\r\n", b"a\r\n..b\r\n.\r\n"),
        (b"a\r\n.\r\n.\r\nb\r\n", b"a\r\n..\r\n..\r\nb\r\n.\r\n"),
        (b"..\r\n", b"...\r\n.\r\n"),
        (b"a.\r\nb.c\r\n", b"a.\r\nb.c\r\n.\r\n"),
    ],
)
def test_no_line_of_a_message_ends_it(message: bytes, on_the_wire: bytes) -> None:
    assert _stuffed(message) == on_the_wire
