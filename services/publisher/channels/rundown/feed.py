"""Calendar feeds of a rundown: RFC 5545 and, for the time between two fetches, RFC 7986.

https://www.rfc-editor.org/rfc/rfc5545#section-3.8.7, https://www.rfc-editor.org/rfc/rfc7986#section-5.7
"""

from collections.abc import Iterable
from datetime import UTC, timedelta

from icalendar import Calendar, Event
from icalendar.prop import vDuration

from services.publisher.channels.rundown.airing import Airing

_REFRESH = timedelta(hours=1)


def calendar_of(name: str, airings: Iterable[Airing], *, domain: str) -> bytes:
    """A calendar of broadcasts; hours in UTC. No end is given: nobody hands one in."""
    calendar = Calendar()
    calendar.add("prodid", "-//Visnyk//Rundown//UK")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("name", name)
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval", vDuration(_REFRESH), parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", vDuration(_REFRESH))
    for airing in airings:
        calendar.add_component(_event(airing, domain))
    return bytes(calendar.to_ical())


def _event(airing: Airing, domain: str) -> Event:
    """What was taken out says so, and nothing of what it was about."""
    event = Event()
    changed = airing.changed_at.astimezone(UTC).replace(microsecond=0)
    event.add("uid", f"{airing.id}@{domain}")
    event.add("dtstamp", changed)
    event.add("last-modified", changed)
    event.add("sequence", airing.sequence)
    event.add("dtstart", airing.airs_at.astimezone(UTC))
    event.add("location", airing.station)
    if not airing.listed:
        event.add("summary", airing.series)
        event.add("status", "CANCELLED")
        return event
    event.add("summary", f"{airing.series}: {airing.title}")
    told = [airing.title, f"Гості: {airing.guests_line}" if airing.guests else "", airing.state_line]
    event.add("description", "\n".join(line for line in told if line))
    event.add("status", "CANCELLED" if airing.state == "cancelled" else "CONFIRMED")
    return event
