"""What a channel is: the one interface behind which the site, a messenger or a newspaper stands.

A channel never decides what is due, and never keeps count of what it did: the worker calls it when
the ledger says so, one call at a time for each publication, and records what it returns.

How a call may fail, for every method that reaches the outside world:

- `shared.bus.Later`: nothing took effect and time may heal it (throttled, refused for now).
- `Away`: nothing took effect, the other side isn't there at all; whatever the publication, it would fail.
- `Halted`: nothing took effect, nothing will until an operator does something (an expired token).
- `shared.bus.Permanent`: nothing took effect and time won't heal it: this publication is refused.
- `Unconfirmed`: it may have taken effect (a timeout after sending, a connection cut, a crash is alike).

The texts of all five are read by clerks on the receipt: in Ukrainian, with no secret in them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Protocol, TypeVar
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, JsonValue
from pydantic_settings import BaseSettings

from shared.bus import Later
from shared.events import Delivery
from shared.media import MediaStore
from shared.mongo import Database
from shared.preview import Preview
from shared.publication import Publication
from shared.settings import SharedSettings

SectionT = TypeVar("SectionT", bound=BaseSettings)


class Away(Later):
    """The other side can't be reached, or can't answer anybody: not the publication's failure.

    Several in a row, and the channel's queue is left alone until `prepare` succeeds again; no attempt counts.
    """

    def __init__(self, reason: str, *, after: float = 0) -> None:
        super().__init__(reason, after=after, counted=False)


class Halted(Later):
    """No call can succeed until an operator does `remedy`: the channel stops at once, and an alert goes out.

    `remedy` is one line in Ukrainian. The queue keeps what comes until the channel is resumed or restarted.
    """

    def __init__(self, reason: str, *, remedy: str) -> None:
        super().__init__(reason, counted=False)
        self.remedy = remedy


class Unconfirmed(Exception):
    """The call may have taken effect, or may not: it must not be made again before someone has looked.

    From `find`: the channel can't be asked; a person has to settle it.
    """


class Posted(BaseModel):
    """What a channel made of a publication, and how to reach it again."""

    model_config = ConfigDict(frozen=True)

    remote: dict[str, JsonValue] = {}
    """The channel's own ids (messages of an album, a video, an issue's number), opaque to all others.

    Empty where a person who looked gave the address alone: a channel that can't be asked must know its ids
    by that."""
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
    """A place where publications are shown. A channel derives from this class: some members have defaults."""

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

    @property
    def after(self) -> tuple[str, ...]:
        """Channels that go first, where they are on and the publication goes to them.

        A post that links to the site waits for the page: the preview is fetched once, when the post is
        made. After ten minutes it goes out without.
        """
        return ()

    @property
    def heeds(self) -> tuple[str, ...]:
        """Channels whose outcomes `hear` is told of."""
        return ()

    async def prepare(self) -> None:
        """Make ready, and see that the other side is there: indexes, folders, a session, the token.

        Called first, and again until it succeeds; and in the same way after the channel was away or stopped.
        """

    async def close(self) -> None:
        """Let go of what `prepare` took. Called once, also where `prepare` never succeeded."""

    def takes(self, publication: Publication) -> str | None:
        """None if the channel can show it; else why not, in Ukrainian: the receipt shows it as skipped."""

    def preview(self, publication: Publication) -> Preview:
        """What `publish` would show, without doing anything: no IO. Asked only where `takes` says None."""

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

    async def hear(self, delivery: Delivery) -> None:
        """Another channel's outcome, of those that `heeds` names; told at least once, in any order.

        Read what stands there now by `Surroundings.posted`, rather than trust an old report.
        """
        raise AssertionError(f"{self.name} heeds nobody, and was told of {delivery.target}")

    def routes(self) -> APIRouter | None:
        """Pages that the channel serves to the world, below `/channels/<name>` of PUBLISHER_URL."""
        return None


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

    @property
    def media(self) -> MediaStore:
        """The bytes of a publication's files."""

    def section(self, model: type[SectionT]) -> SectionT:
        """The channel's own settings, read from the environment."""

    def page_url(self, channel: str, path: str) -> str:
        """The public address of a page that `routes` serves; `path` begins with a slash."""

    async def posted(self, publication_id: UUID, channel: str) -> Posted | None:
        """Where another channel shows a publication: a post's link to the site, a page's embedded video."""

    async def settle(self, channel: str, publication_id: UUID, settlement: Settlement) -> None:
        """End what `Posted.awaiting` left open; it is recorded and reported like any outcome."""

    async def mail(self, message: EmailMessage) -> None:
        """Send a mail from the press office: From and Date are added where they are missing.

        Raises `Later` where it was certainly not sent, `Permanent` where it was refused, `Unconfirmed`.
        """

    async def alert(self, subject: str, text: str) -> None:
        """Tell the operators, in Ukrainian. Never fails, and says the same thing once an hour at most."""
