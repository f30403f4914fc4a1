"""A limit of mails per second, spread evenly: a mail server takes a burst worse than a stream."""

import asyncio


class Pace:
    """Lets callers through at most so often per second; 0 is no limit."""

    def __init__(self, per_second: float) -> None:
        self._interval = 1 / per_second if per_second > 0 else 0.0
        self._next = 0.0

    async def wait(self) -> None:
        """Return when it is the caller's turn; callers come in the order in which they asked."""
        if self._interval:
            await asyncio.sleep(self.take_turn(asyncio.get_running_loop().time()))

    def take_turn(self, now: float) -> float:
        """Take the next turn that is free at `now`; return the seconds until it comes."""
        turn = max(now, self._next)
        self._next = turn + self._interval
        return turn - now
