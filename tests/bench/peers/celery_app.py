"""The peer: Celery tasks on RabbitMQ that do what most would do with the same servers.

As durable as we are: quorum queues, publishes confirmed, acknowledged after the work, majority writes.
"""

import os
import smtplib
import time
from email.message import EmailMessage
from functools import cache
from typing import Any

from celery import Celery  # type: ignore[import-untyped]  # Celery carries no types
from jinja2 import Environment
from markdown_it import MarkdownIt
from pymongo import MongoClient
from pymongo.collection import Collection

QUEUE = "bench.peer"

app = Celery("peer", broker=os.environ.get("PEER_AMQP_URL", "amqp://"))
app.conf.update(
    task_default_queue=QUEUE,
    task_default_queue_type="quorum",
    task_default_exchange_type="topic",
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    broker_transport_options={"confirm_publish": True},
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)

_MARKDOWN = MarkdownIt()
_MAIL = Environment(autoescape=True).from_string(
    "<!doctype html><html lang='uk'><body style='font-family:sans-serif'>"
    "<p>Шановні колеги, {{ recipient }}!</p><h1>{{ content.title }}</h1><p><b>{{ content.lead }}</b></p>"
    "{{ body|safe }}<hr>"
    "<p><a href='http://127.0.0.1/unsubscribe/{{ token }}'>Відписатися</a></p></body></html>"
)


@cache
def stored() -> Collection[dict[str, Any]]:
    """One client for each of the worker's processes, made after the fork."""
    client: MongoClient[dict[str, Any]] = MongoClient(os.environ["PEER_MONGO_URL"])
    return client["bench_peer"]["publications"]


def _store(id: str, content: dict[str, Any]) -> None:
    entered = time.time()
    stored().insert_one({"_id": id, "entered": entered, "content": content})


def _fan_out(content: dict[str, Any], recipients: list[str]) -> None:
    for recipient in recipients:
        send.delay(content, recipient)


def _send(content: dict[str, Any], recipient: str) -> None:
    message = EmailMessage()
    message["Subject"] = content["title"]
    message["From"] = "Пресслужба міської ради <press@rada.example>"
    message["To"] = recipient
    message["List-Unsubscribe"] = "<http://127.0.0.1/unsubscribe/token>"
    message.set_content(f"{content['title']}\n\n{content['lead']}\n\n{content['body']}")
    body = _MARKDOWN.render(content["body"])
    html = _MAIL.render(content=content, recipient=recipient, body=body, token="token")
    message.add_alternative(html, subtype="html")
    with smtplib.SMTP("127.0.0.1", int(os.environ["PEER_SMTP_PORT"])) as server:
        server.send_message(message)


store = app.task(name="peer.store")(_store)
fan_out = app.task(name="peer.fan_out")(_fan_out)
send = app.task(name="peer.send")(_send)
