"""What the publisher promises any channel, on one that may not be called twice."""

from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from services.publisher.app import Publisher
from services.publisher.channels.interface import Posted, Settlement
from services.publisher.channels.registry import UnknownChannel
from services.publisher.settings import PublisherSettings
from services.publisher.settling import Doubts
from shared.bus import PUBLISHER_SETTLEMENTS, channel_queue
from shared.bus.parked import ParkedMessages
from shared.events import Outcome, new_id
from shared.publication import Fact
from shared.settlement import SettlementOrder
from tests.rabbit import depth
from tests.samples import corrected, fact, publication, withdrawn
from tests.services.publisher.board import Board, Fault, posted_on_board
from tests.services.publisher.conftest import Desk
from tests.waiting import eventually


async def outcomes(reports: Desk, *, until: Callable[[list[Outcome]], bool]) -> list[Outcome]:
    """Outcomes in the order of their reports, once they are as expected."""

    async def told() -> list[Outcome] | None:
        found = [report.data.outcome for report in await reports.heard()]
        return found if until(found) else None

    return await eventually(told)


async def test_a_channel_publishes_corrects_and_withdraws(reports: Desk, board: Board) -> None:
    first = posted_on_board()
    second = corrected(first, title="Уточнено")
    for event, outcome in (
        (fact(first), Outcome.PUBLISHED),
        (fact(second), Outcome.UPDATED),
        (fact(withdrawn(second), Fact.WITHDRAWN), Outcome.REMOVED),
    ):
        await reports.emit(event)
        assert (await reports.report_of(event)).data.outcome is outcome
    assert board.calls == ["publish", "update", "withdraw"]
    assert board.posts == {}


async def test_a_withdrawal_that_overtakes_the_release_keeps_it_from_appearing(
    reports: Desk, board: Board
) -> None:
    first = posted_on_board()
    gone = fact(withdrawn(first), Fact.WITHDRAWN)
    await reports.emit(gone)
    assert (await reports.report_of(gone)).data.outcome is Outcome.SKIPPED
    await reports.emit(fact(first))
    await reports.idle()
    assert board.posts == {}
    assert "publish" not in board.calls


async def test_what_a_channel_does_not_take_is_skipped_with_its_reason(reports: Desk, board: Board) -> None:
    event = fact(publication("regulatory_act", targets=("board",)))
    await reports.emit(event)
    report = await reports.report_of(event)
    assert report.data.outcome is Outcome.SKIPPED
    assert report.data.reason == "Дошка не приймає актів."
    assert board.calls == []


async def test_throttling_is_told_retried_and_over(reports: Desk, board: Board) -> None:
    board.faults.append(Fault.THROTTLED)
    event = fact(posted_on_board())
    await reports.emit(event)
    found = await outcomes(reports, until=lambda found: len(found) == 2)
    assert found == [Outcome.RETRYING, Outcome.PUBLISHED]
    retrying = reports.reports[0].data
    assert retrying.attempt == 1
    assert retrying.reason is not None
    assert retrying.reason.startswith("Дошка просить зачекати. Спроба 1 не вдалася, наступна через")
    assert "find" not in board.calls, "nothing was in doubt"


async def test_a_refusal_is_final_and_a_parked_message_can_be_sent_again(
    reports: Desk, board: Board, settings: PublisherSettings
) -> None:
    board.faults.append(Fault.REFUSED)
    event = fact(posted_on_board())
    await reports.emit(event)
    report = await reports.report_of(event)
    assert report.data.outcome is Outcome.FAILED
    assert report.data.reason == "Дошка не приймає такого тексту. Відкладено: потрібне рішення людини."
    queue = channel_queue("board")

    async def parked() -> bool:
        return await depth(settings, f"parked.{queue}") == 1

    await eventually(parked)
    await ParkedMessages(settings.amqp_url.get_secret_value(), [queue]).retry([str(event.id)])
    found = await outcomes(reports, until=lambda found: len(found) == 2)
    assert found == [Outcome.FAILED, Outcome.PUBLISHED]
    assert list(board.posts.values()) == [event.data.content.title]


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.CUT_AFTER, Fault.HANGS_AFTER])
async def test_a_call_in_doubt_is_looked_up_and_nothing_is_posted_twice(
    fault: Fault, reports: Desk, board: Board
) -> None:
    board.faults.append(fault)
    event = fact(posted_on_board())
    await reports.emit(event)
    found = await outcomes(reports, until=lambda found: Outcome.PUBLISHED in found)
    assert found == [Outcome.UNCONFIRMED, Outcome.PUBLISHED]
    assert len(board.posts) == len(board.whose) == 1
    assert "find" in board.calls
    assert board.calls.count("publish") == (2 if fault is Fault.CUT_BEFORE else 1)


async def test_what_a_call_remembered_is_there_when_it_is_made_again(reports: Desk, board: Board) -> None:
    board.faults.append(Fault.CUT_BEFORE)
    event = fact(posted_on_board())
    await reports.emit(event)
    await reports.report_of(event)
    assert board.remembered == [{}, {"upload": 1}]


