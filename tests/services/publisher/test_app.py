"""The service as it is started: health, metrics, commands."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from deploy.local.ports import free_port
from services.publisher.settings import PublisherSettings
from tests.samples import fact, publication
from tests.services.publisher.conftest import SITE_URL, Desk
from tests.waiting import eventually


def environment(settings: PublisherSettings, root: Path) -> dict[str, str]:
    return os.environ | {
        "AMQP_URL": settings.amqp_url.get_secret_value(),
        "MONGO_URL": settings.mongo_url.get_secret_value(),
        "RETRY_LADDER": ",".join(map(str, settings.retry_ladder)),
        "SITE_URL": SITE_URL,
        "SITE_ROOT": str(root),
        "SITE_NAME": "Луцька міська рада",
    }


@asynccontextmanager
async def served(
    settings: PublisherSettings, root: Path
) -> AsyncIterator[tuple[asyncio.subprocess.Process, httpx.AsyncClient]]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.publisher",
        env=environment(settings, root) | {"PUBLISHER_PORT": str(port)},
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            yield process, client
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def command(settings: PublisherSettings, root: Path, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.publisher",
        *arguments,
        env=environment(settings, root),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def test_it_is_ready_when_bus_store_and_channels_are_and_ends_on_sigterm(
    publisher_settings: PublisherSettings, desk: Desk, site_root: Path
) -> None:
    async with served(publisher_settings, site_root) as (process, client):

        async def ready() -> bool:
            try:
                return (await client.get("/health/ready")).text == '{"status":"ready","ailing":{}}'
            except httpx.TransportError:
                return False

        await eventually(ready)
        event = fact(publication())
        await desk.emit(event)
        await desk.report_of(event)
        metrics = (await client.get("/metrics")).text
        assert 'visnyk_delivered_total{outcome="published",target="site"} 1.0' in metrics
        assert 'visnyk_end_to_end_seconds_count{target="site"} 1.0' in metrics
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) in (0, -signal.SIGTERM)


async def test_a_database_that_is_away_makes_it_live_but_not_ready(
    publisher_settings: PublisherSettings, site_root: Path
) -> None:
    away = publisher_settings.model_copy(
        update={"mongo_url": type(publisher_settings.mongo_url)(f"mongodb://127.0.0.1:{free_port()}/")}
    )
    async with served(away, site_root) as (_, client):

        async def live() -> bool:
            try:
                return (await client.get("/health/live")).status_code == 200
            except httpx.TransportError:
                return False

        await eventually(live)
        answer = await client.get("/health/ready", timeout=20)
        assert answer.status_code == 503
        assert {"mongo", "channel site"} <= set(answer.json()["ailing"])


async def test_the_site_is_rebuilt_by_a_command(
    publisher_settings: PublisherSettings, site_root: Path
) -> None:
    code, out = await command(publisher_settings, site_root, "site", "rebuild")
    assert code == 0
    assert "pages: 0, files written:" in out
    assert (site_root / "index.html").exists()
    code, out = await command(publisher_settings, site_root, "site", "rebuild")
    assert out.strip() == "pages: 0, files written: 0"


async def test_nothing_in_doubt_is_an_empty_list(
    publisher_settings: PublisherSettings, site_root: Path
) -> None:
    assert await command(publisher_settings, site_root, "unconfirmed", "list") == (0, "")
    some_id = "0199d2b0-0000-7000-8000-000000000000"
    code, out = await command(publisher_settings, site_root, "unconfirmed", "again", "site", some_id)
    assert code == 1
    assert "no such call" in out
