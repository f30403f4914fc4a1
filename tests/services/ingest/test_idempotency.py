"""One Idempotency-Key, one effect: however often, however close together, on whichever process."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from services.ingest.keys import Register
from tests.samples import submission
from tests.services.ingest.conftest import EDUCATION, Heard, Running, accepted, problem, revision
from tests.waiting import eventually

KEY = {"Idempotency-Key": "5f0c-1"}
SEEN = {"If-Match": '"1"'}


async def post(running: Running, /, **fields: Any) -> httpx.Response:
    """Submit with the key."""
    return await running.client.post("/v1/publications", json=submission(**fields), headers=KEY)


async def test_the_same_key_and_body_get_the_same_answer(desk: Running) -> None:
    first, second = await post(desk), await post(desk)
    assert accepted(second) == accepted(first)
    assert second.headers["Location"] == first.headers["Location"]
    assert second.headers["ETag"] == first.headers["ETag"]


async def test_another_order_of_members_is_the_same_body(desk: Running) -> None:
    body = submission()
    first = await desk.client.post("/v1/publications", json=body, headers=KEY)
    turned = dict(reversed(body.items()))
    assert accepted(await desk.client.post("/v1/publications", json=turned, headers=KEY)) == accepted(first)


async def test_the_same_key_with_another_body_is_refused(desk: Running) -> None:
    accepted(await post(desk))
    refused = problem(await post(desk, title="Інша назва"), 422)
    assert refused["type"] == "/problems/idempotency-key-reused"


async def test_without_a_key_every_request_counts(desk: Running) -> None:
    assert (await desk.submit())["id"] != (await desk.submit())["id"]


async def test_another_department_may_use_the_same_key(desk: Running, register: Register) -> None:
    first = accepted(await post(desk))
    desk.client.headers["Authorization"] = f"Bearer {await register.make_key(EDUCATION.id, '')}"
    assert accepted(await post(desk, title="Від освітян"))["id"] != first["id"]


async def test_another_key_of_the_department_gets_the_same_answer(desk: Running, register: Register) -> None:
    """The department keeps its word, whichever of its keys it comes with."""
    first = accepted(await post(desk))
    desk.client.headers["Authorization"] = f"Bearer {await register.make_key('transport', '')}"
    assert accepted(await post(desk)) == first


async def put(running: Running, id: str, /, **fields: Any) -> httpx.Response:
    """Revise with the key."""
    return await running.client.put(f"/v1/publications/{id}", json=revision(**fields), headers=KEY | SEEN)


async def take_back(running: Running, id: str, /, reason: str = "Помилка.") -> httpx.Response:
    """Withdraw with the key."""
    return await running.client.post(
        f"/v1/publications/{id}/withdrawal", json={"reason": reason}, headers=KEY
    )


Change = Callable[..., Awaitable[httpx.Response]]


@pytest.mark.parametrize(("change", "revision_after"), [(put, 2), (take_back, 1)])
async def test_a_change_is_made_once(desk: Running, change: Change, revision_after: int) -> None:
    """The second of two is answered as the first was, though its revision is outdated by then."""
    id = (await desk.submit())["id"]
    first = accepted(await change(desk, id))
    assert first["revision"] == revision_after
    assert accepted(await change(desk, id)) == first


async def test_a_key_belongs_to_one_request(desk: Running) -> None:
    """To one route, one publication, one body, one If-Match."""
    id, other = (await desk.submit())["id"], (await desk.submit())["id"]
    accepted(await put(desk, id))
    problem(await put(desk, id, title="Інша назва"), 422)
    problem(await put(desk, other), 422)
    problem(await take_back(desk, id), 422)
    problem(await post(desk), 422)
    outdated = await desk.client.put(
        f"/v1/publications/{id}", json=revision(), headers=KEY | {"If-Match": '"2"'}
    )
    problem(outdated, 422)


async def test_a_refused_request_does_not_use_up_its_key(desk: Running) -> None:
    problem(await post(desk, title=""), 422)
    accepted(await post(desk))


async def test_twenty_at_once_are_one_publication(three: list[Running], heard: Heard) -> None:
    """On three processes; all are answered alike, and the bus hears of one."""
    answers = await asyncio.gather(*(post(three[n % 3]) for n in range(20)))
    bodies = [accepted(answer) for answer in answers]
    assert bodies == [bodies[0]] * 20

    async def emitted() -> bool:
        return await heard.of(bodies[0]["id"]) == [("released", 1)]

    await eventually(emitted)
    assert {event.subject for event in heard.events} == {event.subject for event in heard.events[:1]}


@pytest.mark.parametrize("change", [put, take_back])
async def test_twenty_changes_at_once_are_one(three: list[Running], heard: Heard, change: Change) -> None:
    id = (await three[0].submit())["id"]
    answers = await asyncio.gather(*(change(three[n % 3], id) for n in range(20)))
    bodies = [accepted(answer) for answer in answers]
    assert bodies == [bodies[0]] * 20

    async def emitted() -> bool:
        return len(await heard.of(id)) == 2

    await eventually(emitted)


async def test_one_of_two_bodies_at_once_wins(three: list[Running]) -> None:
    """The other is refused, never taken beside it."""
    answers = await asyncio.gather(*(post(three[n % 3], title=f"Назва {n % 2}") for n in range(20)))
    by_status: dict[int, list[httpx.Response]] = {}
    for answer in answers:
        by_status.setdefault(answer.status_code, []).append(answer)
    assert {status: len(found) for status, found in by_status.items()} == {202: 10, 422: 10}
    assert len({answer.json()["id"] for answer in by_status[202]}) == 1


@pytest.mark.parametrize(
    ("value", "status"),
    [(b"~" * 255, 202), (b"!", 202), ("я".encode(), 400), (b"~" * 256, 400), (b"", 400), (b"a b", 400)],
    ids=["longest", "shortest", "not ASCII", "too long", "empty", "with a space"],
)
async def test_a_key_is_short_and_visible(desk: Running, value: bytes, status: int) -> None:
    request = desk.client.build_request("POST", "/v1/publications", json=submission())
    request.headers = httpx.Headers([*request.headers.raw, (b"Idempotency-Key", value)])
    answer = await desk.client.send(request)
    assert answer.status_code == status, answer.text
