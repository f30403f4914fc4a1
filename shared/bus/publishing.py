"""Publishing: persistent, mandatory, confirmed, within a deadline."""

import asyncio
from collections.abc import Mapping
from datetime import datetime

from aio_pika.exceptions import AMQPError, ChannelInvalidStateError, PublishError
from faststream.exceptions import FastStreamException
from faststream.rabbit import RabbitBroker, RabbitExchange

DEADLINE = 8.0
"""Seconds for a confirm. Below three heartbeats of 10 s, after which a dead connection is noticed."""

HeaderValue = str | int | datetime


class BusUnavailable(Exception):
    """The broker did not confirm: the message may or may not be in its queues. Send it again."""


class Unroutable(BusUnavailable):
    """No queue takes the message: the topology isn't there (yet)."""


async def publish(
    broker: RabbitBroker,
    body: bytes,
    *,
    routing_key: str,
    content_type: str,
    message_id: str,
    exchange: RabbitExchange | None = None,
    headers: Mapping[str, HeaderValue] | None = None,
) -> None:
    """Return when every queue that takes the message has it on disk.

    `exchange=None` is the default exchange, where the routing key is a queue's name.
    Raises `BusUnavailable`, or `Unroutable` where no queue takes it.
    """
    try:
        # FastStream 0.7.8 ignores its own timeout argument, hence this one.
        async with asyncio.timeout(DEADLINE):
            await broker.publish(
                body,
                exchange=exchange,
                routing_key=routing_key,
                mandatory=True,
                persist=True,
                content_type=content_type,
                message_id=message_id,
                # Without one FastStream makes up a UUID, here and again at every consumer.
                correlation_id=message_id,
                headers=dict(headers or {}),
            )
    except TimeoutError as error:
        raise BusUnavailable(f"no confirm within {DEADLINE:g} s") from error
    except asyncio.CancelledError as error:
        # A connection that stopped answering ends its publishes with this, though nobody cancelled us.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise BusUnavailable("the connection was lost") from error
    except PublishError as error:
        raise Unroutable(f"no queue takes {routing_key}") from error
    except (AMQPError, ChannelInvalidStateError, FastStreamException, OSError) as error:
        raise BusUnavailable(f"{type(error).__name__}: {error}") from error
