"""How much of its limits the page has used, and how long to wait before the next call because of it.

https://developers.facebook.com/docs/graph-api/overview/rate-limiting/: the headers tell percentages, and a
call is refused from 100 on. Times until a limit is lifted are in minutes.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

CALM = 60.0
"""Per cent up to which nothing is slowed down."""
FULL = 100.0
SLOWEST = 60.0
"""Seconds between two calls just before the limit."""
OVER = 300.0
"""Seconds to wait at the limit, where Facebook doesn't say how long."""
LONGEST = 24 * 3600.0
_SHARES = ("call_count", "total_time", "total_cputime")
_REGAIN = "estimated_time_to_regain_access"


@dataclass(frozen=True)
class Usage:
    """The highest share of any limit."""

    percent: float = 0.0
    regain: float = 0.0
    """Seconds until calls are answered again; 0 where they are."""


def usage_of(headers: Mapping[str, str]) -> Usage:
    """What an answer's headers tell; none of them, or nonsense in them, is no usage."""
    limits = [
        *_limits(headers.get("X-App-Usage")),
        *_limits(headers.get("X-Page-Usage")),
        *_business(headers.get("X-Business-Use-Case-Usage")),
    ]
    return Usage(
        percent=max((_number(limit.get(share)) for limit in limits for share in _SHARES), default=0.0),
        regain=max((_number(limit.get(_REGAIN)) * 60 for limit in limits), default=0.0),
    )


def pause_after(usage: Usage) -> float:
    """Seconds to leave before the next call, at least as many as Facebook asks for."""
    over_calm = max(0.0, usage.percent - CALM) / (FULL - CALM)
    if usage.percent >= FULL and not usage.regain:
        return OVER
    return min(LONGEST, max(SLOWEST * min(1.0, over_calm) ** 2, usage.regain))


def _limits(header: str | None) -> Iterator[Mapping[str, JsonValue]]:
    parsed = _parsed(header)
    if isinstance(parsed, dict):
        yield parsed


def _business(header: str | None) -> Iterator[Mapping[str, JsonValue]]:
    """Those of its limits that are for pages; other products of the same business have their own."""
    parsed = _parsed(header)
    for entries in parsed.values() if isinstance(parsed, dict) else ():
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and entry.get("type", "pages") == "pages":
                yield entry


def _parsed(header: str | None) -> JsonValue:
    try:
        parsed: JsonValue = json.loads(header or "null")
    except ValueError:
        return None
    return parsed


def _number(value: JsonValue) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    # Also turns away NaN, which JSON as Python reads it may hold.
    return float(min(value, LONGEST)) if value > 0 else 0.0
