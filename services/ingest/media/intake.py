"""From the bytes of an upload, on this machine's disk, to a file that can be used."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from services.ingest.media.description import Description, check_described
from services.ingest.media.documents import check_pdf
from services.ingest.media.photographs import look
from services.ingest.media.records import Records, digest
from services.ingest.media.refusals import too_large
from services.ingest.media.settings import MediaSettings
from services.ingest.media.sniffing import HEAD, Told, tell
from services.ingest.media.videos import Measures, NoAnswer, measure, still, without_metadata
from shared.media import MediaStore, poster_key
from shared.media.store import CHUNK
from shared.publication import Department, MediaFile
from shared.vocabulary import MediaForm
from shared.web import RETRY_AFTER, Problem

AT_ONCE = 2
"""Files that one process looks at at a time: each takes a processor, photographs memory too."""


@dataclass(frozen=True)
class _Prepared:
    """A file as it is to be stored."""

    path: Path
    measures: Measures
    poster: Path | None = None


class Intake:
    """Looks at files and stores them."""

    def __init__(self, settings: MediaSettings, records: Records, store: MediaStore) -> None:
        self.settings = settings
        self._records = records
        self._store = store
        self._slots = asyncio.Semaphore(AT_ONCE)

    def told(self, head: bytes, size: int, description: Description) -> Told:
        """What a file is that begins like this and has this many bytes so far. Raises a `Problem`."""
        told = tell(head)
        limit = self.settings.limit(told.form)
        if size > limit:
            raise too_large(told.form, limit)
        check_described(told.form, description)
        return told

    async def take(self, path: Path, description: Description, department: Department) -> MediaFile:
        """Store a whole file, once. May write beside it. Raises a `Problem` and `StoreUnavailable`."""
        with path.open("rb") as file:
            told = self.told(file.read(HEAD), file.seek(0, 2), description)
        try:
            return await self._take(path, told, description, department)
        except Problem as problem:
            problem.more.setdefault("form", told.form)
            raise

    async def _take(
        self, path: Path, told: Told, description: Description, department: Department
    ) -> MediaFile:
        source = await asyncio.to_thread(sha256_of, path)
        same = digest(source, description)
        if (stands := await self._records.seen_again(department.id, same)) is not None:
            return stands
        async with self._slots:
            prepared = await self._prepare(path, told)
        sha256 = await asyncio.to_thread(sha256_of, prepared.path)
        id = await self._records.begin(department.id, same, sha256)
        media = MediaFile(
            id=id,
            form=told.form,
            media_type=told.media_type,
            sha256=sha256,
            size=size_of(prepared.path),
            width=prepared.measures.width,
            height=prepared.measures.height,
            duration=prepared.measures.duration,
            poster=prepared.poster is not None,
            **description.model_dump(),
        )
        await self._store.write(sha256, _blocks(prepared.path))
        if prepared.poster is not None:
            await self._store.write(poster_key(media), _blocks(prepared.poster))
        return await self._records.finish(department.id, same, media)

    async def _prepare(self, path: Path, told: Told) -> _Prepared:
        if told.form is MediaForm.PHOTO:
            return await asyncio.to_thread(self._photograph, path, told)
        if told.form is MediaForm.DOCUMENT:
            await asyncio.to_thread(check_pdf, path)
            return _Prepared(path, Measures())
        try:
            return await self._video(path, told)
        except NoAnswer as error:
            raise Problem(
                503,
                "video-not-looked-at",
                "The video could not be looked at just now; hand it in again.",
                headers={"Retry-After": str(RETRY_AFTER)},
            ) from error

    def _photograph(self, path: Path, told: Told) -> _Prepared:
        photo = look(path.read_bytes(), told, pixels=self.settings.photo_pixels * 1_000_000)
        target = path.with_name(f"{path.name}.{told.ending}")
        target.write_bytes(photo.data)
        return _Prepared(target, Measures(photo.width, photo.height))

    async def _video(self, path: Path, told: Told) -> _Prepared:
        ffmpeg = self.settings.ffmpeg_path()
        if ffmpeg is None:
            return _Prepared(path, Measures())
        measures = await measure(ffmpeg, path, told)
        target = path.with_name(f"{path.name}.{told.ending}")
        await without_metadata(ffmpeg, path, told, target)
        picture = path.with_name(f"{path.name}.poster.jpg")
        shown = await still(ffmpeg, target, told, measures, picture)
        return _Prepared(target, measures, picture if shown else None)


def sha256_of(path: Path) -> str:
    """Of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def _blocks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while block := await asyncio.to_thread(file.read, CHUNK):
            yield block


def size_of(path: Path) -> int:
    """Bytes; 0 where there is no such file."""
    return path.stat().st_size if path.exists() else 0
