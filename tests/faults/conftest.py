"""A city on servers of its own, which a test may kill."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator

import pytest

from deploy.local.ports import free_port
from deploy.local.servers import MongoNode, RabbitNode
from tests.city import City
from tests.smtp import MailServer, mail_server

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
    return founded
