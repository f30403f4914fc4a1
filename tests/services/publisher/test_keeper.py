"""When a channel's queue is left alone, and when it goes on: away, halted, paused, and others first."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from typer.testing import CliRunner

from services.publisher import keeper
from services.publisher.__main__ import app as commands
from services.publisher.app import Publisher, build
from services.publisher.channels.interface import Away, Halted
from services.publisher.channels.site.settings import SiteSection
from services.publisher.controls import State
from services.publisher.settings import PublisherSettings
from services.publisher.worker import OTHERS_FIRST
from shared.bus import channel_queue
from shared.events import Outcome
from tests.rabbit import depth
from tests.samples import delivery, fact, publication
from tests.services.publisher.board import Board, Fault, posted_on_board
from tests.services.publisher.conftest import Desk, opened_desk
from tests.waiting import eventually

QUEUE = channel_queue("board")


async def stands(publisher: Publisher, state: State) -> None:
    """Wait until the board's queue is in this state, and the operators can see it."""

    async def so() -> bool:
        return (await publisher.controls.read())["board"].state is state

    await eventually(so)


async def waiting(settings: PublisherSettings, count: int) -> None:
    """Wait until so many messages lie untouched in the board's queue."""

    async def so() -> bool:
        return await depth(settings, QUEUE) == count

    await eventually(so)


async def test_a_paused_channel_holds_its_queue_and_nobody_elses(
    publisher: Publisher, reports: Desk, board: Board, settings: PublisherSettings
) -> None:
    await publisher.controls.pause("board", "Прибирання.")
    await stands(publisher, State.PAUSED)
    event = fact(publication(targets=("site", "board")))
    await reports.emit(event)

    async def on_site() -> bool:
        return [report.data.target for report in await reports.heard()] == ["site"]

    await eventually(on_site)
    await waiting(settings, 1)
    assert board.calls == []
    assert await publisher.keepers["board"].health() is None, "somebody wanted it so"

    await publisher.controls.resume("board")
    await reports.reported(2)
    assert board.calls == ["publish"]


async def test_a_pause_outlives_the_process(
    publisher: Publisher, reports: Desk, board: Board, settings: PublisherSettings, site_section: SiteSection
) -> None:
    await publisher.controls.pause("board", None)
    await stands(publisher, State.PAUSED)
    await publisher.stop()
    await reports.emit(fact(posted_on_board()))
    later = Publisher(settings, [site_section])
    await later.start()
    try:
        await asyncio.wait_for(later.keepers["site"].ready(), 20)
        await waiting(settings, 1)
        assert board.calls == []
    finally:
        await later.stop()


async def test_a_channel_whose_other_side_is_away_leaves_its_queue_alone(
    monkeypatch: pytest.MonkeyPatch,
    publisher: Publisher,
    reports: Desk,
    board: Board,
    settings: PublisherSettings,
) -> None:
    """Tried again by itself; and not one of the messages comes closer to being parked by it."""
    monkeypatch.setattr(keeper, "SHORTEST", 0.05)
    board.ailments.extend(Away("До дошки не дістатися.") for _ in range(3))
    board.faults.extend([Fault.AWAY] * (keeper.TRIPS_AT + 2))
    events = [fact(posted_on_board()) for _ in range(keeper.TRIPS_AT + 2)]
    prepared = board.prepared
    await reports.emit(*events)
    for event in events:
        assert (await reports.report_of(event)).data.outcome is Outcome.PUBLISHED
    assert not board.ailments, "it was asked whether it is back before it got messages again"
    assert board.prepared > prepared
    assert len(board.posts) == len(events)
    attempts = {report.data.attempt for report in reports.reports if report.data.outcome is Outcome.RETRYING}
    assert attempts == {None}, "no attempt was counted"
    assert "find" not in board.calls, "nothing was in doubt"


async def test_a_channel_that_needs_an_operator_stops_at_once_and_says_so(
    publisher: Publisher, reports: Desk, board: Board, settings: PublisherSettings
) -> None:
    board.faults.append(Fault.LOCKED)
    first = fact(posted_on_board())
    await reports.emit(first)
    await stands(publisher, State.HALTED)
    assert await publisher.keepers["board"].health() == "Дошку замкнено. Відчиніть її."
    assert await publisher.checks()["channel board"]() is None, "the process is well"
    second = fact(posted_on_board())
    await reports.emit(second)
    await waiting(settings, 2)
    assert board.calls == ["publish"]

    await publisher.controls.resume("board")
    for event in (first, second):
        assert (await reports.report_of(event)).data.outcome is Outcome.PUBLISHED
    assert len(board.posts) == 2


