"""What a local run remembers between its commands, and the lock that keeps two of them apart."""

import fcntl
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, Field


class SampleState(BaseModel):
    """How far the sample city was loaded, so that a run that was broken off goes on where it stopped."""

    started_at: AwareDatetime | None = None
    """The hour that all of the sample's dates are counted from."""
    keys: dict[str, str] = {}
    """The departments' keys, by department."""
    outlets: bool = False
    publications: dict[str, str] = {}
    """Ids of what was submitted, by the sample's own names."""
    files: dict[str, str] = {}
    """Ids of the files handed in, by the sample's own names."""
    changed: list[str] = []
    """Names of what was corrected or withdrawn."""
    complete: bool = False

    def begin(self, at: datetime) -> datetime:
        """The sample's hour, fixed at the first call."""
        self.started_at = self.started_at or at
        return self.started_at


class LocalState(BaseModel):
    """The content of ``state.json``; it holds keys and is readable by its owner only."""

    ports: dict[str, int] = {}
    operator_key: str = Field(default_factory=lambda: secrets.token_urlsafe(24))
    link_secret: str = Field(default_factory=lambda: secrets.token_urlsafe(24))
    """Signs the links that editors and stations get."""
    store: str = ""
    """Which MongoDB the sample was loaded into."""
    sample: SampleState = SampleState()


def write_private(path: Path, text: str) -> None:
    """Replace a file as a whole by one that only its owner can read."""
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


class StateFile:
    """``state.json`` of one run's folder."""

    def __init__(self, folder: Path) -> None:
        """Read it, or begin anew where there is none."""
        self._path = folder / "state.json"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self.state = LocalState.model_validate_json(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self.state = LocalState()

    def save(self) -> None:
        """Write down what is remembered."""
        write_private(self._path, self.state.model_dump_json(indent=2))


@contextmanager
def only_one(folder: Path, *, on_wait: Callable[[], None]) -> Iterator[None]:
    """Let one command at a time work on a folder; others say so by ``on_wait`` and wait until it is done."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
