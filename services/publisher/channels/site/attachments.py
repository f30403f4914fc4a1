"""The files of publications on the site: photographs in their renditions, stills of videos, documents.

They stand in `media/<sha256>/`. Collection `site_media` says which publication holds which of these
folders: written down before the first byte is copied, so that a crash leaves nothing up that nobody holds.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from pymongo import ReplaceOne
from slugify import slugify
from translitua import UkrainianKMU, translit

from services.publisher.channels.site.files import Folder
from shared.media import ImageFormat, MediaMissing, MediaStore, poster_key, rendition_key, rendition_widths
from shared.mongo import Database, store_failures
from shared.publication import MediaFile, Publication
from shared.telemetry import logger

OPEN_GRAPH = 1600
"""Pixels: the widest picture that is offered to previews of links."""
_ENDINGS = {
    "application/pdf": "pdf",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/rtf": "rtf",
    "text/rtf": "rtf",
    "text/plain": "txt",
    "text/csv": "csv",
    "application/zip": "zip",
}

_log = logger(__name__)


@dataclass(frozen=True)
class Picture:
    """A photograph in one width."""

    path: str
    width: int
    height: int


def pictures(photo: MediaFile, format: ImageFormat) -> list[Picture]:
    """All widths of a photograph, smallest first."""
    own_width, own_height = photo.width or 1, photo.height or 1
    return [
        Picture(
            f"/media/{rendition_key(photo, width=width, format=format)}",
            width,
            max(1, round(width * own_height / own_width)),
        )
        for width in rendition_widths(photo)
    ]


def srcset(photo: MediaFile, format: ImageFormat) -> str:
    """For an image's `srcset`."""
    return ", ".join(f"{picture.path} {picture.width}w" for picture in pictures(photo, format))


def picture(photo: MediaFile, width: int = OPEN_GRAPH) -> Picture:
    """The JPEG that fits into a width."""
    every = pictures(photo, ImageFormat.JPEG)
    return [*every[:1], *(one for one in every if one.width <= width)][-1]


def poster_path(video: MediaFile) -> str | None:
    """Where a video's still stands, if it has one."""
    return f"/media/{poster_key(video)}" if video.poster else None


def ending(document: MediaFile) -> str:
    """Of the file's name, by what it is and not by what it was called."""
    return _ENDINGS.get(document.media_type, "bin")


def document_path(document: MediaFile) -> str:
    """Where a document stands, under a name that people know it by."""
    stem = (document.name or "").rpartition(".")[0] or document.name or ""
    name = slugify(translit(stem, UkrainianKMU), max_length=60, word_boundary=True) or "dokument"
    return f"/media/{document.sha256}/{name}.{ending(document)}"


def files_of(publication: Publication) -> dict[str, str]:
    """Keys in the media store, by the path below the root that each is shown at."""
    if publication.withdrawal is not None:
        return {}
    found: dict[str, str] = {}
    for photo in publication.photos:
        for format in ImageFormat:
            for one in pictures(photo, format):
                found[one.path] = one.path.removeprefix("/media/")
    for video in publication.videos:
        path = poster_path(video)
        if path is not None:
            found[path] = poster_key(video)
    for document in publication.documents:
        found[document_path(document)] = document.sha256
    return {path.removeprefix("/"): key for path, key in found.items()}


def _folders(publication: Publication) -> set[str]:
    return {path.split("/")[1] for path in files_of(publication)}


class Attachments:
    """Copies files to the site, and removes those that no page shows any more."""

    def __init__(self, database: Database, folder: Folder, media: MediaStore) -> None:
        self._held = database["site_media"]
        self._folder = folder
        self._media = media

    async def prepare(self) -> None:
        """Make the indexes."""
        with store_failures():
            await self._held.create_index("publication")
            await self._held.create_index("sha256")

    async def bring(self, publication: Publication) -> None:
        """Have every file there that the publication shows. Raises `MediaMissing`, `StoreUnavailable`."""
        files = files_of(publication)
        absent = [path for path in files if not (self._folder.root / path).exists()]
        await self._hold(publication.id, _folders(publication))
        for path in absent:
            await self._folder.write_stream(path, self._media.chunks(files[path]))

    async def settle(self, publications: Iterable[Publication]) -> None:
        """Leave the files that these pages show, under the folder's lock. A lost file is only logged."""
        for publication in publications:
            try:
                await self.bring(publication)
            except MediaMissing:
                _log.error("a file of a page is not in the media store", publication_id=str(publication.id))
            await self._let_go(publication.id, _folders(publication))

    async def _hold(self, publication: UUID, hashes: Collection[str]) -> None:
        if not hashes:
            return
        writes = [
            ReplaceOne({"_id": id}, {"_id": id, "publication": publication, "sha256": sha256}, upsert=True)
            for sha256 in sorted(hashes)
            for id in (f"{publication}:{sha256}",)
        ]
        with store_failures():
            await self._held.bulk_write(writes, ordered=False)

    async def _let_go(self, publication: UUID, shown: Collection[str]) -> None:
        unused = {"publication": publication, "sha256": {"$nin": sorted(shown)}}
        with store_failures():
            for held in await self._held.find(unused).to_list(None):
                sha256 = str(held["sha256"])
                others = {"sha256": sha256, "publication": {"$ne": publication}}
                if await self._held.find_one(others, {"_id": True}) is None:
                    await asyncio.to_thread(self._folder.remove, f"media/{sha256}")
                # Last: what a crash interrupts is done by the next page of this publication.
                await self._held.delete_one({"_id": held["_id"]})


def og_image(publication: Publication) -> Mapping[str, object] | None:
    """The picture that a link's preview shows: the first photograph, else the still of the first video."""
    if publication.photos:
        photo = publication.photos[0]
        one = picture(photo)
        return {"path": one.path, "width": one.width, "height": one.height, "alt": photo.alt}
    for video in publication.videos:
        path = poster_path(video)
        if path is not None:
            return {"path": path, "width": None, "height": None, "alt": video.caption}
    return None
