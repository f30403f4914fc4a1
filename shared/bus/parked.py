"""The command `parked`: messages that wait for a person, listed, shown, sent again, dropped.

python -m shared.bus.parked list [--queue Q]
python -m shared.bus.parked show ID
python -m shared.bus.parked retry (ID... | --queue Q | --all)
python -m shared.bus.parked drop (ID... | --queue Q | --all)
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

import aio_pika
import typer
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError, ChannelNotFoundEntity

from shared.bus.consuming import ATTEMPT, PARKED_AT, REASON
from shared.bus.topology import parked_name, queues
from shared.settings import SharedSettings


@dataclass(frozen=True)
class Parked:
    """One parked message, as a person needs to see it."""

    id: str
    queue: str
    subject: str
    reason: str
    attempts: int
    parked_at: str
    body: bytes

    @classmethod
    def of(cls, message: AbstractIncomingMessage, queue: str) -> "Parked":
        headers = message.headers
        return cls(
            id=message.message_id or "",
            queue=queue,
            subject=_subject(message.body),
            reason=str(headers.get(REASON) or _reason_of_broker(message)),
            attempts=_number(headers.get(ATTEMPT)),
            parked_at=str(headers.get(PARKED_AT, "")),
            body=message.body,
        )


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _reason_of_broker(message: AbstractIncomingMessage) -> str:
    """Why RabbitMQ itself dead-lettered a message: its reader died on it again and again."""
    reason = message.headers.get("x-first-death-reason")
    return f"dead-lettered by the broker: {reason if isinstance(reason, str) else 'unknown'}"


def _subject(body: bytes) -> str:
    try:
        envelope = json.loads(body)
    except ValueError:
        return ""
    return str(envelope.get("subject", "")) if isinstance(envelope, dict) else ""


class ParkedMessages:
    """What is parked on a broker.

    Messages are taken without acknowledgement, and go back by themselves unless they were settled.
    """

    def __init__(self, url: str, names: Sequence[str]) -> None:
        self._url = url
        self._names = names

    @asynccontextmanager
    async def _channel(self) -> AsyncIterator[AbstractChannel]:
        connection = await aio_pika.connect(self._url)
        async with connection, connection.channel(on_return_raises=True) as channel:
            yield channel

    async def list(self, queue: str | None = None) -> list[Parked]:
        """All that is parked, of one queue or of every one, oldest first."""
        found: list[Parked] = []

        async def look(_: AbstractChannel, parked: Parked, __: AbstractIncomingMessage) -> None:
            found.append(parked)

        await self._each(look, ids=None, queue=queue)
        return found

    async def retry(self, ids: Sequence[str] | None = None, queue: str | None = None) -> int:
        """Send messages back to the queue they left, with a fresh ladder; return how many."""

        async def send(channel: AbstractChannel, parked: Parked, message: AbstractIncomingMessage) -> None:
            copy = aio_pika.Message(
                parked.body,
                message_id=message.message_id,
                content_type=message.content_type,
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            )
            await channel.default_exchange.publish(copy, routing_key=parked.queue, mandatory=True)
            await message.ack()

        return await self._each(send, ids=ids, queue=queue)

    async def drop(self, ids: Sequence[str] | None = None, queue: str | None = None) -> int:
        """Delete messages for good; return how many."""

        async def delete(_: AbstractChannel, __: Parked, message: AbstractIncomingMessage) -> None:
            await message.ack()

        return await self._each(delete, ids=ids, queue=queue)

    async def _each(
        self,
        act: Callable[[AbstractChannel, Parked, AbstractIncomingMessage], Awaitable[None]],
        *,
        ids: Sequence[str] | None,
        queue: str | None,
    ) -> int:
        acted = 0
        for name in self._names:
            if queue is not None and name != queue:
                continue
            async with self._channel() as channel:
                try:
                    parked_queue = await channel.get_queue(parked_name(name))
                except ChannelNotFoundEntity:
                    continue
                # Untouched messages stay unacknowledged until the channel closes: each is seen once.
                while (message := await parked_queue.get(fail=False)) is not None:
                    parked = Parked.of(message, name)
                    if ids is None or parked.id in ids:
                        await act(channel, parked, message)
                        acted += 1
        return acted


app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
Ids = Annotated[list[str] | None, typer.Argument(help="Ids, as `list` shows them.")]
Queue = Annotated[str | None, typer.Option("--queue", help="Only this queue: `publisher.site`.")]
All = Annotated[bool, typer.Option("--all", help="Everything that is parked.")]


def _messages(queue: str | None) -> ParkedMessages:
    settings = SharedSettings()
    names = [known.name for known in queues(settings.channels)]
    if queue is not None and queue not in names:
        raise typer.BadParameter(f"no queue {queue}; there are: {', '.join(names)}")
    return ParkedMessages(settings.amqp_url.get_secret_value(), names)


def _settle(
    act: Callable[[Sequence[str] | None, str | None], Awaitable[int]],
    ids: list[str] | None,
    queue: str | None,
    everything: bool,
) -> int:
    if sum((bool(ids), queue is not None, everything)) != 1:
        raise typer.BadParameter("name ids, or --queue, or --all")
    return _run(act(ids or None, queue))


def _run(work: Awaitable[int]) -> int:
    async def run() -> int:
        return await work

    try:
        return asyncio.run(run())
    except (AMQPError, OSError) as error:
        typer.echo(f"parked: the broker does not answer: {error}", err=True)
        raise typer.Exit(1) from None


@app.command("list")
def list_(queue: Queue = None) -> None:
    """A line a message: id, queue, publication, attempts, when, why."""
    messages = _messages(queue)

    async def show_all() -> int:
        found = await messages.list(queue)
        for parked in found:
            row = (
                parked.id,
                parked.queue,
                parked.subject or "-",
                str(parked.attempts),
                parked.parked_at or "-",
            )
            typer.echo("  ".join((*row, parked.reason.splitlines()[0][:200])))
        return len(found)

    if _run(show_all()) == 0:
        typer.echo("nothing is parked")


@app.command()
def show(id: str) -> None:
    """One message, whole."""
    messages = _messages(None)

    async def show_one() -> int:
        found = [parked for parked in await messages.list() if parked.id == id]
        for parked in found:
            typer.echo(f"queue: {parked.queue}\nattempts: {parked.attempts}\nparked at: {parked.parked_at}")
            typer.echo(f"reason: {parked.reason}\n")
            typer.echo(parked.body.decode(errors="replace"))
        return len(found)

    if _run(show_one()) == 0:
        typer.echo(f"parked: no message {id}", err=True)
        raise typer.Exit(1)


@app.command()
def retry(ids: Ids = None, queue: Queue = None, everything: All = False) -> None:
    """Send messages back to the queue they left."""
    messages = _messages(queue)
    typer.echo(f"sent again: {_settle(messages.retry, ids, queue, everything)}")


@app.command()
def drop(ids: Ids = None, queue: Queue = None, everything: All = False) -> None:
    """Delete messages for good."""
    messages = _messages(queue)
    typer.echo(f"dropped: {_settle(messages.drop, ids, queue, everything)}")


if __name__ == "__main__":
    app()
