"""The servers that the tests run on: private ones, or those that AMQP_URL and MONGO_URL name."""

import os
from pathlib import Path

from deploy.local.node import ExternalServer, Server
from deploy.local.servers import MongoNode, RabbitNode


def start_rabbit(folder: Path) -> Server:
    """A RabbitMQ that accepts logins, its data under ``folder``.

    With AMQP_URL set it is that server: ``stop`` then does nothing and ``kill`` raises LocalRunError.
    """
    url = os.environ.get("AMQP_URL")
    server: Server = ExternalServer(url, "AMQP_URL") if url else RabbitNode(folder / "rabbitmq")
    server.start()
    return server


def start_mongo(folder: Path) -> Server:
    """A MongoDB replica set with a writable primary, its data under ``folder``.

    With MONGO_URL set it is that server: ``stop`` then does nothing and ``kill`` raises LocalRunError.
    """
    url = os.environ.get("MONGO_URL")
    server: Server = ExternalServer(url, "MONGO_URL") if url else MongoNode(folder / "mongodb")
    server.start()
    return server
