"""A mail server for tests that does as it is told, and counts what it took.

It runs on the test's own event loop. What it does is said by recipient: a list of steps, one for
each attempt, the last one for all further attempts; without a script it takes every mail.
"""

import asyncio
import email
import email.policy
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Literal, cast

from aiosmtpd.smtp import SMTP, Envelope, Session

Step = str | float
"""What to do: `take`, `cut before DATA`, `cut before the answer` or `cut after the answer`; an answer
to RCPT like `550 no such user`, or to DATA like `DATA 451 later`; seconds to wait before taking."""


@dataclass(frozen=True)
class Taken:
    """A mail that the server took, or would have if the connection hadn't been cut."""

    recipient: str
    sender: str
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        return email.message_from_bytes(self.raw, policy=email.policy.default)

    @property
    def message_id(self) -> str:
        return str(self.message["Message-ID"])

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    def part(self, kind: Literal["plain", "html"]) -> str:
        """The text of one of its two bodies."""
        body = self.message.get_body((kind,))
        assert body is not None
        return cast("str", cast("EmailMessage", body).get_content())


@dataclass
class MailServer:
    """The server, what it was told, and what it took."""

    taken: list[Taken] = field(default_factory=list)
    script: dict[str, list[Step]] = field(default_factory=dict)
    attempts: Counter[str] = field(default_factory=Counter)
    """RCPT commands by recipient."""
    connections: int = 0
    sender_answer: str | None = None
    """An answer to every MAIL FROM instead of taking it."""
    most_per_connection: int | None = None
    """Mails after which it says 421, as many servers do."""
    port: int = 0
    _server: asyncio.Server | None = None
    _open: set["_Dialogue"] = field(default_factory=set)

    def tell(self, recipient: str, *steps: Step) -> None:
        """What to do about this recipient, attempt by attempt."""
        self.script[recipient] = list(steps)

    def to(self, recipient: str) -> list[Taken]:
        return [mail for mail in self.taken if mail.recipient == recipient]

    def recipients(self) -> Counter[str]:
        """How many mails each recipient got."""
        return Counter(mail.recipient for mail in self.taken)

    def repeated(self) -> int:
        """How many mails came that had come before: same recipient, same Message-ID."""
        counted = Counter((mail.recipient, mail.message_id) for mail in self.taken)
        return sum(number - 1 for number in counted.values())

    def next_step(self, recipient: str) -> Step:
        steps = self.script.get(recipient, ["take"])
        return steps.pop(0) if len(steps) > 1 else steps[0]

    async def start(self) -> None:
        """Listen, on the same port as before if it did before."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Dialogue(self), "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Go away, and cut all connections."""
        assert self._server is not None
        self._server.close()
        for dialogue in list(self._open):
            dialogue.cut()
        await asyncio.sleep(0)
        self._server = None


class _Dialogue(SMTP):
    """One connection."""

    def __init__(self, server: MailServer) -> None:
        super().__init__(_Handler(server), enable_SMTPUTF8=False, ident="test", hostname="localhost")
        self._mail_server = server
        self.step: Step = "take"
        self.count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._mail_server.connections += 1
        self._mail_server._open.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._mail_server._open.discard(self)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802  # aiosmtpd's name
        if self.step == "cut before DATA":
            self.cut()
            return
        await super().smtp_DATA(arg)
        if self.step == "cut after the answer":
            self.cut()

    def cut(self) -> None:
        """Reset the connection."""
        if self.transport is not None:
            cast("asyncio.Transport", self.transport).abort()


class _Handler:
    def __init__(self, server: MailServer) -> None:
        self._server = server

    async def handle_MAIL(  # noqa: N802  # aiosmtpd's name
        self, server: _Dialogue, session: Session, envelope: Envelope, address: str, options: Sequence[str]
    ) -> str:
        most = self._server.most_per_connection
        if most is not None and server.count >= most:
            return "421 too many mails over one connection"
        if self._server.sender_answer is not None:
            return self._server.sender_answer
        envelope.mail_from = address
        return "250 ok"

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: _Dialogue, session: Session, envelope: Envelope, address: str, options: Sequence[str]
    ) -> str:
        self._server.attempts[address] += 1
        server.step = self._server.next_step(address)
        if isinstance(server.step, str) and server.step[:3].isdigit():
            return server.step
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(  # noqa: N802  # aiosmtpd's name
        self, server: _Dialogue, session: Session, envelope: Envelope
    ) -> str:
        step = server.step
        if isinstance(step, float | int):
            await asyncio.sleep(step)
        if isinstance(step, str) and step.startswith("DATA "):
            return step.removeprefix("DATA ")
        server.count += 1
        assert isinstance(envelope.content, bytes)
        self._server.taken.append(Taken(envelope.rcpt_tos[0], envelope.mail_from or "", envelope.content))
        if step == "cut before the answer":
            server.cut()
        return "250 taken"


@asynccontextmanager
async def mail_server(port: int = 0) -> AsyncIterator[MailServer]:
    """A server on this port, or a free one, for a test."""
    server = MailServer(port=port)
    await server.start()
    try:
        yield server
    finally:
        if server._server is not None:
            await server.stop()
