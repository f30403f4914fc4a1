"""The programs of a local run: what each is started with, and on which port."""

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from deploy.local.binaries import find_ffmpeg
from deploy.local.errors import LocalRunError
from deploy.local.node import ExternalServer, Server
from deploy.local.ports import LOOPBACK, free_port, is_free
from deploy.local.processes import DetachedProcess
from deploy.local.servers import MongoNode, RabbitNode
from tests.platforms.wiring import settings_for

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("ingest", "archive", "publisher", "notifier")
# The page of the mail catcher and its SMTP port are two ports of one program.
DEFAULT_PORTS = {
    "ingest": 8001,
    "archive": 8002,
    "site": 8003,
    "notifier": 8004,
    "publisher": 8005,
    "mail": 8025,
    "platforms": 8026,
    "smtp": 1025,
}
CITY = "Луцька міська рада"
CHANNELS = (
    *("site", "telegram", "facebook", "youtube", "mastodon", "viber"),
    *("newspaper", "television", "radio"),
)
STATIONS = {
    "TELEVISION": {"Телеканал «Стир ТБ»": ["efir@styr-tb.example"]},
    "RADIO": {"Радіо «Стир ФМ»": ["efir@styr-fm.example"]},
}


def port_variable(name: str) -> str:
    """The environment variable by which a user fixes a port: ``INGEST_PORT``, ``MAIL_PORT``, ..."""
    return f"{name.upper()}_PORT"


def fixed_port(name: str, environment: Mapping[str, str]) -> int | None:
    """The port that the user asked for, if any. Raises LocalRunError where that is no port."""
    given = environment.get(port_variable(name), "")
    if not given:
        return None
    if not given.isdecimal() or not 0 < int(given) < 2**16:
        raise LocalRunError(f"{port_variable(name)}={given} is not a port: give a number up to 65535.")
    return int(given)


