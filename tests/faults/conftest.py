"""A city on servers of its own, which a test may kill."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

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


@pytest.fixture
def rabbit(tmp_path: Path) -> Iterator[RabbitNode]:
    """A broker of the test's own."""
    node = RabbitNode(tmp_path / "rabbitmq")
    node.start()
    yield node
    node.stop()


@pytest.fixture
def mongod(tmp_path: Path) -> Iterator[MongoNode]:
    """A database of the test's own."""
    node = MongoNode(tmp_path / "mongodb")
    node.start()
    yield node
    node.stop()


@pytest.fixture
async def smtp() -> AsyncIterator[MailServer]:
    """A mail server that takes everything unless told otherwise."""
    async with mail_server() as server:
        yield server


@pytest.fixture
async def city(
    tmp_path: Path, rabbit: RabbitNode, mongod: MongoNode, smtp: MailServer
) -> AsyncIterator[City]:
    """Founded, started, ready, and nobody else's."""
    city = City(tmp_path, rabbit.url, mongod.url, smtp.port)
    await asyncio.to_thread(city.found, OUTLETS)
    city.start()
    await city.ready()
    yield city
    await asyncio.to_thread(city.stop)
