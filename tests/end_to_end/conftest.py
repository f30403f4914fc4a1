"""A running city: all four services as processes, real servers, a mail server that keeps what it gets."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from deploy.local.ports import free_port
from shared.settings import SharedSettings
from tests.city import SERVICES, City
from tests.conftest import drop_databases
from tests.rabbit import empty_queues
from tests.smtp import MailServer, mail_server

OUTLETS = """
outlets:
  - id: luchanka
    name: Газета «Лучанка»
    digest_hour: "17:00"
    journalists:
      - name: Олена Ткачук
        address: olena@luchanka.example
        accredited: true
        subscriptions: [{mode: immediate}]
      - name: Ігор Бойко
        address: ihor@luchanka.example
        subscriptions: [{kinds: [event], mode: immediate}]
  - id: avers
    name: ТРК «Аверс»
    digest_hour: "18:00"
    journalists:
      - name: Марія Гнатюк
        address: maria@avers.example
        subscriptions: [{topics: [transport], mode: immediate}]
      - name: Степан Кравчук
        address: stepan@avers.example
        subscriptions: [{mode: digest}]
"""


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory, amqp_url: str, mongo_url: str) -> Iterator[City]:
    """A city on emptied servers, whose mail goes to a port that each test listens on."""
    city = City(tmp_path_factory.mktemp("city"), amqp_url, mongo_url, free_port())
    settings = SharedSettings.model_validate(
        {"amqp_url": amqp_url, "mongo_url": mongo_url, "retry_ladder": city.retry_ladder}
    )
    asyncio.run(empty_queues(settings))
    asyncio.run(drop_databases(mongo_url))
    city.found(OUTLETS)
    city.start(*SERVICES)
    yield city
    city.stop()


@pytest.fixture
async def smtp(founded: City) -> AsyncIterator[MailServer]:
    """A mail server that takes everything unless told otherwise."""
    async with mail_server(founded.smtp_port) as server:
        yield server


@pytest.fixture
async def city(founded: City, smtp: MailServer) -> City:
    """The city, ready."""
    await founded.ready()
    return founded
