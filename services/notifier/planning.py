"""Who is mailed what about one fact: a pure function over who wants it and who has what already."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from services.notifier.matching import recipients_for
from services.notifier.outlets import Mode, Subscriber
from services.notifier.records import Purpose
from shared.events import PublicationEvent
from shared.publication import Fact, Publication, Significance

NOT_IN_MAILS = {"topics", "covers", "urgency", "release_at", "embargo_until", "channels"}


@dataclass(frozen=True, slots=True)
class Reached:
    """The newest text of a publication that a recipient has, or may have."""

    revision: int
    text: str
    embargo: str = ""
    """The hour that was told, where it was sent under embargo."""
    mail: str | None = None


@dataclass(frozen=True, slots=True)
class Before:
    """What was mailed about a publication's lower ranks, all of it settled."""

    reached: Mapping[str, Reached] = field(default_factory=dict)
    owed: Collection[str] = frozenset()
    """Recipients who were to get mails of which none was sent, nor ever will be."""
    released: bool = False
    """A release was fanned out to its end: who got nothing by then was not meant to."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One mail to make."""

    recipient: Subscriber
    purpose: Purpose
    since: int = 0
    renewed: bool = False
    answers: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The mails and digest items that one fact calls for."""

    mails: Sequence[Planned] = ()
    digest: Sequence[Subscriber] = ()
    covered: int = 0
    reason: str | None = None
    """In Ukrainian, where there is nothing to mail."""


def fingerprint(publication: Publication) -> str:
    """Equal where two mails about a publication would read the same."""
    text = publication.content.model_dump_json(exclude=NOT_IN_MAILS)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def embargo_of(publication: Publication) -> str:
    """The hour until which nobody may publish, as text to compare."""
    until = publication.content.embargo_until
    return until.isoformat() if until else ""


def plan(event: PublicationEvent, subscribers: Sequence[Subscriber], before: Before) -> Plan:
    """Decide. Whoever isn't among `subscribers` (any more) gets nothing, not even a withdrawal."""
    if event.fact is Fact.ADVANCE:
        return _advance(event.data, subscribers, before)
    if event.fact is Fact.WITHDRAWN:
        return _withdrawal(subscribers, before)
    return _release(event.data, subscribers, before)


def _advance(publication: Publication, subscribers: Sequence[Subscriber], before: Before) -> Plan:
    """To the accredited, whether they take digests or not: a digest would come after the hour."""
    wanted = recipients_for(publication, (one for one in subscribers if one.accredited))
    text, embargo = fingerprint(publication), embargo_of(publication)
    mails: list[Planned] = []
    covered = 0
    for one in subscribers:
        had = before.reached.get(one.id)
        if had is None and one.id in wanted:
            mails.append(Planned(one, Purpose.ADVANCE))
        elif had is not None and (had.text, had.embargo) != (text, embargo):
            mails.append(Planned(one, Purpose.ADVANCE, renewed=True, answers=had.mail))
        elif had is not None:
            covered += 1
    reason = None
    if not mails:
        reason = (
            "Усі акредитовані підписники вже мають цей текст."
            if covered
            else "Жоден акредитований журналіст не підписаний на такі публікації."
        )
    return Plan(mails=mails, covered=covered, reason=reason)


def _release(publication: Publication, subscribers: Sequence[Subscriber], before: Before) -> Plan:
    wanted = recipients_for(publication, subscribers)
    text = fingerprint(publication)
    mails: list[Planned] = []
    digest: list[Subscriber] = []
    covered = 0
    for one in subscribers:
        had = before.reached.get(one.id)
        if had is not None:
            again = _again(publication, text, one, had)
            if again is None:
                covered += 1
            else:
                mails.append(again)
        elif one.id in before.owed or (not before.released and wanted.get(one.id) is Mode.IMMEDIATE):
            mails.append(Planned(one, Purpose.RELEASE))
        elif not before.released and one.id in wanted:
            digest.append(one)
    return Plan(
        mails=mails,
        digest=digest,
        covered=covered,
        reason=None if mails else _why_nobody(publication, before, covered, len(digest)),
    )


def _again(publication: Publication, text: str, one: Subscriber, had: Reached) -> Planned | None:
    """What somebody gets who has an earlier text, if anything."""
    since = [change for change in publication.corrections if change.revision > had.revision]
    if any(change.significance is Significance.MAJOR for change in since):
        return Planned(one, Purpose.CORRECTION, since=had.revision, answers=had.mail)
    if not since and had.embargo and had.text != text:
        return Planned(one, Purpose.RELEASE, renewed=True, answers=had.mail)
    return None


def _why_nobody(publication: Publication, before: Before, covered: int, digest: int) -> str:
    if digest:
        return f"Негайно не розсилається: підписники отримають публікацію в дайджесті ({digest})."
    if publication.corrections and before.released:
        if publication.corrections[-1].significance is Significance.MINOR:
            return "Незначне виправлення: повторно не розсилається."
        return "Попередньої редакції поштою ніхто не отримував, тож виправлення не розсилається."
    if covered:
        return "Усі підписники вже отримали цей текст під ембарго."
    return "Жоден підписник не обрав таких публікацій."


def _withdrawal(subscribers: Sequence[Subscriber], before: Before) -> Plan:
    mails = [
        Planned(one, Purpose.WITHDRAWAL, answers=before.reached[one.id].mail)
        for one in subscribers
        if one.id in before.reached
    ]
    return Plan(
        mails=mails,
        reason=None if mails else "Листів про цю публікацію ніхто не отримував, тож повідомляти нікого.",
    )
