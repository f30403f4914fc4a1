"""What every server of the local run is to its users, and what the private ones have in common."""

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from deploy.local.errors import LocalRunError
from deploy.local.ports import free_port, is_free
from deploy.local.processes import DetachedProcess

START_SECONDS = 120.0
STOP_SECONDS = 40.0
USUAL_PORTS = {"amqp": 5672, "amqps": 5671, "mongodb": 27017}


class Server(Protocol):
    """A RabbitMQ or MongoDB server as its users see it."""

    @property
    def url(self) -> str:
        """The address with everything a client has to know, credentials included."""

    @property
    def pid(self) -> int | None:
        """The process's id while it runs here."""

    def running(self) -> bool:
        """Whether it is up."""

    def start(self) -> None:
        """Bring it up, or find it running; returns when it can be used."""

    def stop(self) -> None:
        """End it gracefully."""

    def kill(self) -> None:
        """End it as a crash would."""


class ExternalServer:
    """A server that somebody else runs, named by AMQP_URL or MONGO_URL: used, never started or ended."""

    pid: int | None = None

    def __init__(self, url: str, variable: str) -> None:
        self.url = url
        self._variable = variable

    def running(self) -> bool:
        """Taken for granted."""
        return True

    def start(self) -> None:
        """Make sure that somebody listens there. Raises LocalRunError."""
        address = urlsplit(self.url)
        if address.scheme == "mongodb+srv":
            return
        for host_and_port in address.netloc.rpartition("@")[2].split(","):
            one = urlsplit(f"//{host_and_port}")
            try:
                socket.create_connection((one.hostname, one.port or USUAL_PORTS[address.scheme]), 5).close()
            except (OSError, KeyError):
                continue
            return
        raise LocalRunError(
            f"Nothing answers at the address that {self._variable} names: "
            f"start it there, or unset {self._variable} for a private one."
        )

    def stop(self) -> None:
        """Nothing to do: whoever started it ends it."""

    def kill(self) -> None:
        """Raises LocalRunError: not ours to end."""
        raise LocalRunError(
            f"The server named by {self._variable} is not ours to kill: unset {self._variable}."
        )


class PrivateNode:
    """What both private servers have in common: a folder with data, ports kept in it, a process."""

    name: str

    def __init__(self, folder: Path, *, port: int | None = None, log: Path | None = None) -> None:
        """Data goes to ``folder``; a ``port`` given here is used or refused, never replaced."""
        self.folder = folder.resolve()
        self.log = log or self.folder / "server.log"
        self._wanted_port = port
        self.process = DetachedProcess(self.folder / "process.json")

    @property
    def port(self) -> int:
        """The port it listens on, chosen once and kept in the folder."""
        ports = self._ports()
        if "client" not in ports:
            ports["client"] = self._wanted_port or free_port()
            self._keep(ports)
        return ports["client"]

    @property
    def pid(self) -> int | None:
        """The server's own process id while it runs."""
        return self.process.pid

    def running(self) -> bool:
        """Whether the process is there; not that it answers."""
        return self.process.running()

    def stop(self) -> None:
        """End it gracefully, by force after 40 s."""
        self.process.stop(STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL to the server and all it started; it can be started again at once."""
        self.process.kill()

    def leave_other_port(self) -> None:
        """Stop a node that runs on another port than the one now wanted."""
        if self._wanted_port and self._kept_ports().get("client") != self._wanted_port:
            self.stop()

    def _kept_ports(self) -> dict[str, int]:
        try:
            kept: dict[str, int] = json.loads((self.folder / "ports.json").read_text())
        except FileNotFoundError:
            return {}
        return kept

    def _ports(self) -> dict[str, int]:
        return self._kept_ports() | ({"client": self._wanted_port} if self._wanted_port else {})

    def _keep(self, ports: dict[str, int]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "ports.json").write_text(json.dumps(ports))

    def claim_ports(self, *names: str) -> dict[str, int]:
        """The kept ports, each replaced by a free one where somebody else listens there by now."""
        ports = self._ports()
        if self._wanted_port and not is_free(self._wanted_port):
            raise LocalRunError(
                f"Port {self._wanted_port} for {self.name} is taken: "
                "stop what listens there or choose another port."
            )
        for name in names:
            if name not in ports or not is_free(ports[name]):
                ports[name] = free_port()
        self._keep(ports)
        return ports

    def await_ready(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if not self.running():
                raise LocalRunError(
                    f"{self.name} ended while starting: the reason is at the end of {self.log}."
                )
            if time.monotonic() > deadline:
                self.kill()
                raise LocalRunError(f"{self.name} did not come up in {START_SECONDS:.0f} s: see {self.log}.")
            time.sleep(0.05)
