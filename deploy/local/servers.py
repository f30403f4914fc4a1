"""Private servers in a folder of their own: a RabbitMQ node and a one-node MongoDB replica set.

Both are synchronous, listen on the loopback interface only, and know from their folder whether they run already, so
that one command may start a node and another stop it.
"""

import asyncio
import json
import os
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import aiormq
import pymongo
from pymongo.errors import OperationFailure, PyMongoError

from deploy.local.binaries import find_mongod, find_rabbitmq, install_rabbitmq
from deploy.local.errors import LocalRunError
from deploy.local.ports import LOOPBACK, free_port, is_free
from deploy.local.processes import DetachedProcess

RABBITMQ_CONFIGURATION = Path(__file__).resolve().parents[1] / "rabbitmq"
RABBITMQ_USER = "visnyk"
REPLICA_SET = "rs0"
START_SECONDS = 120.0
STOP_SECONDS = 40.0
ALREADY_INITIALIZED = 23


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
        """Nothing to do."""

    def stop(self) -> None:
        """Raises LocalRunError: not ours to end."""
        raise LocalRunError(
            f"The server named by {self._variable} is not ours to stop: unset {self._variable}."
        )

    def kill(self) -> None:
        """Raises LocalRunError: not ours to end."""
        self.stop()


class _Node:
    """What both private servers have in common: a folder with data, ports kept in it, a process."""

    name: str

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self.folder = folder.resolve()
        self._wanted_port = port
        self._process = DetachedProcess(self.folder / "process.json")

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
        return self._process.pid

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.folder / "server.log"

    def running(self) -> bool:
        """Whether the process is there; not that it answers."""
        return self._process.running()

    def stop(self) -> None:
        """End it gracefully, by force after 40 s."""
        self._process.stop(STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL to the server and all it started; it can be started again at once."""
        self._process.kill()

    def _ports(self) -> dict[str, int]:
        try:
            kept: dict[str, int] = json.loads((self.folder / "ports.json").read_text())
        except FileNotFoundError:
            kept = {}
        if self._wanted_port:
            kept["client"] = self._wanted_port
        return kept

    def _keep(self, ports: dict[str, int]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "ports.json").write_text(json.dumps(ports))

    def _claim_ports(self, *names: str) -> dict[str, int]:
        """The kept ports, each replaced by a free one where somebody else listens there by now."""
        ports = self._ports()
        if self._wanted_port and not is_free(self._wanted_port):
            raise LocalRunError(
                f"Port {self._wanted_port} for {self.name} is taken: stop what listens there or choose another port."
            )
        for name in names:
            if name not in ports or not is_free(ports[name]):
                ports[name] = free_port()
        self._keep(ports)
        return ports

    def _await(self, ready: Callable[[], bool]) -> None:
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


class RabbitNode(_Node):
    """A RabbitMQ node with one user and a generated password, an epmd of its own, no plugins."""

    name = "RabbitMQ"

    @property
    def url(self) -> str:
        """``amqp://`` with credentials and a heartbeat of 10 s."""
        return f"amqp://{RABBITMQ_USER}:{self._password()}@{LOOPBACK}:{self.port}/?heartbeat=10"

    def start(self) -> None:
        """Bring it up, installing the distribution's package if there is no RabbitMQ; returns when a login succeeds.

        Raises LocalRunError.
        """
        if not self.running():
            program = find_rabbitmq() or install_rabbitmq(self.folder / "install.log")
            self._process.kill()
            ports = self._claim_ports("client", "distribution", "epmd")
            self._configure(ports["client"])
            self._process.start(
                [str(program)], log=self.log, env=self._environment(ports["distribution"], ports["epmd"])
            )
        self._await(self._accepts_login)

    def _password(self) -> str:
        kept = self.folder / "password"
        if not kept.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            kept.touch(mode=0o600)
            kept.write_text(secrets.token_urlsafe(24))
        return kept.read_text()

    def _configure(self, port: int) -> None:
        configuration = self.folder / "rabbitmq.conf"
        configuration.touch(mode=0o600)
        own = {
            "listeners.tcp.default": f"{LOOPBACK}:{port}",
            "default_user": RABBITMQ_USER,
            "default_pass": self._password(),
            "log.console": "true",
            "log.file": "false",
        }
        shared = (RABBITMQ_CONFIGURATION / "rabbitmq.conf").read_text()
        configuration.write_text(shared + "\n" + "".join(f"{key} = {value}\n" for key, value in own.items()))
        (self.folder / "enabled_plugins").write_text("[].\n")

    def _environment(self, distribution_port: int, epmd_port: int) -> dict[str, str]:
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith(("RABBITMQ_", "ERL_"))
        }
        # The start script stays in front of the Erlang VM unless input is allowed: a kill would then hit the script
        # alone. Input itself is switched off again. Busy waiting of idle schedulers would starve everybody else.
        arguments = (
            "-noinput -kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"
        )
        return inherited | {
            "HOME": str(self.folder),
            "RABBITMQ_ALLOW_INPUT": "true",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": arguments,
            "RABBITMQ_NODENAME": f"{RABBITMQ_USER}@localhost",
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(RABBITMQ_CONFIGURATION / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "ERL_CRASH_DUMP": str(self.folder / "erl_crash.dump"),
        }

    def _accepts_login(self) -> bool:
        if is_free(self.port):
            return False
        # Callers may be inside a running event loop: the login gets a thread with a loop of its own.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, self._login()).result()

    async def _login(self) -> bool:
        try:
            async with asyncio.timeout(5):
                connection = await aiormq.connect(self.url)
                await connection.close()
        except (aiormq.AMQPError, OSError):
            return False
        return True


class MongoNode(_Node):
    """A MongoDB replica set of one member, so that majority writes, transactions and change streams work."""

    name = "MongoDB"

    @property
    def url(self) -> str:
        """``mongodb://`` with majority, journaled and retried writes."""
        options = f"replicaSet={REPLICA_SET}&w=majority&journal=true&retryWrites=true"
        return f"mongodb://{LOOPBACK}:{self.port}/?{options}"

    def start(self) -> None:
        """Bring it up; returns when it is a writable primary. Raises LocalRunError."""
        if not self.running():
            program = find_mongod()
            ports = self._claim_ports("client")
            data = self.folder / "data"
            data.mkdir(parents=True, exist_ok=True)
            command = f"--port {ports['client']} --bind_ip {LOOPBACK} --replSet {REPLICA_SET} --oplogSize 512"
            quiet = "--wiredTigerCacheSizeGB 0.5 --nounixsocket --setParameter diagnosticDataCollectionEnabled=false"
            self._process.start(
                [str(program), "--dbpath", str(data), *command.split(), *quiet.split()],
                log=self.log,
                env=os.environ,
            )
        client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
            LOOPBACK, self.port, directConnection=True, serverSelectionTimeoutMS=500, connectTimeoutMS=500
        )
        with client:
            self._await(lambda: self._writable(client))

    def _writable(self, client: "pymongo.MongoClient[dict[str, Any]]") -> bool:
        try:
            hello = client.admin.command("hello")
            if hello.get("isWritablePrimary"):
                return True
            self._form_replica_set(client)
        except PyMongoError:
            return False
        return False

    def _form_replica_set(self, client: "pymongo.MongoClient[dict[str, Any]]") -> None:
        """Make the set on the first start; name the member anew when its port had to change."""
        host = f"{LOOPBACK}:{self.port}"
        member = {"_id": 0, "host": host}
        try:
            client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [member]})
        except OperationFailure as error:
            if error.code != ALREADY_INITIALIZED:
                raise
            known = client.admin.command("replSetGetConfig")["config"]
            if known["members"][0]["host"] != host:
                known["members"][0]["host"] = host
                known["version"] += 1
                client.admin.command("replSetReconfig", known, force=True)
