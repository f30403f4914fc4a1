"""Writing the site's folder so that a reader never meets half a file, and a crash never leaves one."""

import asyncio
import fcntl
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

_LOCK = ".lock"
_ASK_AGAIN = 0.01
"""Seconds between two tries to lock; asked rather than waited for, so that it can be cancelled."""


class Folder:
    """The folder that the web server shows."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Alone among all processes on this folder; the lock of a process that dies ends with it."""
        self.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            while not _lock(descriptor):  # noqa: ASYNC110  # no event tells of another process
                await asyncio.sleep(_ASK_AGAIN)
            yield
        finally:
            os.close(descriptor)

    def write(self, files: Mapping[str, bytes]) -> int:
        """Write these files, by their paths below the root, in this order; return how many had changed.

        Each appears whole or not at all, and all of them are on disk when this returns. One that
        already says the same is left alone, so that caches and mirrors keep it.
        """
        changed = [path for path, content in files.items() if self.read(path) != content]
        made: dict[str, Path] = {path: self._temporary(path, files[path]) for path in changed}
        folders: dict[Path, None] = {}
        for path, temporary in made.items():
            target = self.root / path
            temporary.replace(target)
            folders.update(dict.fromkeys((target.parent, *target.parent.parents)))
        for folder in folders:
            if folder.is_relative_to(self.root):
                _sync(folder)
        return len(changed)

    async def write_stream(self, path: str, blocks: AsyncIterator[bytes]) -> None:
        """Write a file of any size; it appears whole or not at all. What `blocks` raises passes through."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
        file = await asyncio.to_thread(temporary.open, "xb")
        try:
            async for block in blocks:
                await asyncio.to_thread(file.write, block)
            await asyncio.to_thread(_flushed, file)
            # The folder may have been removed meanwhile, with what nobody showed any more.
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            file.close()
        await asyncio.to_thread(_sync, target.parent)

    def remove(self, path: str) -> None:
        """Remove a file, or a folder with all that is in it; nothing where there is none."""
        target = self.root / path
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)

    def read(self, path: str) -> bytes | None:
        """A file's content, None if there is none."""
        try:
            return (self.root / path).read_bytes()
        except FileNotFoundError:
            return None

    def sweep(self) -> None:
        """Remove what a process that died was writing; under the lock."""
        for folder, _, names in os.walk(self.root):
            for name in names:
                if name.startswith(".") and name.endswith(".tmp"):
                    Path(folder, name).unlink(missing_ok=True)

    def _temporary(self, path: str, content: bytes) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with open(descriptor, "wb") as file:  # noqa: PTH123  # a descriptor, not a path
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        return temporary


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _flushed(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
