"""YouTube within the service: what is awaited outlives the process, and its end reaches the receipt."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.publisher.app import Publisher
from services.publisher.settings import PublisherSettings
from shared.events import DeliveryReported, Outcome
from tests.platforms.platform import Running, run
from tests.platforms.youtube import YoutubePlatform
from tests.rabbit import empty_queues
from tests.samples import fact, publication
from tests.services.publisher.conftest import Desk, opened_desk
from tests.services.publisher.stands.youtube import kept_video, section_for
from tests.waiting import eventually


@pytest.fixture
async def settings(publisher_settings: PublisherSettings) -> PublisherSettings:
    settings = publisher_settings.model_copy(update={"channels": ("youtube",)})
    await empty_queues(settings)
    return settings


@pytest.fixture
async def desk(settings: PublisherSettings) -> AsyncIterator[Desk]:
    async with opened_desk(settings) as desk:
        yield desk


@pytest.fixture
async def world() -> AsyncIterator[Running]:
    running = await run(YoutubePlatform())
    yield running
    await running.stop()


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [(("processed", None), Outcome.PUBLISHED), (("rejected", "length"), Outcome.SKIPPED)],
)
async def test_what_is_awaited_outlives_the_process(
    verdict: tuple[str, str | None],
    outcome: Outcome,
    settings: PublisherSettings,
    desk: Desk,
    world: Running,
) -> None:
    platform = world.platform
    assert isinstance(platform, YoutubePlatform)
    platform.upload_status = "uploaded"
    first = Publisher(settings, [section_for(world.url)])
    await first.start()
    await asyncio.wait_for(first.ready(), 30)
    file = await kept_video(first.media, b"video")
    event = fact(publication("video", targets=("youtube", "mail"), media=(file,)))
    await desk.emit(event)

    async def told() -> DeliveryReported | None:
        reports = [report for report in await desk.heard() if report.rank == event.rank]
        return reports[-1] if reports else None

    waiting = await eventually(told)
    assert waiting.data.outcome is Outcome.UNCONFIRMED
    assert waiting.data.reason == "YouTube обробляє відео."
    assert waiting.data.url is not None
    await first.stop()
    (id,) = platform.videos
    platform.finish(id, *verdict)
    second = Publisher(settings, [section_for(world.url)])
    await second.start()
    try:
        report = await desk.report_of(event)
        assert report.data.outcome is outcome
        assert (report.data.url is not None) == (outcome is Outcome.PUBLISHED)
        if outcome is Outcome.SKIPPED:
            assert report.data.reason == "YouTube відхилив відео: воно задовге для цього каналу."
    finally:
        await second.stop()