@dataclass
class Program:
    """One process beside the servers."""

    name: str
    command: tuple[str, ...]
    settings: Mapping[str, str]
    url: str
    process: DetachedProcess
    log: Path

    @property
    def label(self) -> str:
        """Changes when it has to be started anew because its settings did."""
        return hashlib.sha256(json.dumps([self.command, dict(self.settings)]).encode()).hexdigest()

    def up_to_date(self) -> bool:
        """Whether it runs, with these settings."""
        return self.process.running() and self.process.label == self.label

    def start(self) -> None:
        """Start it, or start it anew; ``ready`` says when it is of use."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("SMTP_")}
        self.process.stop()
        self.process.start(
            self.command, log=self.log, env={**inherited, **self.settings}, cwd=ROOT, label=self.label
        )

    def ready(self) -> bool:
        """Whether it answers and finds itself well."""
        try:
            answer = httpx.get(f"{self.url}{'/' if self.name == 'site' else '/health/ready'}", timeout=5)
        except httpx.TransportError:
            return False
        return answer.is_success or self.name == "site"


@dataclass
class LocalRun:
    """Everything of one run, under one folder."""

    folder: Path
    ports: dict[str, int]
    operator_key: str
    link_secret: str
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def __post_init__(self) -> None:
        self.folder = self.folder.resolve()
        amqp_url, mongo_url = self.environment.get("AMQP_URL"), self.environment.get("MONGO_URL")
        self.own_rabbit = RabbitNode(
            self.folder / "rabbitmq",
            port=fixed_port("rabbitmq", self.environment),
            log=self.log("rabbitmq"),
        )
        self.own_mongo = MongoNode(
            self.folder / "mongodb", port=fixed_port("mongod", self.environment), log=self.log("mongod")
        )
        self.rabbit: Server = ExternalServer(amqp_url, "AMQP_URL") if amqp_url else self.own_rabbit
        self.mongo: Server = ExternalServer(mongo_url, "MONGO_URL") if mongo_url else self.own_mongo

    def log(self, name: str) -> Path:
        """Where a process's output goes."""
        return self.folder / "log" / f"{name}.log"

    def url(self, name: str) -> str:
        """A program's base address."""
        return f"http://{LOOPBACK}:{self.ports[name]}"

    def process(self, name: str) -> DetachedProcess:
        """The process of a program, running or not."""
        return DetachedProcess(self.folder / "run" / f"{name}.json")

    def choose_ports(self) -> None:
        """Give every program that isn't running a free port: its own, its last one, or another.

        Raises LocalRunError where a port that the user fixed is taken.
        """
        for name, usual in DEFAULT_PORTS.items():
            fixed = fixed_port(name, self.environment)
            kept = self.ports.get(name)
            if fixed in {None, kept} and self.process("mail" if name == "smtp" else name).running():
                continue
            if fixed and not is_free(fixed):
                way_out = f"stop what listens there, or set {port_variable(name)} to another"
                raise LocalRunError(f"Port {fixed} is taken: {way_out}.")
            wanted = fixed or kept or usual
            taken = {port for other, port in self.ports.items() if other != name}
            self.ports[name] = wanted if wanted not in taken and is_free(wanted) else free_port()

    def settings(self) -> dict[str, str]:
        """What every service, and every command of one, finds in its environment."""
        usual = {
            "SITE_NAME": CITY,
            "INGEST_RATE_LIMIT": "600/minute",
            "MAIL_FROM_NAME": f"Пресслужба. {CITY}",
            "ARCHIVE_OPERATOR_KEY": self.operator_key,
            "CHANNELS": ",".join(CHANNELS),
            "NEWSPAPER_EDITORS": "redaktsiya@zamok.example",
            "NEWSPAPER_SECRET": self.link_secret,
            **{f"{name}_LINK_SECRET": self.link_secret for name in STATIONS},
            **{f"{name}_STATIONS": json.dumps(known) for name, known in STATIONS.items()},
            "MEDIA_FFMPEG": find_ffmpeg() or "ffmpeg",
            **settings_for(self.url("platforms")),
        }
        own = {
            "AMQP_URL": self.rabbit.url,
            "MONGO_URL": self.mongo.url,
            "ARCHIVE_URL": self.url("archive"),
            "SITE_URL": self.url("site"),
            "SITE_ROOT": str(self.folder / "site"),
            "NOTIFIER_URL": self.url("notifier"),
            "PUBLISHER_URL": self.url("publisher"),
            "SMTP_HOST": LOOPBACK,
            "SMTP_PORT": str(self.ports["smtp"]),
            **{f"{service.upper()}_HOST": LOOPBACK for service in SERVICES},
            **{port_variable(service): str(self.ports[service]) for service in SERVICES},
        }
        return {name: self.environment.get(name, value) for name, value in usual.items()} | own

    def programs(self) -> Iterator[Program]:
        """All programs, with settings as the servers and ports are now."""
        settings = self.settings()
        for service in SERVICES:
            yield self._program(service, (f"services.{service}",), settings)
        site = ("deploy.local.site_server", "--root", str(self.folder / "site"))
        yield self._program("site", (*site, "--port", str(self.ports["site"])), {})
        mail = ("deploy.local.mailcatcher", "--folder", str(self.folder / "mail"))
        ports = ("--smtp-port", str(self.ports["smtp"]), "--http-port", str(self.ports["mail"]))
        yield self._program("mail", mail + ports, {})
        platforms = ("tests.platforms", "--folder", str(self.folder / "platforms"))
        yield self._program("platforms", (*platforms, "--port", str(self.ports["platforms"])), {})

    def _program(self, name: str, arguments: tuple[str, ...], settings: Mapping[str, str]) -> Program:
        return Program(
            name=name,
            command=(sys.executable, "-m", *arguments),
            settings=settings,
            url=self.url(name),
            process=self.process(name),
            log=self.log(name),
        )
