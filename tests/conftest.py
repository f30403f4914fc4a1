"""Fixtures that every folder of tests uses: real servers, and names of one's own on them.

One RabbitMQ and one MongoDB serve the whole session; a test finds databases
dropped and queues emptied. Tests that kill a server start their own.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.mongo import Mongo
from shared.settings import SharedSettings
from tests.rabbit import empty_queues
from tests.servers import start_mongo, start_rabbit


@pytest.fixture(scope="session")
def amqp_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A private RabbitMQ node for the session, or the one that AMQP_URL names."""
    node = start_rabbit(tmp_path_factory.mktemp("rabbitmq"))
    yield node.url
    node.stop()


@pytest.fixture(scope="session")
def mongo_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A private one-node replica set for the session, or the one that MONGO_URL names."""
    node = start_mongo(tmp_path_factory.mktemp("mongo"))
    yield node.url
    node.stop()


@pytest.fixture
async def shared_settings(amqp_url: str, mongo_url: str) -> SharedSettings:
    """Settings of a run of its own: queues emptied, a short ladder."""
    settings = SharedSettings(
        amqp_url=SecretStr(amqp_url), mongo_url=SecretStr(mongo_url), retry_ladder=(0.1, 0.3)
    )
    await empty_queues(settings)
    return settings


@pytest.fixture
async def clean_databases(mongo_url: str) -> None:
    """Drop what earlier tests left in the services' databases."""
    await drop_databases(mongo_url)


async def drop_databases(mongo_url: str) -> None:
    """Leave nothing of what the services stored."""
    for name in ("ingest", "archive", "publisher", "notifier", "media"):
        mongo = Mongo(mongo_url, name)
        await mongo.database.client.drop_database(name)
        mongo.close()


@pytest.fixture
async def mongo(mongo_url: str, clean_databases: None) -> AsyncIterator[Mongo]:
    """A database of the test's own."""
    store = Mongo(mongo_url, "test")
    await store.database.client.drop_database("test")
    yield store
    store.close()


@pytest.fixture
def site_root(tmp_path: Path) -> Path:
    """An empty folder to write the site into."""
    root = tmp_path / "site"
    root.mkdir()
    return root
