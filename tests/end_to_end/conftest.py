"""A running city: all four services as processes, real servers, a mail server that keeps what it gets."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.settings import SharedSettings
from tests.city import SERVICES, City
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


@pytest.fixture
async def smtp() -> AsyncIterator[MailServer]:
    """A mail server that takes everything unless told otherwise."""
    async with mail_server() as server:
        yield server


@pytest.fixture
async def city(
    tmp_path: Path, shared_settings: SharedSettings, clean_databases: None, smtp: MailServer
) -> AsyncIterator[City]:
    """Founded, started, ready."""
    city = City(
        tmp_path,
        shared_settings.amqp_url.get_secret_value(),
        shared_settings.mongo_url.get_secret_value(),
        smtp.port,
    )
    await asyncio.to_thread(city.found, OUTLETS)
    city.start(*SERVICES)
    await city.ready()
    yield city
    await asyncio.to_thread(city.stop)
