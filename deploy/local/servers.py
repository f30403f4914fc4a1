"""Private servers in a folder of their own: a RabbitMQ node and a one-node MongoDB replica set.

Both are synchronous, listen on the loopback interface only, and know from their folder whether they run
already, so that one command may start a node and another stop it.
"""

import asyncio
import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiormq
import pymongo
from pymongo.errors import OperationFailure, PyMongoError

from deploy.local.binaries import find_mongod, find_rabbitmq, install_rabbitmq
from deploy.local.node import PrivateNode
from deploy.local.ports import LOOPBACK, is_free

RABBITMQ_CONFIGURATION = Path(__file__).resolve().parents[1] / "rabbitmq"
RABBITMQ_USER = "visnyk"
REPLICA_SET = "rs0"
ALREADY_INITIALIZED = 23


class RabbitNode(PrivateNode):
    """A RabbitMQ node with one user and a generated password, an epmd of its own, no plugins."""

    name = "RabbitMQ"

    @property
    def url(self) -> str:
        """``amqp://`` with credentials and a heartbeat of 10 s."""
        return f"amqp://{RABBITMQ_USER}:{self._password()}@{LOOPBACK}:{self.port}/?heartbeat=10"

    def start(self) -> None:
        """Bring it up, after installing the distribution's package if there is no RabbitMQ.

        Returns when a login succeeds; raises LocalRunError.
        """
        self.leave_other_port()
        if not self.running():
            program = find_rabbitmq() or install_rabbitmq(self.folder / "install.log")
            self.process.kill()
            ports = self.claim_ports("client", "distribution", "epmd")
            self._configure(ports["client"])
            environment = self._environment(ports["distribution"], ports["epmd"])
            # Mnesia leaves its dumps where the node was started.
            self.process.start([str(program)], log=self.log, env=environment, cwd=self.folder)
        self.await_ready(self._accepts_login)

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
        # The start script stays in front of the Erlang VM unless input is allowed: a kill would then hit the
        # script alone. Input itself is switched off again. Idle schedulers must not wait busily.
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


class MongoNode(PrivateNode):
    """A MongoDB replica set of one member, so that majority writes, transactions and change streams work."""

    name = "MongoDB"

    @property
    def url(self) -> str:
        """``mongodb://`` with majority, journaled and retried writes."""
        options = f"replicaSet={REPLICA_SET}&w=majority&journal=true&retryWrites=true"
        return f"mongodb://{LOOPBACK}:{self.port}/?{options}"

    def start(self) -> None:
        """Bring it up; returns when it is a writable primary. Raises LocalRunError."""
        self.leave_other_port()
        if not self.running():
            program = find_mongod()
            ports = self.claim_ports("client")
            data = self.folder / "data"
            data.mkdir(parents=True, exist_ok=True)
            listen = f"--port {ports['client']} --bind_ip {LOOPBACK} --nounixsocket --replSet {REPLICA_SET}"
            small = "--oplogSize 512 --wiredTigerCacheSizeGB 0.5"
            quiet = "--setParameter diagnosticDataCollectionEnabled=false"
            self.process.start(
                [str(program), "--dbpath", str(data), *listen.split(), *small.split(), *quiet.split()],
                log=self.log,
                env=os.environ,
                cwd=self.folder,
            )
        client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
            LOOPBACK, self.port, directConnection=True, serverSelectionTimeoutMS=500, connectTimeoutMS=500
        )
        with client:
            self.await_ready(lambda: self._writable(client))

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
