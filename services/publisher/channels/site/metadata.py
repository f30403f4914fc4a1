"""What machines read on a page: schema.org, in JSON-LD."""

import json
from collections.abc import Mapping, Sequence

from services.publisher.channels.site.attachments import picture, poster_path
from services.publisher.channels.site.dates import machine
from services.publisher.channels.site.pages import Page
from shared.publication import Broadcast, Event, Guest, MediaFile, RegulatoryAct
from shared.vocabulary import KIND_NAMES

_STATUS = {"cancelled": "https://schema.org/EventCancelled"}
_SCHEDULED = "https://schema.org/EventScheduled"
_HEADLINE = 110
"""Letters that search engines show of a headline."""

ISSUERS = {
    "city_council": "міська рада",
    "executive_committee": "виконавчий комітет міської ради",
    "mayor": "міський голова",
}

Thing = Mapping[str, object]


def json_ld(page: Page, *, url: str, site_name: str, site_url: str, embed: str | None = None) -> str:
    """The page's JSON-LD, safe inside a `<script>` element; `embed` is the player of its video."""
    things: list[Thing] = [_article(page, url, site_name, site_url)]
    content = page.publication.content
    if embed is not None and page.publication.videos:
        things.append(_video(page, embed, url, site_url))
    if isinstance(content, RegulatoryAct):
        things.append(_legislation(page, content, url))
    if isinstance(content, Event):
        things.append(_event(page, content, url))
    if isinstance(content, Broadcast):
        things.append(_broadcast(page, content, url))
    graph = {"@context": "https://schema.org", "@graph": [_without_nothing(thing) for thing in things]}
    return json.dumps(graph, ensure_ascii=False).replace("<", "\\u003c").replace("&", "\\u0026")


def _article(page: Page, url: str, site_name: str, site_url: str) -> Thing:
    return {
        "@type": "NewsArticle",
        "@id": f"urn:uuid:{page.id}",
        "headline": page.title[:_HEADLINE],
        "description": page.lead,
        "url": url,
        "mainEntityOfPage": url,
        "inLanguage": page.language,
        "datePublished": machine(page.released_at),
        "dateModified": machine(page.changed_at),
        "author": _organization(page.department),
        "publisher": {**_organization(site_name), "url": f"{site_url}/"},
        "isAccessibleForFree": True,
        "image": [_image(photo, site_url) for photo in page.publication.photos] or None,
        "correction": [
            {"@type": "CorrectionComment", "text": correction.note, "datePublished": machine(correction.at)}
            for correction in page.publication.corrections
        ]
        or None,
    }


def _image(photo: MediaFile, site_url: str) -> Thing:
    shown = picture(photo)
    return _without_nothing(
        {
            "@type": "ImageObject",
            "url": f"{site_url}{shown.path}",
            "width": shown.width,
            "height": shown.height,
            "description": photo.alt,
            "caption": photo.caption,
            "creditText": photo.author,
        }
    )


def _video(page: Page, embed: str, url: str, site_url: str) -> Thing:
    """https://developers.google.com/search/docs/appearance/structured-data/video"""
    video = page.publication.videos[0]
    poster = poster_path(video)
    number = embed.rpartition("/")[2]
    return {
        "@type": "VideoObject",
        "name": page.title,
        "description": video.caption or page.lead,
        "url": url,
        "inLanguage": page.language,
        "uploadDate": machine(page.released_at),
        "embedUrl": embed,
        "thumbnailUrl": f"{site_url}{poster}" if poster else f"https://i.ytimg.com/vi/{number}/hqdefault.jpg",
        "duration": None if video.duration is None else f"PT{round(video.duration)}S",
    }


def _legislation(page: Page, content: RegulatoryAct, url: str) -> Thing:
    """https://schema.org/Legislation"""
    act = content.act
    return {
        "@type": "Legislation",
        "name": act.title,
        "url": url,
        "inLanguage": page.language,
        "legislationIdentifier": act.number,
        "legislationDate": None if act.adopted_on is None else machine(act.adopted_on),
        "legislationPassedBy": _organization(ISSUERS[act.issuer]),
        "legislationType": page.heading or KIND_NAMES[page.kind],
        "datePublished": machine(page.released_at),
    }


def _event(page: Page, content: Event, url: str) -> Thing:
    event = content.event
    return {
        "@type": "Event",
        "name": page.title,
        "description": page.lead,
        "url": url,
        "inLanguage": page.language,
        "startDate": machine(event.starts_at),
        "endDate": None if event.ends_at is None else machine(event.ends_at),
        "eventStatus": _SCHEDULED,
        "eventAttendanceMode": "https://schema.org/OfflineEventAttendanceMode",
        "location": {"@type": "Place", "name": event.place, "address": event.place},
        "organizer": _organization(page.department),
    }


def _broadcast(page: Page, content: Broadcast, url: str) -> Thing:
    broadcast = content.broadcast
    return {
        "@type": "BroadcastEvent",
        "name": broadcast.series,
        "description": page.lead,
        "url": url,
        "inLanguage": page.language,
        "isLiveBroadcast": True,
        "startDate": machine(broadcast.airs_at),
        "eventStatus": _STATUS.get(broadcast.state, _SCHEDULED),
        "publishedBy": _organization(broadcast.station),
        "actor": _people(broadcast.guests) or None,
    }


def _organization(name: str) -> dict[str, object]:
    return {"@type": "Organization", "name": name}


def _people(guests: Sequence[Guest]) -> list[Thing]:
    return [
        _without_nothing({"@type": "Person", "name": guest.name, "jobTitle": guest.post}) for guest in guests
    ]


def _without_nothing(thing: Thing) -> dict[str, object]:
    return {key: value for key, value in thing.items() if value is not None}
