"""Mails a second: one publication to many recipients, from the event to the last mail taken."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter

import yaml
from aiormq.abc import AbstractChannel, DeliveredMessage
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.bench.measuring import Benchmark, Beside, Contender, Figures
from tests.bench.payload import text
from tests.bench.peers import bare, celery_app
from tests.bench.pipeline import start_celery
from tests.bench.scale import Scale
from tests.bench.sink import find, sink
from tests.bench.stage import OUR_QUEUES, SMTP_CONNECTIONS, Stage
from tests.samples import fact, publication, submission

NAME = "mail"
REPORTS = "bench.reports"


@asynccontextmanager
async def prepared(stage: Stage, scale: Scale) -> AsyncIterator[Benchmark]:
    """The notifier with its subscribers, a sink, and a Celery worker. Raises `Skipped` without postfix."""
    find("smtp-sink")
    recipients = [f"journalist{number}@media.example" for number in range(scale.of(2_000))]
    some, count = recipients[: scale.of(300)], scale.of(5_000)
    mail = stage.folder / "mail.eml"
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(stage.services("notifier"))
        _subscribe(stage, recipients)
        stack.callback(stage.end_peers)
        start_celery(stage)
        celery_app.app.conf.broker_url = stage.amqp_url
        await stage.consuming(celery_app.QUEUE)
        fan_out = _FanOut(await stack.enter_async_context(stage.channel()))
        await fan_out.listen()
        sample = await _sample(fan_out, stage.smtp_port)
        await asyncio.to_thread(mail.write_bytes, sample.replace(b"\r\n", b"\n"))
        target = await stack.enter_async_context(sink(stage.smtp_port))

        async def us() -> Figures:
            before, begun = target.taken, perf_counter()
            await fan_out.begin()
            await target.took(before + len(recipients))
            rate = len(recipients) / (perf_counter() - begun)
            await fan_out.reported()
            await stage.empty(*OUR_QUEUES)
            return {"mails": rate}

        async def source() -> Figures:
            before, begun = target.taken, perf_counter()
            await target.source(mail, count=count, connections=SMTP_CONNECTIONS)
            await target.took(before + count)
            return {"mails": count / (perf_counter() - begun)}

        async def celery() -> Figures:
            before, begun = target.taken, perf_counter()
            await asyncio.to_thread(celery_app.fan_out.delay, submission(**text(0)), some)
            await target.took(before + len(some))
            return {"mails": len(some) / (perf_counter() - begun)}

        yield Benchmark(
            NAME,
            "/s",
            Contender("one fan-out by the notifier", us, len(recipients)),
            [
                Beside(Contender("smtp-source", source, count), "floor", 0.3),
                Beside(Contender("a Celery task a mail, smtplib", celery, len(some)), "peer", 10),
            ],
        )


class _FanOut:
    """Publications put on the bus for the notifier, and its reports of them."""

    def __init__(self, channel: AbstractChannel) -> None:
        self._channel = channel
        self._reports: asyncio.Queue[DeliveredMessage] = asyncio.Queue()
        self._number = 0

    async def listen(self) -> None:
        await self._channel.queue_declare(REPORTS, durable=True, arguments={"x-queue-type": "quorum"})
        await self._channel.queue_bind(REPORTS, "deliveries", routing_key="delivery.*.mail")
        await self._channel.basic_consume(REPORTS, self._reports.put, no_ack=True)

    async def begin(self) -> None:
        self._number += 1
        event = fact(publication(content=text(self._number)))
        await bare.publish(
            self._channel, [event.encode()], exchange="publications", key=event.routing_key, in_flight=1
        )

    async def reported(self) -> None:
        """Return when the notifier has said what became of it: its own writes are done by then."""
        await self._reports.get()


def _subscribe(stage: Stage, recipients: list[str]) -> None:
    journalists = [
        {"name": f"Журналіст {number}", "address": address, "subscriptions": [{"kinds": ["news"]}]}
        for number, address in enumerate(recipients)
    ]
    path = stage.folder / "outlets.yaml"
    outlets = {"outlets": [{"id": "media", "name": "Газета", "journalists": journalists}]}
    path.write_text(yaml.safe_dump(outlets, allow_unicode=True), encoding="utf-8")
    stage.city.command("services.notifier", "outlets", "import", str(path))


async def _sample(fan_out: _FanOut, port: int) -> bytes:
    """A mail as the notifier makes it, for `smtp-source` to repeat."""
    kept = _Kept()
    server = Controller(kept, hostname="127.0.0.1", port=port)
    server.start()
    try:
        await fan_out.begin()
        await fan_out.reported()
    finally:
        server.stop()
    return kept.mail


class _Kept:
    """What an SMTP server got last."""

    mail = b""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        assert isinstance(envelope.content, bytes)
        self.mail = envelope.content
        return "250 OK"
