"""Who wants a publication."""

from collections.abc import Mapping

import pytest

from services.notifier.matching import recipients_for
from services.notifier.outlets import Mode, Subscriber, Subscription
from shared.publication import Publication
from tests.samples import publication


def subscriber(id: str, *subscriptions: Mapping[str, object], accredited: bool = False) -> Subscriber:
    return Subscriber(
        id=id,
        outlet="avers",
        name="Ірина Коваль",
        address=f"{id}@avers.example",
        accredited=accredited,
        token="t" * 32,
        subscriptions=tuple(Subscription.model_validate(one) for one in subscriptions),
    )


def wants(of: Publication, *subscriptions: Mapping[str, object]) -> Mode | None:
    return recipients_for(of, [subscriber("a", *subscriptions)]).get("a")


NEWS = publication("news", content={"topics": ["transport", "tariffs"], "urgency": "urgent"})


@pytest.mark.parametrize(
    ("subscription", "matches"),
    [
        ({}, True),
        ({"kinds": ["news"]}, True),
        ({"kinds": ["event", "news"]}, True),
        ({"kinds": ["event"]}, False),
        ({"topics": ["tariffs"]}, True),
        ({"topics": ["education", "tariffs"]}, True),
        ({"topics": ["education"]}, False),
        ({"departments": ["transport"]}, True),
        ({"departments": ["culture"]}, False),
        ({"urgencies": ["urgent"]}, True),
        ({"urgencies": ["routine"]}, False),
        ({"kinds": ["news"], "topics": ["education"]}, False),
        ({"kinds": ["news"], "topics": ["transport"], "departments": ["transport"]}, True),
    ],
)
def test_every_list_that_is_not_empty_must_match(subscription: dict[str, object], matches: bool) -> None:
    assert (wants(NEWS, subscription) is not None) == matches


def test_without_a_matching_subscription_nobody_is_named() -> None:
    assert recipients_for(NEWS, [subscriber("a", {"kinds": ["video"]}), subscriber("b")]) == {}


def test_the_quickest_of_several_subscriptions_wins() -> None:
    digest, at_once = {"mode": "digest"}, {"topics": ["tariffs"], "mode": "immediate"}
    assert wants(NEWS, digest, at_once) is Mode.IMMEDIATE
    assert wants(NEWS, at_once, digest) is Mode.IMMEDIATE
    assert wants(NEWS, digest, {"topics": ["education"]}) is Mode.DIGEST


def test_an_emergency_never_waits_for_a_digest() -> None:
    emergency = publication("news", content={"urgency": "emergency"})
    assert wants(emergency, {"mode": "digest"}) is Mode.IMMEDIATE
    assert wants(emergency, {"mode": "digest", "topics": ["education"]}) is None
