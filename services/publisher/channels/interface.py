"""What a channel is: the one interface behind which the site, a messenger or a newspaper stands.

A channel never decides what is due, and never keeps count of what it did: the worker calls it when
the ledger says so, one call at a time for each publication, and records what it returns.

How a call may fail, for every method that reaches the outside world:

- `shared.bus.Later`: nothing took effect and time may heal it (throttled, refused for now, away).
- `shared.bus.Permanent`: nothing took effect and time won't heal it (refused content, expired token).
- `Unconfirmed`: it may have taken effect (a timeout after sending, a connection cut, a crash is alike).

The texts of all three are read by clerks on the receipt: in Ukrainian, with no secret in them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, JsonValue
from pydantic_settings import BaseSettings

from shared.mongo import Database
from shared.publication import Publication
from shared.settings import SharedSettings

SectionT = TypeVar("SectionT", bound=BaseSettings)


class Unconfirmed(Exception):
    """The call may have taken effect, or may not: it must not be made again before someone has looked.

    From `find`: the channel can't be asked; a person has to settle it.
    """


class Posted(BaseModel):
    """What a channel made of a publication, and how to reach it again."""

    model_config = ConfigDict(frozen=True)

    remote: dict[str, JsonValue] = {}
    """The channel's own ids (messages of an album, a video, an issue's number), opaque to all others."""
    url: str | None = None
    """Where people see it; None where there is no such place."""
    note: str | None = None
    """What the receipt should say beside plain success, in Ukrainian."""
    awaiting: str | None = None
    """Set where the channel took it over but the outcome is still to come (an editor's answer, a video
    being processed): what is awaited, in Ukrainian. The channel then ends it by `Surroundings.settle`."""


class Call(Protocol):
    """One call as the ledger knows it; lets a long one go on after a crash from where it stopped."""

    @property
    def remembered(self) -> Mapping[str, JsonValue]:
        """What `remember` kept in an earlier try of this very call; else empty."""

    async def remember(self, **facts: JsonValue) -> None:
        """Add to `remembered`, safe when this returns: an upload's address before its first byte."""


class Channel(Protocol):
    """A place where publications are shown."""

    @property
    def name(self) -> str:
        """As in CHANNELS, in `publication.targets` and in the queue's name."""

    @property
    def repeatable(self) -> bool:
        """Whether `publish` may be made again where nobody knows if it took effect.

        True where the channel finds its own earlier work by the publication's id, so that any call
        made twice ends as if made once, and `withdraw(publication, None)` leaves nothing up. Where it
        is False the worker asks `find` first. `update` and `withdraw` are given the remote ids, and
        must be repeatable on every channel.
        """

    @property
    def deadline(self) -> float:
        """Seconds that one call may take; far below the 30 minutes after which RabbitMQ steps in."""

    @property
    def concurrency(self) -> int:
        """Calls at the same time, each for another publication."""

    async def prepare(self) -> None:
        """Make ready: indexes, folders, a session. Called first, and again until it succeeds."""

    async def close(self) -> None:
        """Let go of what `prepare` took. Called once, also where `prepare` never succeeded."""

    def takes(self, publication: Publication) -> str | None:
        """None if the channel can show it; else why not, in Ukrainian: the receipt shows it as skipped."""

    async def publish(self, publication: Publication, call: Call) -> Posted:
        """Show it. Revision 2 may be the first public one: only `corrections` tells of changes."""

    async def update(self, publication: Publication, posted: Posted, call: Call) -> Posted:
        """Make what stands there say what this revision says; return what stands there now."""

    async def withdraw(self, publication: Publication, posted: Posted | None, call: Call) -> Posted | None:
        """Take it down; return what is left in its place (a notice), None where that is nothing.

        `posted` is None where nothing was recorded as shown: the withdrawal overtook the release. A
        channel that leaves a notice leaves one even then, unless `publication.was_released` is False.
        The publication may also be one that the channel no longer takes: `withdrawal` is then None.
        """

    async def find(self, publication: Publication) -> Posted | None:
        """Look up what an unconfirmed `publish` left behind; None if there certainly is nothing.

        Raises `Unconfirmed` where the channel can't be asked. Never called on a repeatable channel.
        """


@dataclass(frozen=True)
class Settlement:
    """What became of a publication, learnt after its call was over."""

    posted: Posted | None
    """What stands there now; None if nothing does."""
    reason: str | None = None
    """Why nothing does, in Ukrainian."""


class Surroundings(Protocol):
    """What the publisher offers a channel."""

    @property
    def settings(self) -> SharedSettings: ...

    @property
    def database(self) -> Database:
        """The publisher's; a channel names its collections after itself."""

    def section(self, model: type[SectionT]) -> SectionT:
        """The channel's own settings, read from the environment."""

    async def posted(self, publication_id: UUID, channel: str) -> Posted | None:
        """Where another channel shows a publication: a post's link to the site, a page's embedded video."""

    async def settle(self, channel: str, publication_id: UUID, settlement: Settlement) -> None:
        """End what `Posted.awaiting` left open; it is recorded and reported like any outcome."""
