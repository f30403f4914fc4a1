"""Which of two events of the same publication counts, in whatever order they came.

Every event has a place: a string, so that the database compares two of them as this module does.
The highest place stands; which event that is doesn't depend on when, or how often, each one came.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from shared.events import DeliveryReported, PublicationEvent
from shared.publication import Fact, Publication

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class State(StrEnum):
    """Where a publication is on its way to the public."""

    SCHEDULED = "scheduled"
    EMBARGOED = "embargoed"
    RELEASED = "released"
    WITHDRAWN = "withdrawn"

    @property
    def settled(self) -> bool:
        """Decided as far as ingest goes: what is left to wait for are the targets' reports."""
        return self in (State.RELEASED, State.WITHDRAWN)


UNRELEASED = frozenset({State.SCHEDULED, State.EMBARGOED})

_STATE_OF_FACT = {
    Fact.SCHEDULED: State.SCHEDULED,
    Fact.ADVANCE: State.EMBARGOED,
    Fact.RELEASED: State.RELEASED,
    Fact.WITHDRAWN: State.WITHDRAWN,
}


def state_of(fact: Fact) -> State:
    """The state that a fact leaves a publication in."""
    return _STATE_OF_FACT[fact]


def is_public(publication: Publication, state: State) -> bool:
    """Whether it may stand in a list for everyone: what was never public is not, even taken back."""
    return state.settled and publication.was_released


def place_of_fact(event: PublicationEvent) -> str:
    """By rank; of two events that state the same fact, the one made later."""
    return f"{event.rank:012d}:{event.id.hex}"


def place_of_report(event: DeliveryReported) -> str:
    """By rank of the fact acted on, then final before passing, then by hour, then the one made later."""
    report = event.data
    return f"{report.rank:012d}:{report.outcome.final:d}:{milliseconds(report.at):015d}:{event.id.hex}"


def place_in_list(publication: Publication) -> str:
    """Lists are sorted by this, descending: by the hour it became public, else was accepted."""
    at = publication.released_at or publication.accepted_at
    return f"{milliseconds(at):015d}:{publication.id.hex}"


def milliseconds(at: datetime) -> int:
    """Since 1970, never below 0; 15 digits hold every year up to 9999."""
    return max((at - _EPOCH) // timedelta(milliseconds=1), 0)
