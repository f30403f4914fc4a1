"""What the contract needs to know of a channel to hold it to its promises."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import JsonValue
from pydantic_settings import BaseSettings

from services.publisher.settings import PublisherSettings
from shared.media import MediaStore
from shared.publication import MediaFile
from tests.platforms.platform import Fault


class ChannelStand(ABC):
    """One channel with its outside world."""

    kind: ClassVar[str] = "news"
    """A kind of publication that the channel takes."""
    content: ClassVar[dict[str, Any]] = {}
    """What such a publication needs beside the sample's fields."""
    edits: ClassVar[bool] = True
    """Whether a correction changes what stands there; else it is told in a further post."""
    removes: ClassVar[bool] = True
    """Whether a withdrawal takes it down; else it is told in a further post."""
    can_be_asked: ClassVar[bool] = True
    """Whether the channel finds out what a call in doubt left behind; else a person has to."""
    faults: ClassVar[frozenset[Fault]] = frozenset()
    """Faults that its outside world can be scripted to have; empty where the channel has no such world."""
    notices: ClassVar[bool] = False
    """Whether a withdrawal leaves a notice that names the publication."""

    def __init__(self, settings: PublisherSettings, folder: Path) -> None:
        """`settings`: the publisher's, of the test. `folder`: the test's own, empty."""
        self.settings = settings
        self.folder = folder

    @abstractmethod
    async def open(self) -> Sequence[BaseSettings]:
        """Start the outside world; return the channel's settings, aimed at it."""

    async def media(self, store: MediaStore) -> tuple[MediaFile, ...]:
        """Keep the files that such a publication needs; return what the publication says of them.

        Called for each publication of a test, before it is released.
        """
        del store
        return ()

    @abstractmethod
    async def close(self) -> None:
        """Stop what `open` started."""

    @abstractmethod
    async def shown(self) -> Sequence[str]:
        """The texts of all that people see now: one for each post, page, or item of a list."""

    async def remote_of(self, title: str) -> dict[str, JsonValue] | None:
        """What a person who looks for a post with this title finds: its ids as `Posted.remote` has them.

        Asked only where `can_be_asked` is False; None where there is no such post.
        """
        raise AssertionError(f"{title}: the channel can be asked")

    def script(self, *faults: Fault) -> None:
        """Have the next calls that would change something meet these faults, one each."""
        raise AssertionError(f"nothing to script {faults} on")
