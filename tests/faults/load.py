"""A department that never gives up: it submits, corrects and withdraws through faults, and remembers."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from tests.city import City
from tests.samples import submission

PATIENCE = 90.0
"""Seconds after which a request that was never answered for good is a failure of the test."""


@dataclass
class Accepted:
    """What the department knows about one publication: the model that the system is held against."""

    id: str
    title: str
    label: str
    """The part of the title that no revision changes, and no other publication has."""
    revision: int = 1
    withdrawn: bool = False


@dataclass
class Department:
    """Submits as fast as it is answered, with a fixed number of requests under way."""

    city: City
    seed: int
    at_once: int = 8
    accepted: list[Accepted] = field(default_factory=list)
    retried: int = 0

    async def hand_in(
        self,
        count: int,
        *,
        change: bool = False,
        progress: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        """Submit `count` publications; with `change`, a third is corrected and a fifth withdrawn.

        `progress` is awaited with the number accepted so far, after each: the place to break something.
        """
        chance = random.Random(self.seed)
        plans = [
            (i, change and chance.random() < 1 / 3, change and chance.random() < 1 / 5) for i in range(count)
        ]
        slots = asyncio.Semaphore(self.at_once)
        async with self.city.desk() as desk:

            async def one(number: int, correct: bool, withdraw: bool) -> None:
                async with slots:
                    publication = await self._submit(desk, number)
                    self.accepted.append(publication)
                    if progress is not None:
                        await progress(len(self.accepted))
                    if correct:
                        await self._correct(desk, publication)
                    if withdraw:
                        await self._withdraw(desk, publication)

            async with asyncio.TaskGroup() as group:
                for plan in plans:
                    group.create_task(one(*plan))

    async def _submit(self, desk: httpx.AsyncClient, number: int) -> Accepted:
        label = f"Повідомлення № {number}:"
        title = f"{label} тролейбус змінює маршрут"
        answer = await self._until_accepted(desk, "POST", "/v1/publications", submission(title=title))
        return Accepted(answer["id"], title, label)

    async def _correct(self, desk: httpx.AsyncClient, publication: Accepted) -> None:
        publication.title = f"{publication.title} (уточнено)"
        body = submission(title=publication.title) | {
            "change": {"significance": "major", "note": "Уточнено назву зупинки."}
        }
        await self._until_accepted(
            desk, "PUT", f"/v1/publications/{publication.id}", body, {"If-Match": f'"{publication.revision}"'}
        )
        publication.revision += 1

    async def _withdraw(self, desk: httpx.AsyncClient, publication: Accepted) -> None:
        await self._until_accepted(
            desk, "POST", f"/v1/publications/{publication.id}/withdrawal", {"reason": "Маршрут не змінено."}
        )
        publication.withdrawn = True

    async def _until_accepted(
        self,
        desk: httpx.AsyncClient,
        method: str,
        path: str,
        body: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """Send the same request with the same Idempotency-Key until it is accepted."""
        key = {"Idempotency-Key": str(uuid4())}
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    answer = await desk.request(method, path, json=body, headers=key | (headers or {}))
                except httpx.TransportError:
                    self.retried += 1
                else:
                    if answer.status_code == httpx.codes.ACCEPTED:
                        accepted: dict[str, Any] = answer.json()
                        return accepted
                    assert answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR, answer.text
                    self.retried += 1
                await asyncio.sleep(random.uniform(0.02, 0.1))
