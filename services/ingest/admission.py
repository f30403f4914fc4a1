"""Who may come to the desk, and how often."""

import time

from fastapi import Request
from fastapi.security.utils import get_authorization_scheme_param
from limits import RateLimitItem
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from services.ingest.keys import Register
from shared.publication import Department
from shared.web import Problem


class Admission:
    """Asked before anything of a request is read.

    The limit is one process's: two of them admit twice as many.
    """

    def __init__(self, register: Register, rate: RateLimitItem) -> None:
        self._register = register
        self._rate = rate
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def department(self, request: Request) -> Department:
        """The department whose key it is. Raises 401 without a valid key, 429 over the limit of requests."""
        scheme, key = get_authorization_scheme_param(request.headers.get("Authorization"))
        holder = await self._register.holder(key) if key and scheme.lower() == "bearer" else None
        if holder is None:
            raise Problem(
                401,
                "no-valid-key",
                "Send the department's key: Authorization: Bearer <key>.",
                headers={"WWW-Authenticate": 'Bearer realm="visnyk"'},
            )
        if not await self._limiter.hit(self._rate, key):
            window = await self._limiter.get_window_stats(self._rate, key)
            wait = max(1, round(window.reset_time - time.time() + 0.5))
            raise Problem(
                429,
                "too-many-requests",
                f"This key may make {self._rate.amount} requests in {_span(self._rate)}; "
                f"come back in {wait} s.",
                headers={"Retry-After": str(wait)},
            )
        return holder


def _span(rate: RateLimitItem) -> str:
    """Seconds, minutes, hours as the rate was given: `minute`, `5 minute`."""
    name = rate.GRANULARITY.name
    return name if rate.multiples == 1 else f"{rate.multiples} {name}s"