async def test_a_withdrawal_takes_down_what_a_call_in_doubt_put_up(reports: Desk, board: Board) -> None:
    board.can_be_asked = False
    board.faults.append(Fault.CUT_AFTER)
    first = posted_on_board()
    await reports.emit(fact(first))
    await outcomes(reports, until=lambda found: len(found) >= 2)
    assert len(board.posts) == 1
    board.can_be_asked = True
    gone = fact(withdrawn(first), Fact.WITHDRAWN)
    await reports.emit(gone)
    assert (await reports.report_of(gone)).data.outcome is Outcome.REMOVED
    assert board.posts == {}


@pytest.mark.parametrize("there", [True, False])
async def test_what_no_channel_can_tell_a_person_settles(
    there: bool, reports: Desk, board: Board, settings: PublisherSettings
) -> None:
    """It stays unconfirmed, untouched, until somebody looked: then it ends as if it had been known."""
    board.can_be_asked = False
    board.faults.append(Fault.CUT_AFTER if there else Fault.CUT_BEFORE)
    first = posted_on_board()
    await reports.emit(fact(first))
    found = await outcomes(reports, until=lambda found: len(found) == 2)
    assert found == [Outcome.UNCONFIRMED, Outcome.UNCONFIRMED]
    assert reports.reports[-1].data.reason == "Дошку неможливо перевірити: подивіться самі."
    await reports.idle("board")
    assert board.calls == ["publish", "find"]

    doubts = Doubts(settings)
    assert await doubts.lines() == [f"board  {first.id}  {first.content.title}"]
    if there:
        assert await doubts.there("board", first.id, url="https://board.example/1", remote='{"number": 1}')
    else:
        assert await doubts.again("board", first.id)
    report = await reports.report_of(fact(first))
    assert report.data.outcome is Outcome.PUBLISHED
    assert report.data.url == "https://board.example/1"
    assert len(board.posts) == len(board.whose) == 1
    assert await doubts.lines() == []
    assert not await doubts.again("board", first.id)


async def test_a_person_settles_from_the_receipt_by_the_address_of_the_post(
    reports: Desk, board: Board, publisher: Publisher
) -> None:
    board.can_be_asked = False
    board.faults.append(Fault.CUT_AFTER)
    first = posted_on_board()
    await reports.emit(fact(first))
    await outcomes(reports, until=lambda found: len(found) == 2)
    assert [report.data.in_doubt for report in reports.reports] == [False, True]
    seen = SettlementOrder(
        publication_id=first.id, channel="board", there=True, url="https://board.example/1"
    )
    for _ in range(2):
        await publisher.bus.send(PUBLISHER_SETTLEMENTS, seen.encode(), message_id=str(new_id()))
    report = await reports.report_of(fact(first))
    assert (report.data.outcome, report.data.in_doubt) == (Outcome.PUBLISHED, False)
    second = corrected(first, title="Уточнено")
    await reports.emit(fact(second))
    await reports.report_of(fact(second))
    assert board.posts == {1: "Уточнено"}


async def test_an_outcome_that_comes_later_is_settled_by_the_channel(reports: Desk, board: Board) -> None:
    """A newspaper's editor answers days after the copy was handed over."""
    board.awaiting = "Чекаємо на відповідь редакції."
    first = posted_on_board()
    await reports.emit(fact(first))
    await outcomes(reports, until=lambda found: found == [Outcome.UNCONFIRMED])
    assert board.surroundings is not None
    printed = Posted(remote={"number": 1}, url="https://board.example/issue", note="Випуск 47, с. 3.")
    await board.surroundings.settle("board", first.id, Settlement(posted=printed))
    report = await reports.report_of(fact(first))
    assert (report.data.outcome, report.data.reason) == (Outcome.PUBLISHED, "Випуск 47, с. 3.")
    assert await board.surroundings.posted(first.id, "board") == printed


async def test_a_channel_sees_where_another_one_shows_a_publication(reports: Desk, board: Board) -> None:
    first = publication(targets=("site",))
    await reports.emit(fact(first))
    await reports.report_of(fact(first))
    assert board.surroundings is not None
    on_site = await board.surroundings.posted(first.id, "site")
    assert on_site is not None
    assert on_site.url is not None
    assert await board.surroundings.posted(first.id, "board") is None


async def test_a_channel_that_fails_holds_up_no_other(reports: Desk, board: Board, site_root: Path) -> None:
    board.faults.extend([Fault.THROTTLED] * 3)
    event = fact(publication(targets=("site", "board")))
    await reports.emit(event)

    async def failed() -> bool:
        told = {(report.data.target, report.data.outcome) for report in await reports.heard()}
        return {("site", Outcome.PUBLISHED), ("board", Outcome.FAILED)} <= told

    await eventually(failed)


async def test_outcomes_and_the_time_they_took_are_measured(reports: Desk, board: Board) -> None:
    def count() -> float:
        return REGISTRY.get_sample_value("visnyk_end_to_end_seconds_count", {"target": "board"}) or 0

    before = count()
    event = fact(posted_on_board())
    await reports.emit(event)
    await reports.report_of(event)
    assert count() == before + 1
    await reports.emit(event)
    await reports.reported(2)
    assert count() == before + 1, "a redelivery is no second effect"


def test_a_channel_that_nobody_wrote_is_named_at_the_start(settings: PublisherSettings) -> None:
    unknown = settings.model_copy(update={"channels": ("site", "pigeon")})
    with pytest.raises(UnknownChannel, match="pigeon"):
        Publisher(unknown)
    with pytest.raises(UnknownChannel, match="interface"):
        Publisher(settings.model_copy(update={"channels": ("interface",)}))
