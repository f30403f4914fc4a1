"""Who is mailed what, from who wants it and who has what already."""

from datetime import timedelta

from services.notifier.planning import Before, Plan, Reached, embargo_of, fingerprint, plan
from services.notifier.records import Purpose
from shared.events import now
from shared.publication import Fact, Publication
from tests.samples import corrected, fact, publication, withdrawn
from tests.unit.test_notifier_matching import subscriber

EVERYTHING: dict[str, object] = {}
A, B, D = subscriber("a", EVERYTHING), subscriber("b", EVERYTHING), subscriber("d", {"mode": "digest"})
ACCREDITED = subscriber("x", {"mode": "digest"}, accredited=True)
ORIGINAL = publication()


def has(of: Publication, *, advance: bool = False) -> Reached:
    return Reached(of.revision, fingerprint(of), embargo_of(of) if advance else "", "m" * 40)


def purposes(decided: Plan) -> dict[str, Purpose]:
    return {one.recipient.id: one.purpose for one in decided.mails}


def test_the_original_goes_to_everyone_who_wants_it() -> None:
    decided = plan(fact(ORIGINAL), [A, B, D], Before())
    assert purposes(decided) == {"a": Purpose.RELEASE, "b": Purpose.RELEASE}
    assert [one.id for one in decided.digest] == ["d"]
    assert decided.reason is None


def test_a_major_correction_goes_to_whoever_has_an_older_text_and_says_since_when() -> None:
    third = corrected(corrected(ORIGINAL), significance="minor")
    before = Before(reached={"a": has(ORIGINAL), "d": has(ORIGINAL)}, released=True)
    decided = plan(fact(third), [A, B, D], before)
    assert purposes(decided) == {"a": Purpose.CORRECTION, "d": Purpose.CORRECTION}
    assert {one.since for one in decided.mails} == {1}
    assert {one.answers for one in decided.mails} == {"m" * 40}


def test_whoever_has_the_major_change_already_is_spared_the_minor_one() -> None:
    second = corrected(ORIGINAL)
    third = corrected(second, significance="minor")
    decided = plan(fact(third), [A], Before(reached={"a": has(second)}, released=True))
    assert purposes(decided) == {}
    assert decided.reason == "Незначне виправлення: повторно не розсилається."


def test_who_came_after_the_original_gets_no_correction() -> None:
    decided = plan(fact(corrected(ORIGINAL)), [A], Before(released=True))
    assert purposes(decided) == {}
    assert list(decided.digest) == []


def test_who_was_owed_the_original_gets_the_newer_text_as_one() -> None:
    minor = corrected(ORIGINAL, significance="minor")
    decided = plan(fact(minor), [A, B], Before(reached={"b": has(ORIGINAL)}, owed={"a"}, released=True))
    assert purposes(decided) == {"a": Purpose.RELEASE}


def test_a_withdrawal_goes_to_all_who_have_it_and_to_them_alone() -> None:
    taken_back = fact(withdrawn(ORIGINAL), Fact.WITHDRAWN)
    decided = plan(taken_back, [A, B, D], Before(reached={"a": has(ORIGINAL), "d": has(ORIGINAL)}))
    assert purposes(decided) == {"a": Purpose.WITHDRAWAL, "d": Purpose.WITHDRAWAL}


def test_whoever_is_no_longer_subscribed_gets_nothing() -> None:
    taken_back = fact(withdrawn(ORIGINAL), Fact.WITHDRAWN)
    decided = plan(taken_back, [], Before(reached={"a": has(ORIGINAL)}))
    assert purposes(decided) == {}
    assert decided.reason is not None


def embargoed(hours: int = 24, **content: object) -> Publication:
    until = now() + timedelta(hours=hours)
    return publication(content={"embargo_until": until.isoformat()} | content, released_at=None)


def test_an_advance_goes_to_the_accredited_even_if_they_take_digests() -> None:
    decided = plan(fact(embargoed(), Fact.ADVANCE), [A, ACCREDITED], Before())
    assert purposes(decided) == {"x": Purpose.ADVANCE}


def test_an_advance_is_renewed_when_its_text_or_its_hour_changes() -> None:
    first = embargoed()
    before = Before(reached={"x": has(first, advance=True)})
    for changed in (embargoed(title="Нова назва"), embargoed(hours=30)):
        second = changed.model_copy(update={"id": first.id, "revision": 2})
        decided = plan(fact(second, Fact.ADVANCE), [ACCREDITED], before)
        assert [one.renewed for one in decided.mails] == [True]
    same = first.model_copy(update={"revision": 2})
    assert purposes(plan(fact(same, Fact.ADVANCE), [ACCREDITED], before)) == {}


def test_the_release_spares_who_has_its_text_in_advance() -> None:
    first = embargoed()
    release = first.model_copy(update={"released_at": now()})
    decided = plan(fact(release), [A, ACCREDITED], Before(reached={"x": has(first, advance=True)}))
    assert purposes(decided) == {"a": Purpose.RELEASE}
    assert decided.covered == 1
    assert list(decided.digest) == [], "who has it in advance doesn't read it in the digest again"


def test_the_release_renews_an_advance_that_has_changed_since() -> None:
    first = embargoed()
    release = first.model_copy(
        update={
            "revision": 2,
            "released_at": now(),
            "content": first.content.model_copy(update={"title": "Нова назва"}),
        }
    )
    decided = plan(fact(release), [ACCREDITED], Before(reached={"x": has(first, advance=True)}))
    assert [(one.purpose, one.renewed) for one in decided.mails] == [(Purpose.RELEASE, True)]


def test_what_no_mail_shows_makes_no_mail_different() -> None:
    elsewhere = publication(content={"topics": ["tariffs"], "channels": ["site"], "covers": []})
    assert fingerprint(elsewhere) == fingerprint(ORIGINAL)
    assert fingerprint(publication(content={"lead": "Інакше."})) != fingerprint(ORIGINAL)
