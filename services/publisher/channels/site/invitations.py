"""Events for people's calendars: iCalendar (RFC 5545), one file beside the page."""

from datetime import UTC, timedelta

from icalendar import Calendar
from icalendar import Event as Entry

from services.publisher.channels.site.pages import Page
from shared.publication import Event

NAME = "event.ics"
_AN_HOUR = timedelta(hours=1)
"""How long an event is taken to be that doesn't say."""


def invitation(page: Page, url: str, site_name: str) -> bytes | None:
    """The event's file, None where the publication is none; cancelled where it was withdrawn.

    The UID never changes and SEQUENCE grows with each revision, so that calendars replace what they have:
    https://www.rfc-editor.org/rfc/rfc5545#section-3.8.7.4. Hours are UTC, which needs no table of zones.
    """
    content = page.publication.content
    if not isinstance(content, Event):
        return None
    event, withdrawal = content.event, page.publication.withdrawal
    entry = Entry()
    entry.add("uid", f"urn:uuid:{page.id}")
    entry.add("sequence", page.publication.revision + (withdrawal is not None))
    entry.add("dtstamp", page.changed_at.astimezone(UTC))
    entry.add("last-modified", page.changed_at.astimezone(UTC))
    entry.add("dtstart", event.starts_at.astimezone(UTC))
    entry.add("dtend", (event.ends_at or event.starts_at + _AN_HOUR).astimezone(UTC))
    entry.add("summary", page.title)
    entry.add("status", "CONFIRMED" if withdrawal is None else "CANCELLED")
    entry.add("url", url)
    if withdrawal is None:
        entry.add("location", event.place)
        agenda = f"\n\n{event.agenda}" if event.agenda else ""
        entry.add("description", f"{page.lead}{agenda}\n\n{url}")
    calendar = Calendar()
    calendar.add("prodid", f"-//{site_name}//Visnyk//UK")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH" if withdrawal is None else "CANCEL")
    calendar.add_component(entry)
    return bytes(calendar.to_ical())
