"""A few kept connections to the mail server, and what its answers mean."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from services.notifier.metrics import SMTP_CONNECTIONS
from services.notifier.settings import Settings

IDLE = 20.0
"""Seconds after which an unused connection is closed: servers close theirs soon after."""
_GO_AHEAD = 354
_CLOSING = 421
# 5xx to RCPT that speak of us, not of the recipient: syntax, sequence, login, TLS.
_OUR_FAULT = frozenset({500, 501, 502, 503, 504, 523, 530, 534, 535, 538})
_LEADING_DOT = re.compile(rb"(?m)^\.")


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
        """One transaction. Raises `_Lost` and `ServerTrouble`."""
        try:
            await self.client.mail(sender)
        except SMTPSenderRefused as error:
            if error.code == _CLOSING:
                raise _Lost(_line(error)) from error
            raise ServerTrouble(f"the sender is refused: {_line(error)}") from error
        except (SMTPException, OSError) as error:
            raise _Lost(_line(error)) from error
        try:
            await self.client.rcpt(recipient)
        except SMTPRecipientRefused as error:
            if error.code in _OUR_FAULT:
                raise ServerTrouble(f"mail is not taken from us: {_line(error)}") from error
            return await self._refusal(error.code, error.message)
        except (SMTPException, OSError) as error:
            raise _Lost(_line(error)) from error
        return await self._data(message)

    async def _data(self, message: bytes) -> Answer:
        """DATA in two steps, unlike aiosmtplib's own: what breaks before the second one is certain."""
        try:
            begun = await self.client.execute_command(b"DATA")
        except (SMTPException, OSError) as error:
            raise _Lost(_line(error)) from error
        if begun.code != _GO_AHEAD:
            return await self._refusal(begun.code, begun.message)
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
        if 200 <= done.code < 300:  # noqa: PLR2004  # the class of replies that says done
            return Answer(Verdict.SENT, done.code, done.message)
        return await self._refusal(done.code, done.message, transaction_over=True)

    async def _refusal(self, code: int, text: str, *, transaction_over: bool = False) -> Answer:
        if code == _CLOSING:
            self.client.close()
        elif not transaction_over:
            try:
                await self.client.rset()
            except (SMTPException, OSError):
                self.client.close()
        verdict = Verdict.REFUSED if 500 <= code < 600 else Verdict.DEFERRED  # noqa: PLR2004  # for good
        return Answer(verdict, code, text)


class SmtpPool:
    """At most so many connections as the settings say, opened when needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.smtp_connections)
        self._idle: list[_Connection] = []
        self._open = 0

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
        self._show()
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
            self._show()

    async def _connect(self) -> _Connection:
        settings = self._settings
        login = settings.smtp_user or None
        client = SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=login,
            password=settings.smtp_password.get_secret_value() if login else None,
            use_tls=settings.smtp_tls,
            start_tls=settings.smtp_starttls,
            timeout=settings.smtp_timeout,
            local_hostname=socket.gethostname(),
        )
        try:
            await client.connect()
        except (SMTPException, OSError, ValueError) as error:
            client.close()
            raise ServerTrouble(_line(error)) from error
        self._open += 1
        return _Connection(client)

    def _closed(self) -> None:
        self._open -= 1

    def _show(self) -> None:
        SMTP_CONNECTIONS.labels("idle").set(len(self._idle))
        SMTP_CONNECTIONS.labels("busy").set(self._open - len(self._idle))

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
        self._show()


class _Stale(Exception):
    """A kept connection turned out to be closed before the mail was handed over."""


def _stuffed(message: bytes) -> bytes:
    """Dots doubled at the beginning of lines and the end marked, as DATA wants it (RFC 5321, 4.5.2)."""
    end = b"" if message.endswith(b"\r\n") else b"\r\n"
    return _LEADING_DOT.sub(b"..", message) + end + b".\r\n"


def _line(error: Exception) -> str:
    """The error on one line."""
    if isinstance(error, SMTPResponseException):
        return f"{error.code} {' '.join(error.message.split())}"[:300]
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
