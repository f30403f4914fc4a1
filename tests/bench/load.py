"""Requests over kept connections, from a client so small that it hardly takes part in what is measured.

A general HTTP client spends more on a request than the service that answers it, on the same two cores.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Self, cast
from uuid import uuid4

from tests.bench.measuring import Failed

ACCEPTED = 202


@dataclass(frozen=True)
class Answered:
    """One answer: when its request was begun, when it was whole (both `perf_counter`), and its body."""

    begun: float
    ended: float
    body: bytes


class Connection(asyncio.Protocol):
    """One kept connection, one request at a time; answers must give their length."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0 or self._answer is None:
            return
        length = next(
            int(line[15:])
            for line in bytes(self._received[:end]).lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        )
        if len(self._received) >= end + 4 + length:
            status, body = int(self._received[9:12]), bytes(self._received[end + 4 :])
            self._received.clear()
            if status == ACCEPTED:
                self._answer.set_result(body)
            else:
                self._answer.set_exception(Failed(f"answered {status}: {body.decode()[:200]}"))
            self._answer = None

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Failed(f"the connection was lost: {error}"))

    async def send(self, request: bytes) -> Answered:
        """Raise `Failed` unless the answer is 202."""
        if self._transport is None or self._transport.is_closing():
            raise Failed("the connection was closed")
        self._answer = asyncio.get_running_loop().create_future()
        answer = self._answer
        begun = perf_counter()
        self._transport.write(request)
        body = await answer
        return Answered(begun, perf_counter(), body)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Client:
    """A number of kept connections to one service, opened anew by each `async with`."""

    def __init__(self, port: int, *, key: str = "", connections: int) -> None:
        self._port = port
        self._authorization = f"Authorization: Bearer {key}\r\n" if key else ""
        self._count = connections
        self._connections: list[Connection] = []

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for _ in range(self._count):
            _, connection = await loop.create_connection(Connection, "127.0.0.1", self._port)
            self._connections.append(connection)
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    def requests(self, bodies: Sequence[bytes]) -> list[bytes]:
        """Submissions ready to be sent, each with an Idempotency-Key of its own."""
        return [
            (
                "POST /v1/publications HTTP/1.1\r\n"
                f"Host: 127.0.0.1:{self._port}\r\n"
                f"{self._authorization}"
                "Content-Type: application/json\r\n"
                f"Idempotency-Key: {uuid4()}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            ).encode()
            + body
            for body in bodies
        ]

    async def send_all(self, requests: Sequence[bytes]) -> list[Answered]:
        """Send them as fast as they are answered, one under way on each connection."""
        waiting = iter(requests)

        async def one(connection: Connection) -> list[Answered]:
            return [await connection.send(request) for request in waiting]

        answers = await asyncio.gather(*(one(connection) for connection in self._connections))
        return [answer for some in answers for answer in some]

    async def send_evenly(self, requests: Sequence[bytes], *, per_second: float) -> list[Answered]:
        """Send them at a steady pace, in their order, however long the answers take."""
        idle: asyncio.Queue[Connection] = asyncio.Queue()
        for connection in self._connections:
            idle.put_nowait(connection)
        loop = asyncio.get_running_loop()
        start = loop.time()

        async def one(number: int, request: bytes) -> Answered:
            await asyncio.sleep(start + number / per_second - loop.time())
            connection = await idle.get()
            answered = await connection.send(request)
            idle.put_nowait(connection)
            return answered

        return await asyncio.gather(*(one(*numbered) for numbered in enumerate(requests)))
