"""Live broadcasts on YouTube: announced with their hour, moved, called off, never announced twice."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.publisher.channels.interface import Halted, Unconfirmed
from shared.bus import Later, Permanent
from shared.events import now
from shared.mongo import Mongo
from shared.publication import Publication
from shared.settings import SharedSettings
from tests.platforms.platform import Fault, run
from tests.platforms.youtube import YoutubePlatform
from tests.samples import corrected, publication, withdrawn
from tests.services.publisher.channels.youtube_account import PAGE, Account, opened

TITLE = "Сесія міської ради наживо"


@pytest.fixture
async def account(shared_settings: SharedSettings, mongo: Mongo) -> AsyncIterator[Account]:
    world = await run(YoutubePlatform())
    async with opened(shared_settings, mongo.database, world, listing_delay=3600) as account:
        yield account
    await world.stop()


def on_air(at: datetime, **details: object) -> dict[str, Any]:
    return {
        "series": "Луцьк європейський",
        "station": "YouTube міської ради",
        "medium": "online",
        "airs_at": at.isoformat(),
        "guests": [{"name": "Ірина Мельник", "post": "депутатка"}],
        **details,
    }


def announced(at: datetime, **details: object) -> Publication:
    content = {"title": TITLE, "broadcast": on_air(at, **details)}
    return publication("broadcast", content=content, targets=("youtube",))


def moved(of: Publication, at: datetime, **details: object) -> Publication:
    return corrected(of, broadcast=on_air(at, **details))


TOMORROW = now().replace(microsecond=0) + timedelta(days=1)


async def test_a_broadcast_is_announced_with_its_hour_and_moved_with_it(account: Account) -> None:
    first = announced(TOMORROW)
    posted = await account.publish(first)
    (kept,) = account.platform.broadcasts.values()
    assert datetime.fromisoformat(kept.snippet["scheduledStartTime"]) == TOMORROW
    assert kept.snippet["title"] == TITLE
    assert kept.status["privacyStatus"] == "public"
    assert PAGE in kept.snippet["description"]
    assert "Ірина Мельник, депутатка" in kept.snippet["description"]
    later = TOMORROW + timedelta(hours=3)
    kept.snippet["scheduledEndTime"] = TOMORROW.isoformat()
    after = await account.update(moved(first, later), posted)
    assert after.remote == posted.remote
    assert datetime.fromisoformat(kept.snippet["scheduledStartTime"]) == later
    assert "scheduledEndTime" not in kept.snippet, "it belonged to the former hour"


async def test_one_that_is_withdrawn_before_it_begins_is_deleted(account: Account) -> None:
    first = announced(TOMORROW)
    posted = await account.publish(first)
    for _ in range(2):
        await account.withdraw(withdrawn(first), posted)
    assert account.platform.broadcasts == {}


async def test_the_recording_of_one_that_was_aired_is_kept_in_private(account: Account) -> None:
    first = announced(TOMORROW)
    posted = await account.publish(first)
    (kept,) = account.platform.broadcasts.values()
    kept.status["lifeCycleStatus"] = "complete"
    await account.update(moved(first, TOMORROW, state="aired"), posted)
    assert len(account.platform.shown()) == 1, "what was aired stays"
    for _ in range(2):
        await account.withdraw(withdrawn(first), posted)
    assert account.platform.shown() == []
    assert kept.status["privacyStatus"] == "private"


async def test_one_that_is_called_off_is_taken_down_and_may_be_announced_again(account: Account) -> None:
    first = announced(TOMORROW)
    off = moved(first, TOMORROW, state="cancelled")
    posted = await account.publish(first)
    assert account.channel.takes(off) == "Ефір скасовано."
    await account.withdraw(off, posted)
    again = await account.publish(moved(off, TOMORROW))
    assert again.remote != posted.remote
    assert len(account.platform.shown()) == 1


@pytest.mark.parametrize("fault", [Fault.CUT_AFTER, Fault.HANGS_AFTER, Fault.SERVER_ERROR_AFTER])
async def test_one_that_was_perhaps_announced_is_looked_up_before_it_is_announced_again(
    fault: Fault, account: Account
) -> None:
    first = announced(TOMORROW)
    account.platform.faults.append(fault)
    with pytest.raises(Unconfirmed):
        await account.publish(first)
    account.platform.lists_uploads = False
    with pytest.raises(Unconfirmed):
        await account.publish(first)
    account.platform.lists_uploads = True
    await account.publish(first)
    assert len(account.platform.broadcasts) == 1
    await account.withdraw(withdrawn(first), None)
    assert account.platform.broadcasts == {}


async def test_a_withdrawal_finds_what_was_perhaps_announced(account: Account) -> None:
    first = announced(TOMORROW)
    account.platform.faults.append(Fault.CUT_AFTER)
    with pytest.raises(Unconfirmed):
        await account.publish(first)
    await account.withdraw(withdrawn(first), None)
    assert account.platform.broadcasts == {}


async def test_one_that_was_certainly_not_announced_is_announced_at_once(account: Account) -> None:
    first = announced(TOMORROW)
    account.platform.faults.append(Fault.THROTTLED)
    with pytest.raises(Later):
        await account.publish(first)
    await account.publish(first)
    assert len(account.platform.broadcasts) == 1


async def test_one_whose_hour_is_past_is_skipped_with_the_reason(account: Account) -> None:
    late = announced(now() - timedelta(hours=1))
    posted = await account.publish(late)
    assert posted.awaiting is not None
    await account.channel.watch.look()
    ((id, settlement),) = account.around.settled
    assert id == late.id
    assert settlement.posted is None
    assert settlement.reason is not None
    assert "уже минув" in settlement.reason
    assert account.platform.broadcasts == {}


async def test_an_account_without_live_streaming_fails_only_the_broadcast(account: Account) -> None:
    first = announced(TOMORROW)
    account.platform.errors.append((403, "liveStreamingNotEnabled"))
    with pytest.raises(Permanent, match="прямих трансляцій"):
        await account.publish(first)
    account.platform.errors.append((403, "forbidden"))
    with pytest.raises(Halted):
        await account.publish(first)


@pytest.mark.parametrize("medium", ["tv", "radio"])
def test_what_is_aired_elsewhere_is_not_announced(medium: str, account: Account) -> None:
    refusal = account.channel.takes(announced(TOMORROW, medium=medium))
    assert refusal is not None
    assert "ефіри в мережі" in refusal
