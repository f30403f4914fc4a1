"""Who may come to the desk, and how often."""

import time
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from limits import RateLimitItem
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from services.ingest.keys import Register
from shared.publication import Department
from shared.web import Problem

_bearer = HTTPBearer(auto_error=False, description="A department's key.")


class Admission:
    """Asked before anything of a request is read.

    The limit is one process's: two of them admit twice as many.
    """

    def __init__(self, register: Register, rate: RateLimitItem) -> None:
        self._register = register
        self._rate = rate
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def __call__(
        self, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> Department:
        """The department whose key it is. Raises 401 without a valid key, 429 over the limit of requests."""
        holder = None if credentials is None else await self._register.holder(credentials.credentials)
        if credentials is None or holder is None:
            raise Problem(
                401,
                "no-valid-key",
                "Send the department's key: Authorization: Bearer <key>.",
                headers={"WWW-Authenticate": 'Bearer realm="visnyk"'},
            )
        if not await self._limiter.hit(self._rate, credentials.credentials):
            window = await self._limiter.get_window_stats(self._rate, credentials.credentials)
            wait = max(1, round(window.reset_time - time.time() + 0.5))
            raise Problem(
                429,
                "too-many-requests",
                f"This key may make {self._rate} requests.",
                headers={"Retry-After": str(wait)},
            )
        return holder
