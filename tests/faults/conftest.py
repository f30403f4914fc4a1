"""A city on servers of its own, which a test may kill."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest

from deploy.local.ports import free_port
from deploy.local.servers import MongoNode, RabbitNode
from shared.bus.topology import parked_name, queues, wait_name
from tests.city import City
from tests.smtp import MailServer, mail_server
from tests.waiting import eventually

OUTLETS = """
outlets:
  - id: desk
    name: Стрічка новин
    digest_hour: "17:00"
    journalists:
      - {name: Перша, address: first@news.example, subscriptions: [{mode: immediate}]}
      - {name: Друга, address: second@news.example, subscriptions: [{topics: [transport], mode: immediate}]}
      - {name: Третя, address: third@news.example, subscriptions: [{kinds: [news], mode: immediate}]}
"""
RECIPIENTS = ("first@news.example", "second@news.example", "third@news.example")

SOAK = bool(os.environ.get("SOAK"))
"""Longer runs of the same tests."""


@pytest.fixture(scope="package")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitNode]:
    """A broker that these tests may kill."""
    node = RabbitNode(tmp_path_factory.mktemp("rabbitmq"))
    node.start()
    yield node
    node.stop()


@pytest.fixture(scope="package")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoNode]:
    """A database that these tests may kill."""
    node = MongoNode(tmp_path_factory.mktemp("mongodb"))
    node.start()
    yield node
    node.stop()


@pytest.fixture(scope="package")
def founded(
    tmp_path_factory: pytest.TempPathFactory, rabbit: RabbitNode, mongod: MongoNode
) -> Iterator[City]:
    """A city with its department and outlets, whose mail goes to a port that each test listens on."""
    city = City(tmp_path_factory.mktemp("city"), rabbit.url, mongod.url, free_port())
    city.found(OUTLETS)
    yield city
    city.stop()


@pytest.fixture
async def smtp(founded: City) -> AsyncIterator[MailServer]:
    """A mail server that takes everything unless told otherwise."""
    async with mail_server(founded.smtp_port) as server:
        yield server


@pytest.fixture
async def city(founded: City, rabbit: RabbitNode, mongod: MongoNode, smtp: MailServer) -> City:
    """The city with everything up, whatever the test before has left."""
    for node in (rabbit, mongod):
        if not node.running():
            await asyncio.to_thread(node.start)
    founded.start(*founded.missing())
    await founded.ready()
    await eventually(partial(registered, rabbit, founded))
    return founded


async def registered(rabbit: RabbitNode, city: City) -> bool:
    """Whether the registration of every queue is on disk.

    RabbitMQ 3.10 writes it up to a second after the declaration was confirmed; a queue whose node is
    killed before that never gets a leader again.
    """
    on_disk = b"".join(file.read_bytes() for file in rabbit.folder.glob("data/**/names.dets"))
    consumed = [queue.name for queue in queues(["site"])]
    waiting = [wait_name(float(delay)) for delay in city.retry_ladder.split(",")]
    names = (*consumed, *map(parked_name, consumed), *waiting)
    return all(re.search(rb"(?<!parked\.)" + re.escape(name.encode()), on_disk) for name in names)
