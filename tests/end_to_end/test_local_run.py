"""The run without containers from beginning to end, as a person runs it: demo, up, down, status."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from deploy.local.ports import free_port
from deploy.local.programs import DEFAULT_PORTS, ROOT, port_variable
from tests.waiting import eventually

PROCESSES = {"rabbitmq", "mongod", "ingest", "archive", "publisher", "notifier", "site", "mail", "platforms"}


class Person:
    """Somebody at a terminal, with a folder and ports of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ports = {port_variable(name): str(free_port()) for name in DEFAULT_PORTS}
        foreign = {"AMQP_URL", "MONGO_URL"}
        self.environment = {key: value for key, value in os.environ.items() if key not in foreign} | ports

    def run(self, command: str) -> str:
        """Run one command; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "deploy.local.run", command, "--folder", str(self.folder)],
            check=False,
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def demo_json(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / "demo.json").read_text())
        return content


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    """Nothing of theirs is left running."""
    somebody = Person(tmp_path / "local")
    yield somebody
    somebody.run("down")


async def complete(answer: dict[str, Any], archive: str) -> dict[str, Any]:
    """Wait for the receipt of what was just handed in."""

    async def receipt() -> dict[str, Any] | None:
        async with httpx.AsyncClient(base_url=archive) as client:
            record = await client.get(f"/v1/publications/{answer['id']}")
        if record.is_success and record.json()["receipt"]["complete"]:
            entries: dict[str, Any] = {each["target"]: each for each in record.json()["receipt"]["entries"]}
            return entries
        return None

    return await eventually(receipt, within=60)


def paste(printed: str) -> dict[str, Any]:
    """Do what somebody does who copies the `curl` from the screen into a shell."""
    command = printed[printed.index("curl ") :]
    done = subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def site_page(url: str) -> str:
    return httpx.get(url, follow_redirects=True).text


def listed(archive: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = httpx.get(f"{archive}/v1/publications?limit=100").json()["items"]
    return items


def mails(demo: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{demo['mail']}/api/v1/messages?limit=1000").json()["messages"]
    return found


@pytest.mark.timeout(300)
async def test_demo_up_down(person: Person) -> None:
    """From nothing to a city with complete receipts; again at once; back after a crash; gone at last."""
    first = person.run("demo")
    demo = person.demo_json()
    assert set(demo) == {
        *("ingest", "archive", "site", "notifier", "mail", "platforms"),
        *("department_key", "amqp_url", "mongo_url", "pids"),
    }
    assert set(demo["pids"]) == PROCESSES
    assert all(psutil.pid_exists(pid) for pid in demo["pids"].values())
    assert (person.folder / "demo.json").stat().st_mode & 0o077 == 0

    released = listed(demo["archive"])
    assert len(released) == 18
    assert {each["kind"] for each in released} >= {"news", "announcement", "press_release", "event"}
    assert {each["state"] for each in released} == {"released", "withdrawn"}
    assert len(mails(demo)) > 40
    entries = await complete(paste(first), demo["archive"])
    assert entries["site"]["outcome"] == "published"
    assert entries["mail"]["recipients"] > 0
    assert "Бібліотека на Кравчука працює довше" in site_page(entries["site"]["url"])

    before = len(mails(demo))
    second = person.run("demo")
    assert "loaded already" in second
    assert person.demo_json() == demo
    assert len(mails(demo)) == before

    for name in ("rabbitmq", "mongod", "publisher", "mail"):
        os.kill(demo["pids"][name], signal.SIGKILL)
    person.run("up")
    again = person.demo_json()
    assert again | {"pids": demo["pids"]} == demo
    for name, pid in again["pids"].items():
        was_killed = name in {"rabbitmq", "mongod", "publisher", "mail"}
        assert (pid != demo["pids"][name]) == was_killed
    entries = await complete(paste(second), demo["archive"])
    assert entries["site"]["outcome"] == "published"
    assert entries["mail"]["failed"] == 0
    assert len(mails(demo)) > before

    assert person.run("status").count(" up ") == len(PROCESSES)
    person.run("down")
    assert person.demo_json() == demo | {"pids": {}}
    assert not any(psutil.pid_exists(pid) for pid in again["pids"].values())
    assert person.run("status").count(" down ") == len(PROCESSES)
