"""Processor time: what a round cost all processes together, which others at work hardly change."""

import contextlib
import resource

import psutil


def spent() -> float:
    """Seconds that this process and all below it have run, those that ended included.

    Servers named by AMQP_URL and MONGO_URL aren't below it and so not counted.
    """
    total = _both(resource.RUSAGE_SELF) + _both(resource.RUSAGE_CHILDREN)
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:4])
    return total


def _both(whose: int) -> float:
    used = resource.getrusage(whose)
    return used.ru_utime + used.ru_stime