async def test_a_channel_that_cannot_start_does_not_keep_others_from_it(
    settings: PublisherSettings, board: Board, site_section: SiteSection
) -> None:
    board.ailments.append(Halted("Ключа немає.", remedy="Принесіть ключ."))
    publisher = Publisher(settings, [site_section])
    await publisher.start()
    try:
        await asyncio.wait_for(publisher.keepers["site"].ready(), 20)
        await stands(publisher, State.HALTED)
        await publisher.controls.resume("board")
        await asyncio.wait_for(publisher.ready(), 20)
    finally:
        await publisher.stop()


@pytest.fixture
async def page_first(
    board: Board, settings: PublisherSettings, site_section: SiteSection
) -> AsyncIterator[Publisher]:
    """A publisher whose board lets the site go first; the site is paused."""
    board.after = ("site",)
    publisher = Publisher(settings, [site_section])
    await publisher.controls.pause("site", None)
    await publisher.start()
    await asyncio.wait_for(publisher.keepers["board"].ready(), 20)
    yield publisher
    await publisher.stop()


@pytest.fixture
async def heard(settings: PublisherSettings, page_first: Publisher) -> AsyncIterator[Desk]:
    async with opened_desk(settings) as desk:
        yield desk


async def test_a_post_waits_for_the_page_it_links_to(
    page_first: Publisher, heard: Desk, board: Board
) -> None:
    event, alone = fact(publication(targets=("site", "board"))), fact(posted_on_board())
    await heard.emit(event)
    await heard.emit(alone)
    assert (await heard.report_of(alone)).data.outcome is Outcome.PUBLISHED, "it goes to no site"
    assert len(board.posts) == 1
    await page_first.controls.resume("site")

    async def in_order() -> list[str]:
        told = [each.data for each in await heard.heard() if each.subject == event.subject]
        done = [each.target for each in told if each.outcome.final]
        return done if len(done) == 2 else []

    assert await eventually(in_order) == ["site", "board"]


async def test_a_page_that_does_not_come_is_not_waited_for_without_end(
    page_first: Publisher, heard: Desk, board: Board
) -> None:
    old = fact(publication(targets=("site", "board")))
    old = old.model_copy(update={"time": old.time - OTHERS_FIRST})
    await heard.emit(old)
    assert (await heard.report_of(old)).data.target == "board"
    assert len(board.posts) == 1


async def test_a_channel_hears_of_those_it_heeds(
    settings: PublisherSettings, board: Board, site_section: SiteSection
) -> None:
    board.heeds = ("pigeon",)
    publisher = Publisher(settings, [site_section])
    await publisher.start()
    try:
        await asyncio.wait_for(publisher.ready(), 20)
        flown = delivery(publication(), "pigeon", Outcome.PUBLISHED)
        await publisher.bus.emit(flown)

        async def told() -> bool:
            return board.heard == [flown.data]

        await eventually(told)
    finally:
        await publisher.stop()


async def test_a_delivery_that_a_channel_no_longer_heeds_is_let_be(
    settings: PublisherSettings, board: Board
) -> None:
    """Its queue stays bound to what an older version of it wanted to hear of."""
    publisher = Publisher(settings)
    await publisher.workers["board"].handle(delivery(publication(), "pigeon", Outcome.PUBLISHED))
    assert board.heard == []
    await publisher.stop()


async def test_a_channel_serves_pages_of_its_own(settings: PublisherSettings, board: Board) -> None:
    app = build(settings)
    async with app.router.lifespan_context(app):
        await asyncio.wait_for(app.state.publisher.ready(), 20)
        board.posts[1] = "Тут"
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://publisher.example"
        ) as client:
            answer = await client.get("/channels/board/posts")
        assert answer.json() == ["Тут"]
        assert app.state.publisher.page_url("board", "/posts").endswith("/channels/board/posts")
    assert not [route for route in app.routes if "board" in str(getattr(route, "path", ""))]


async def test_operators_see_pause_and_resume_channels_by_command(
    settings: PublisherSettings, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHANNELS", "site,board")
    monkeypatch.setenv("MONGO_URL", settings.mongo_url.get_secret_value())
    await stands(publisher, State.OPEN)

    async def command(*arguments: str) -> tuple[int, str]:
        result = await asyncio.to_thread(CliRunner().invoke, commands, ["channels", *arguments])
        return result.exit_code, result.output

    code, out = await command("pause", "board", "--reason", "ремонт")
    assert (code, "board pauses" in out) == (0, True)
    await stands(publisher, State.PAUSED)
    code, out = await command("list")
    lines = {line.split()[0]: line.split() for line in out.splitlines()}
    assert lines["site"][1] == "open"
    assert (lines["board"][1], lines["board"][-1]) == ("paused", "ремонт")
    await command("resume", "board")
    await stands(publisher, State.OPEN)
    code, out = await command("pause", "pigeon")
    assert code == 1
    assert "pigeon is not on; those that are: site, board" in out
