"""Who wants a publication: a pure function over the subscriptions."""

from collections.abc import Iterable

from services.notifier.outlets import Mode, Subscriber, Subscription
from shared.publication import Publication
from shared.vocabulary import Urgency


def recipients_for(publication: Publication, subscribers: Iterable[Subscriber]) -> dict[str, Mode]:
    """The subscribers who want it, by id, each with the quickest way that one of their subscriptions says.

    An emergency goes to everyone at once: a digest would come too late. A straight scan: ten
    thousand subscriptions take about as long as one query to the database.
    """
    wanted: dict[str, Mode] = {}
    emergency = publication.content.urgency is Urgency.EMERGENCY
    for subscriber in subscribers:
        modes = {
            subscription.mode
            for subscription in subscriber.subscriptions
            if _matches(subscription, publication)
        }
        if modes:
            at_once = emergency or Mode.IMMEDIATE in modes
            wanted[subscriber.id] = Mode.IMMEDIATE if at_once else Mode.DIGEST
    return wanted


def _matches(subscription: Subscription, publication: Publication) -> bool:
    content = publication.content
    return (
        (not subscription.kinds or content.kind in subscription.kinds)
        and (not subscription.urgencies or content.urgency in subscription.urgencies)
        and (not subscription.departments or publication.department.id in subscription.departments)
        and (not subscription.topics or any(topic in subscription.topics for topic in content.topics))
    )
