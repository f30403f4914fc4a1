"""Publications and events to test with, in the language they will have."""

from datetime import timedelta
from typing import Any

from shared.events import (
    EVENT_OF_FACT,
    Delivery,
    DeliveryReported,
    Outcome,
    PublicationEvent,
    new_id,
    now,
)
from shared.publication import Change, Correction, Department, Fact, Publication, Withdrawal

TRANSPORT = Department(id="transport", name="Управління транспорту та зв’язку")


def submission(kind: str = "news", **fields: Any) -> dict[str, Any]:
    """The JSON body of a submission that is taken as it is."""
    body: dict[str, Any] = {
        "kind": kind,
        "title": "Тролейбус № 5 тимчасово змінює маршрут",
        "lead": "З 9 по 12 грудня тролейбус не заїжджатиме на вулицю Лесі Українки.",
        "body": "Причина — **ремонт контактної мережі**.\n\n- початок: 9:00\n- кінець: 18:00",
        "topics": ["transport"],
        "covers": ["city_council"],
        "urgency": "routine",
        "language": "uk",
        "contact": {"name": "Олена Ткачук", "phone": "+380 332 77-00-00", "email": "press@rada.example"},
        "release_at": None,
        "embargo_until": None,
        "channels": None,
    }
    soon = (now() + timedelta(days=3)).isoformat()
    if kind == "event":
        body["event"] = {
            "starts_at": soon,
            "place": "Театральний майдан",
            "participants": ["Міський голова"],
            "accreditation_until": (now() + timedelta(days=2)).isoformat(),
        }
    if kind == "regulatory_act":
        body["act"] = {
            "issuer": "executive_committee",
            "number": "712-1",
            "adopted_on": "2026-11-19",
            "title": "Про тарифи на перевезення",
            "normative": True,
            "draft": False,
        }
    if kind == "broadcast":
        body["broadcast"] = {
            "series": "Відкрита влада. МІСТО",
            "station": "ТРК «Аверс»",
            "medium": "tv",
            "airs_at": soon,
            "guests": [{"name": "Ірина Мельник", "post": "депутатка міської ради"}],
        }
    return body | fields


def publication(kind: str = "news", **fields: Any) -> Publication:
    """A publication as it is when it has just been released; `content` adds to its submission's fields."""
    at = now()
    given: dict[str, Any] = {
        "id": new_id(),
        "revision": 1,
        "department": TRANSPORT,
        "content": submission(kind, **fields.pop("content", {})),
        "targets": ("site", "mail"),
        "submitted_at": at,
        "accepted_at": at,
        "released_at": at,
    }
    return Publication.model_validate(given | fields)


def fact(of: Publication, what: Fact = Fact.RELEASED) -> PublicationEvent:
    """The event that says it; a new id each time."""
    return EVENT_OF_FACT[what](id=new_id(), source="/ingest", subject=of.id, time=now(), data=of)


def corrected(of: Publication, *, significance: str = "major", **content: Any) -> Publication:
    """Its next revision, made after it was public."""
    at = now()
    change = Change.model_validate({"significance": significance, "note": "Уточнено час."})
    correction = Correction(revision=of.revision + 1, at=at, **change.model_dump())
    fields = of.model_dump() | {
        "revision": of.revision + 1,
        "accepted_at": at,
        "corrections": (*of.corrections, correction),
    }
    fields["content"] |= content
    return Publication.model_validate(fields)


def withdrawn(of: Publication, reason: str = "Дані не підтвердилися.") -> Publication:
    """The same, taken back."""
    return of.model_copy(update={"withdrawal": Withdrawal(reason=reason, at=now()), "accepted_at": now()})


def delivery(of: Publication, target: str, outcome: Outcome, **fields: Any) -> DeliveryReported:
    """A report about it."""
    given: dict[str, Any] = {
        "publication_id": of.id,
        "kind": of.kind,
        "target": target,
        "fact": Fact.RELEASED,
        "revision": of.revision,
        "outcome": outcome,
        "at": now(),
        "accepted_at": of.accepted_at,
    }
    return DeliveryReported.of(Delivery.model_validate(given | fields), source="/test")
