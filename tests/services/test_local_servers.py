"""The private servers of the local run: start, crash, restart on the same data, loopback only."""

import asyncio
import ipaddress
import os
import signal
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import aio_pika
import psutil
import pymongo
import pytest

from deploy.local.errors import LocalRunError
from deploy.local.node import ExternalServer
from deploy.local.ports import free_port
from deploy.local.processes import MARK
from deploy.local.servers import MongoNode, RabbitNode
from tests.servers import start_mongo, start_rabbit
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def rabbit_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitNode]:
    node = RabbitNode(tmp_path_factory.mktemp("local") / "rabbitmq")
    yield node
    node.kill()


@pytest.fixture(scope="module")
def mongo_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoNode]:
    node = MongoNode(tmp_path_factory.mktemp("local") / "mongodb")
    yield node
    node.kill()


@pytest.fixture
def rabbit(rabbit_node: RabbitNode) -> RabbitNode:
    """A running node; what the test before it did to it is mended by a start."""
    rabbit_node.start()
    return rabbit_node


@pytest.fixture
def mongo(mongo_node: MongoNode) -> MongoNode:
    """A running replica set without the documents of the test before."""
    mongo_node.start()
    with documents(mongo_node.url).database.client as client:
        client.drop_database("kept")
    return mongo_node


def processes_of(node: RabbitNode | MongoNode) -> list[psutil.Process]:
    """Every process that belongs to the node: those that inherited its mark."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK, "").startswith(str(node.folder)):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def listens_at(node: RabbitNode | MongoNode) -> set[str]:
    connections = [each for process in processes_of(node) for each in process.net_connections("inet")]
    return {each.laddr.ip for each in connections if each.status == psutil.CONN_LISTEN}


async def put_durably(url: str) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
        message = aio_pika.Message(b"kept", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, "kept")


async def registry_names_queue(node: RabbitNode) -> bool:
    """Whether the quorum queue's registration is on disk.

    RabbitMQ 3.10 writes it up to a second after the declaration was confirmed; a queue whose node is killed
    before that never gets a leader again.
    """
    return any(b"kept" in file.read_bytes() for file in node.folder.glob("data/**/names.dets"))


async def holds_message(url: str) -> bool:
    """Whether the message is there; no answer while the queue has no leader yet counts as no."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("kept", passive=True)
        try:
            message = await queue.get(fail=False, timeout=2)
        except TimeoutError:
            return False
        if message:
            await message.reject(requeue=True)
        return message is not None


async def is_down(node: RabbitNode) -> bool:
    return not node.running()


def documents(url: str) -> "pymongo.collection.Collection[dict[str, Any]]":
    return pymongo.MongoClient(url)["kept"]["documents"]


async def test_rabbit_keeps_port_and_messages_over_crash_and_stop(rabbit: RabbitNode) -> None:
    """A confirmed message outlives SIGKILL and a graceful stop; nothing is left running in between."""
    url = rabbit.url
    await put_durably(url)
    await eventually(partial(registry_names_queue, rabbit))
    for end in (rabbit.kill, rabbit.stop):
        await asyncio.to_thread(end)
        assert not rabbit.running()
        assert processes_of(rabbit) == []
        await asyncio.to_thread(rabbit.start)
        assert rabbit.url == url
        await eventually(partial(holds_message, url))


async def test_rabbit_comes_back_after_its_process_alone_was_killed(rabbit: RabbitNode) -> None:
    """Somebody kills the Erlang VM and leaves epmd behind: the node is seen as down, and starts again."""
    assert rabbit.pid is not None
    os.kill(rabbit.pid, signal.SIGKILL)
    await eventually(partial(is_down, rabbit))
    await asyncio.to_thread(rabbit.start)
    await put_durably(rabbit.url)


async def test_rabbit_has_no_guest(rabbit: RabbitNode) -> None:
    """The only way in is the generated password."""
    with pytest.raises(aio_pika.exceptions.ProbableAuthenticationError):
        await aio_pika.connect(f"amqp://guest:guest@127.0.0.1:{rabbit.port}/")


def test_mongo_keeps_port_and_documents_over_crash_and_stop(mongo: MongoNode) -> None:
    """A majority write outlives SIGKILL and a graceful stop; the node is a writable primary again."""
    url = mongo.url
    with documents(url).database.client as client:
        for number, end in enumerate((mongo.kill, mongo.stop)):
            client["kept"]["documents"].insert_one({"_id": number})
            end()
            assert not mongo.running()
            assert processes_of(mongo) == []
            mongo.start()
            assert mongo.url == url
            assert client["kept"]["documents"].count_documents({}) == number + 1


def test_mongo_moves_to_another_port_with_its_data(mongo: MongoNode) -> None:
    """A running replica set that is wanted on another port is primary there."""
    with documents(mongo.url).database.client as client:
        client["kept"]["documents"].insert_one({"_id": 1})
    moved = MongoNode(mongo.folder, port=free_port())
    moved.start()
    try:
        with documents(moved.url).database.client as client:
            assert client["kept"]["documents"].count_documents({}) == 1
    finally:
        moved.kill()


def test_servers_listen_on_loopback_only(rabbit: RabbitNode, mongo: MongoNode) -> None:
    """The clients' ports, Erlang's distribution and epmd included."""
    for node in (rabbit, mongo):
        addresses = listens_at(node)
        assert addresses
        assert all(ipaddress.ip_address(address).is_loopback for address in addresses), addresses


def test_a_second_handle_on_the_folder_finds_the_node(mongo: MongoNode) -> None:
    """One command starts a node, another one finds it running and stops it."""
    other = MongoNode(mongo.folder)
    assert (other.pid, other.url) == (mongo.pid, mongo.url)
    other.start()
    assert other.pid == mongo.pid
    other.stop()
    assert not mongo.running()


def test_an_occupied_fixed_port_is_said_in_one_line(tmp_path: Path, mongo: MongoNode) -> None:
    with pytest.raises(LocalRunError, match=rf"^Port {mongo.port} for MongoDB is taken: [^\n]+$"):
        MongoNode(tmp_path / "other", port=mongo.port).start()


@pytest.fixture
def named_by_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """AMQP_URL and MONGO_URL, where somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]
        urls = {
            "AMQP_URL": f"amqp://user:pass@127.0.0.1:{port}/",
            "MONGO_URL": f"mongodb://nobody.invalid,127.0.0.1:{port}/?replicaSet=rs0",
        }
        for variable, url in urls.items():
            monkeypatch.setenv(variable, url)
        yield urls


def test_servers_of_the_environment_are_used_and_never_ended(
    tmp_path: Path, named_by_environment: dict[str, str]
) -> None:
    """AMQP_URL and MONGO_URL win over private servers."""
    for server, variable in ((start_rabbit(tmp_path), "AMQP_URL"), (start_mongo(tmp_path), "MONGO_URL")):
        assert isinstance(server, ExternalServer)
        assert (server.url, server.pid) == (named_by_environment[variable], None)
        server.stop()
        with pytest.raises(LocalRunError, match="not ours to kill"):
            server.kill()
    assert list(tmp_path.iterdir()) == []


def test_a_server_of_the_environment_that_is_not_there_is_said_in_one_line() -> None:
    server = ExternalServer(f"amqp://127.0.0.1:{free_port()}/", "AMQP_URL")
    with pytest.raises(LocalRunError, match=r"^Nothing answers [^\n]*unset AMQP_URL[^\n]*$"):
        server.start()
