"""Publications that wait for an hour: they come to the bus at it, not before."""

from datetime import timedelta

import pytest

from services.ingest.settings import IngestSettings
from shared.events import now
from shared.publication import Fact
from tests.services.ingest.conftest import Heard, Running, accepted, run_ingest
from tests.waiting import eventually


def hence(**span: float) -> str:
    """An hour from now on."""
    return (now() + timedelta(**span)).isoformat()


async def heard_of(heard: Heard, id: str, *facts: tuple[str, int]) -> None:
    """Wait until exactly these were heard, in this order."""

    async def all_heard() -> bool:
        return await heard.of(id) == list(facts)

    await eventually(all_heard)


@pytest.mark.parametrize(
    ("field", "fact", "targets"),
    [
        ("release_at", "scheduled", ("site", "mail")),
        ("embargo_until", "advance", ("advance", "site", "mail")),
    ],
)
async def test_it_is_announced_at_once_and_released_at_its_hour(
    ingest: Running, heard: Heard, field: str, fact: str, targets: tuple[str, ...]
) -> None:
    body = await ingest.submit(**{field: hence(seconds=3)})
    await heard_of(heard, body["id"], (fact, 1))
    first = await heard.latest(body["id"])
    assert not first.data.was_released
    assert first.data.targets == targets
    await heard_of(heard, body["id"], (fact, 1), ("released", 1))
    released = await heard.latest(body["id"])
    hour = getattr(released.data.content, field)
    assert released.data.released_at is not None
    assert released.data.released_at >= hour
    assert released.data.targets == targets
    assert released.data.corrections == ()
    assert await ingest.ingest.outbox.due(now() + timedelta(days=1)) == []


async def test_before_its_hour_a_revision_is_no_correction(ingest: Running, heard: Heard) -> None:
    id = (await ingest.submit(release_at=hence(hours=1)))["id"]
    accepted(await ingest.revise(id, 1, title="Інша назва", release_at=hence(hours=2)))
    accepted(await ingest.revise(id, 2, title="Ще інша", embargo_until=hence(hours=3)))
    accepted(await ingest.revise(id, 3, title="Остання", release_at=hence(seconds=-1)))
    await heard_of(heard, id, ("scheduled", 1), ("scheduled", 2), ("advance", 3), ("released", 4))
    latest = (await heard.latest(id)).data
    assert latest.content.title == "Остання"
    assert latest.corrections == ()
    assert latest.targets == ("advance", "site", "mail")
    accepted(await ingest.revise(id, 4, title="Уточнена"))
    await heard_of(
        heard, id, ("scheduled", 1), ("scheduled", 2), ("advance", 3), ("released", 4), ("released", 5)
    )
    assert [each.revision for each in (await heard.latest(id)).data.corrections] == [5]


@pytest.mark.parametrize(("field", "fact"), [("release_at", "scheduled"), ("embargo_until", "advance")])
async def test_no_hour_ends_because_a_revision_forgot_it(
    ingest: Running, heard: Heard, field: str, fact: str
) -> None:
    hour = hence(hours=1)
    id = (await ingest.submit(**{field: hour}))["id"]
    accepted(await ingest.revise(id, 1, title="Без години"))
    await heard_of(heard, id, (fact, 1), (fact, 2))
    latest = (await heard.latest(id)).data
    assert not latest.was_released
    assert getattr(latest.content, field).isoformat()[:19] == hour[:19]


async def test_an_earlier_hour_takes_the_place_of_the_later_one(ingest: Running, heard: Heard) -> None:
    id = (await ingest.submit(embargo_until=hence(hours=1)))["id"]
    accepted(await ingest.revise(id, 1, embargo_until=hence(seconds=1.5)))
    await heard_of(heard, id, ("advance", 1), ("advance", 2), ("released", 2))


async def test_a_later_hour_takes_the_place_of_the_earlier_one(ingest: Running, heard: Heard) -> None:
    """At the earlier hour nothing happens: what comes after it is the withdrawal."""
    hour = now() + timedelta(seconds=1.5)
    id = (await ingest.submit(release_at=hour.isoformat()))["id"]
    accepted(await ingest.revise(id, 1, release_at=hence(hours=1)))
    marker = (await ingest.submit(release_at=(hour + timedelta(seconds=0.1)).isoformat()))["id"]
    await heard_of(heard, marker, ("scheduled", 1), ("released", 1))
    accepted(await ingest.withdraw(id))
    await heard_of(heard, id, ("scheduled", 1), ("scheduled", 2), ("withdrawn", 2))


async def test_what_was_taken_back_before_its_hour_is_never_released(ingest: Running, heard: Heard) -> None:
    hour = now() + timedelta(seconds=2)
    id = (await ingest.submit(embargo_until=hour.isoformat()))["id"]
    accepted(await ingest.withdraw(id))
    marker = (await ingest.submit(release_at=(hour + timedelta(seconds=0.1)).isoformat()))["id"]
    await heard_of(heard, marker, ("scheduled", 1), ("released", 1))
    await heard_of(heard, id, ("advance", 1), ("withdrawn", 1))
    withdrawn = await heard.latest(id)
    assert withdrawn.fact is Fact.WITHDRAWN
    assert not withdrawn.data.was_released


async def test_an_hour_that_came_while_nothing_ran_is_caught_up_with(
    settings: IngestSettings, key: str, heard: Heard
) -> None:
    hour = now() + timedelta(seconds=2)
    async with run_ingest(settings, key) as before:
        id = (await before.submit(release_at=hour.isoformat()))["id"]

    async def passed() -> bool:
        return now() > hour

    await eventually(passed)
    async with run_ingest(settings, key):
        await heard_of(heard, id, ("scheduled", 1), ("released", 1))


async def test_three_processes_release_each_once(three: list[Running], heard: Heard) -> None:
    """Thirty at one hour: each is released once, and each event put on the bus once."""
    hour = hence(seconds=3)
    ids = [(await three[n % 3].submit(release_at=hour))["id"] for n in range(30)]

    async def all_released() -> bool:
        events = await heard.more()
        return {str(event.subject) for event in events if event.fact is Fact.RELEASED} == set(ids)

    await eventually(all_released)

    async def settled() -> bool:
        return await three[0].ingest.outbox.oldest_unemitted() is None

    await eventually(settled)
    await heard.more()
    assert sorted(heard.times().values()) == [1] * 60
