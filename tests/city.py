"""The whole system as processes on this machine: what the end-to-end and fault tests run against.

Each service is a subprocess of its own, started as in production (`python -m services.<name>`), so that
it can be killed like one.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from deploy.local.ports import free_port
from tests.waiting import eventually

ROOT = Path(__file__).parents[1]
SERVICES = ("ingest", "archive", "publisher", "notifier")


@dataclass
class City:
    """Four services on given servers, with a sample department and its key."""

    folder: Path
    amqp_url: str
    mongo_url: str
    smtp_port: int
    retry_ladder: str = "0.5,1,2,5,10"
    more: dict[str, str] = field(default_factory=dict)
    """Further settings, as environment variables."""
    ports: dict[str, int] = field(default_factory=dict)
    key: str = ""
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.site.mkdir(parents=True, exist_ok=True)
        for service in SERVICES:
            self.ports.setdefault(service, free_port())

    @property
    def site(self) -> Path:
        """The folder that the site channel writes."""
        return self.folder / "site"

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    def environment(self) -> dict[str, str]:
        """What every process of this city is started with."""
        return {
            **{k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "TMPDIR")},
            "PYTHONUNBUFFERED": "1",
            "AMQP_URL": self.amqp_url,
            "MONGO_URL": self.mongo_url,
            "RETRY_LADDER": self.retry_ladder,
            "CHANNELS": "site",
            "ARCHIVE_URL": self.url("archive"),
            "SITE_URL": "http://127.0.0.1:1",
            "SITE_ROOT": str(self.site),
            "NOTIFIER_URL": self.url("notifier"),
            "PUBLISHER_URL": self.url("publisher"),
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(self.smtp_port),
            "INGEST_RATE_LIMIT": "100000/minute",
            "ARCHIVE_OPERATOR_KEY": "operator",
            **{f"{service.upper()}_HOST": "127.0.0.1" for service in SERVICES},
            **{f"{service.upper()}_PORT": str(self.ports[service]) for service in SERVICES},
            **self.more,
        }

    def command(self, *arguments: str, ok: bool = True) -> str:
        """Run `python -m …` as an operator would; return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert not ok or done.returncode == 0, done.stderr
        return done.stdout

    def missing(self) -> list[str]:
        """Services that don't run."""
        running = {name for name, process in self._processes.items() if process.poll() is None}
        return [service for service in SERVICES if service not in running]

    def start(self, *services: str) -> None:
        """Start these services."""
        for service in services:
            log = (self.folder / f"{service}.log").open("ab")
            self._processes[service] = subprocess.Popen(
                [sys.executable, "-m", f"services.{service}"],
                cwd=ROOT,
                env=self.environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            log.close()

    def kill(self, service: str) -> None:
        """End it as a crash would: SIGKILL."""
        self._end(service, signal.SIGKILL)

    def stop(self) -> None:
        """End all of it, as an operator would."""
        for service in self._processes:
            self._processes[service].send_signal(signal.SIGTERM)
        for service in list(self._processes):
            self._end(service, signal.SIGTERM)

    def _end(self, service: str, sign: signal.Signals) -> None:
        process = self._processes.pop(service)
        process.send_signal(sign)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
            raise

    async def ready(self, services: Sequence[str] = SERVICES, *, within: float = 60) -> None:
        """Wait until these services say that they are ready."""
        async with httpx.AsyncClient(timeout=5) as client:
            for service in services:

                async def answers(service: str = service) -> bool:
                    process = self._processes[service]
                    assert process.poll() is None, (self.folder / f"{service}.log").read_text()[-3000:]
                    try:
                        answer = await client.get(f"{self.url(service)}/health/ready")
                    except httpx.TransportError:
                        return False
                    return answer.status_code == httpx.codes.OK

                await eventually(answers, within=within)

    def found(self, outlets: str) -> None:
        """Make the department and its key, and import the outlets (YAML)."""
        self.command("services.ingest", "departments", "add", "transport", "Управління транспорту")
        self.key = self.command("services.ingest", "keys", "add", "transport").split()[-1]
        path = self.folder / "outlets.yaml"
        path.write_text(outlets, encoding="utf-8")
        self.command("services.notifier", "outlets", "import", str(path))

    def desk(self) -> httpx.AsyncClient:
        """A client of the ingest endpoint, with the department's key."""
        return httpx.AsyncClient(
            base_url=self.url("ingest"), headers={"Authorization": f"Bearer {self.key}"}, timeout=30
        )

    def record(self) -> httpx.AsyncClient:
        """A client of the archive, with the operator's key."""
        return httpx.AsyncClient(
            base_url=self.url("archive"), headers={"Authorization": "Bearer operator"}, timeout=30
        )

    async def metric(self, service: str, name: str) -> float:
        """The sum of a metric over all its labels."""
        async with httpx.AsyncClient(timeout=5) as client:
            text = (await client.get(f"{self.url(service)}/metrics")).text
        lines = [line for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


async def receipt(record: httpx.AsyncClient, publication_id: str) -> dict[str, Any] | None:
    """The record of a publication, or None as long as the archive doesn't know it."""
    answer = await record.get(f"/v1/publications/{publication_id}")
    if answer.status_code != httpx.codes.OK:
        return None
    found: dict[str, Any] = answer.json()
    return found


async def complete(record: httpx.AsyncClient, publication_id: str, *, within: float = 60) -> dict[str, Any]:
    """Wait for the receipt to be complete, and return the record."""

    async def is_complete() -> dict[str, Any] | None:
        found = await receipt(record, publication_id)
        return found if found is not None and found["receipt"]["complete"] else None

    return await eventually(is_complete, within=within)


async def all_complete(
    record: httpx.AsyncClient, ids: Sequence[str], *, within: float = 120
) -> list[dict[str, Any]]:
    """Wait for all these receipts."""
    async with asyncio.timeout(within):
        return [await complete(record, publication_id, within=within) for publication_id in ids]
