"""A few kept connections to the mail server, and what its answers mean.

An answer that never came leaves a mail in doubt. SMTP lets nobody look it up and has the sender try
again (RFC 5321, 4.5.4.1); the same Message-ID lets the recipient's side drop the second one.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

from aiosmtplib import SMTP, SMTPException, SMTPResponse, SMTPResponseException, SMTPStatus

from services.notifier.metrics import SMTP_CONNECTIONS
from services.notifier.settings import Settings
from shared.smtp import connect

IDLE = 20.0
"""Seconds after which an unused connection is closed: servers close theirs soon after."""
_CLOSING = 421
# 5xx to RCPT that speak of us, not of the recipient: syntax, sequence, login, TLS.
_OUR_FAULT = frozenset({500, 501, 502, 503, 504, 523, 530, 534, 535, 538})


class Verdict(StrEnum):
    """What an answer means for one mail."""

    SENT = "sent"
    REFUSED = "refused"
    DEFERRED = "deferred"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one mail. `uncertain`: the connection broke where the server may have taken it."""

    verdict: Verdict
    code: int | None
    text: str
    uncertain: bool = False


class ServerTrouble(Exception):
    """The server can't be used now, whoever the recipient is; one line for a person."""


class _Lost(Exception):
    """The connection broke; `uncertain` where the server may have taken the mail before."""

    def __init__(self, reason: str, *, uncertain: bool = False) -> None:
        super().__init__(reason)
        self.uncertain = uncertain


class _Connection:
    """One connection, and whether a mail was sent over it before."""

    def __init__(self, client: SMTP) -> None:
        self.client = client
        self.used = False
        self.idle_since = 0.0

    async def send(self, sender: str, recipient: str, message: bytes) -> Answer:
        """One transaction. Raises `_Lost` and `ServerTrouble`.

        By the commands themselves: the library's methods for them parse each address anew, which takes
        longer than all else that is done for a mail. It still refuses control characters.
        """
        begun = await self._command(b"MAIL", b"FROM:<%s>" % sender.encode("ascii"))
        if begun.code == _CLOSING:
            raise _Lost(_said(begun))
        if begun.code != SMTPStatus.completed:
            raise ServerTrouble(f"the sender is refused: {_said(begun)}")
        taken = await self._command(b"RCPT", b"TO:<%s>" % recipient.encode("ascii"))
        if taken.code in _OUR_FAULT:
            raise ServerTrouble(f"mail is not taken from us: {_said(taken)}")
        if taken.code not in (SMTPStatus.completed, SMTPStatus.will_forward):
            return await self._refusal(taken)
        return await self._data(message)

    async def _command(self, *words: bytes) -> SMTPResponse:
        try:
            return await self.client.execute_command(*words)
        except (SMTPException, OSError) as error:
            raise _Lost(_line(error)) from error

    async def _data(self, message: bytes) -> Answer:
        """DATA in two steps, unlike aiosmtplib's own: what breaks before the second one is certain."""
        begun = await self._command(b"DATA")
        if begun.code != SMTPStatus.start_input:
            return await self._refusal(begun)
        protocol = self.client.protocol
        if protocol is None:
            raise _Lost("the connection was closed")
        try:
            protocol.write(_stuffed(message))
        except (SMTPException, OSError) as error:
            raise _Lost(_line(error)) from error
        try:
            done = await protocol.read_response(timeout=self.client.timeout)
        except (SMTPException, OSError) as error:
            raise _Lost(_line(error), uncertain=True) from error
        if done.code == SMTPStatus.completed:
            return Answer(Verdict.SENT, done.code, done.message)
        return await self._refusal(done, transaction_over=True)

    async def _refusal(self, answer: SMTPResponse, *, transaction_over: bool = False) -> Answer:
        if answer.code == _CLOSING:
            self.client.close()
        elif not transaction_over:
            try:
                await self.client.rset()
            except (SMTPException, OSError):
                self.client.close()
        lasting = 500 <= answer.code < 600  # noqa: PLR2004  # the class of replies that are for good
        verdict = Verdict.REFUSED if lasting else Verdict.DEFERRED
        return Answer(verdict, answer.code, answer.message)


class SmtpPool:
    """At most so many connections as the settings say, opened when needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.smtp_connections)
        self._idle: list[_Connection] = []
        self._open = 0
        SMTP_CONNECTIONS.labels("idle").set_function(lambda: len(self._idle))
        SMTP_CONNECTIONS.labels("busy").set_function(lambda: self._open - len(self._idle))

    async def send(self, recipient: str, message: bytes) -> Answer:
        """Hand over one mail, whose lines end with CRLF.

        Raises `ServerTrouble` where no mail to anybody would be taken now.
        """
        async with self._slots:
            try:
                return await self._over(self._take(), recipient, message)
            except _Stale:
                # The server closed a connection that lay idle: that is no failure of this mail.
                return await self._over(None, recipient, message)

    async def _over(self, kept: _Connection | None, recipient: str, message: bytes) -> Answer:
        async with self._connection(kept) as connection:
            try:
                answer = await connection.send(self._settings.sender, recipient, message)
            except _Lost as lost:
                connection.client.close()
                if connection.used and not lost.uncertain:
                    raise _Stale from lost
                return Answer(Verdict.DEFERRED, None, str(lost), uncertain=lost.uncertain)
            connection.used = True
            return answer

    def _take(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.client.is_connected:
                return connection
            self._closed()
        return None

    @asynccontextmanager
    async def _connection(self, kept: _Connection | None) -> AsyncIterator[_Connection]:
        connection = kept or await self._connect()
        try:
            yield connection
        except BaseException:
            # Also when cancelled: nobody knows where in its dialogue the connection is.
            connection.client.close()
            raise
        finally:
            if connection.client.is_connected:
                connection.idle_since = asyncio.get_running_loop().time()
                self._idle.append(connection)
            else:
                self._closed()

    async def _connect(self) -> _Connection:
        try:
            client = await connect(self._settings)
        except (SMTPException, OSError, ValueError) as error:
            raise ServerTrouble(_line(error)) from error
        self._open += 1
        return _Connection(client)

    def _closed(self) -> None:
        self._open -= 1

    async def close_idle(self, longer_than: float = IDLE) -> None:
        """Say goodbye on connections that nobody used for so many seconds."""
        before = asyncio.get_running_loop().time() - longer_than
        old = [one for one in self._idle if one.idle_since <= before]
        self._idle = [one for one in self._idle if one.idle_since > before]
        for connection in old:
            try:
                await connection.client.quit(timeout=2)
            except (SMTPException, OSError):
                connection.client.close()
            self._closed()


class _Stale(Exception):
    """A kept connection turned out to be closed before the mail was handed over."""


def _stuffed(message: bytes) -> bytes:
    """Dots doubled at the beginning of lines and the end marked, as DATA wants it (RFC 5321, 4.5.2)."""
    end = b"" if message.endswith(b"\r\n") else b"\r\n"
    # Nine times as fast as a regular expression: this runs over every byte that is mailed.
    return (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:] + end + b".\r\n"


def _said(answer: SMTPResponse) -> str:
    """The answer on one line."""
    return f"{answer.code} {' '.join(answer.message.split())}"[:300]


def _line(error: Exception) -> str:
    """The error on one line."""
    if isinstance(error, SMTPResponseException):
        return _said(SMTPResponse(error.code, error.message))
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
