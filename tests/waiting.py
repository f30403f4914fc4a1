"""Waiting for a condition, with a bound, instead of for a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(
    condition: Callable[[], Awaitable[T | None]], *, within: float = 30, every: float = 0.05
) -> T:
    """Ask until the answer is truthy and return it; fail after `within` seconds with the last answer."""
    until = time.monotonic() + within
    while True:
        answer = await condition()
        if answer:
            return answer
        if time.monotonic() > until:
            raise AssertionError(f"not within {within:g} s; last answer: {answer!r}")
        await asyncio.sleep(every)
