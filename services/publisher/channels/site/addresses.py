"""Addresses: `/publications/<slug>/`, one a publication, kept for good.

Collection `addresses`: `_id` is the slug, `publication` whose it is, unique.
"""

import asyncio
import re
from uuid import UUID

from pymongo.errors import DuplicateKeyError
from slugify import slugify
from translitua import UkrainianKMU, translit

from shared.mongo import Database, store_failures

LONGEST = 80
"""Letters of a slug without its number."""
_NAMELESS = "publikatsiia"


def slug_of(title: str) -> str:
    """The title in Latin letters by the official table (Cabinet of Ministers, resolution 55 of 2010).

    `a-z`, `0-9` and single hyphens, at most `LONGEST`, cut between words; never empty.
    """
    latin = translit(title, UkrainianKMU)
    return slugify(latin, max_length=LONGEST, word_boundary=True, save_order=True) or _NAMELESS


class Addresses:
    """Who has which slug."""

    def __init__(self, database: Database) -> None:
        self._addresses = database["addresses"]
        self._numbering = asyncio.Lock()

    async def prepare(self) -> None:
        """Make the index that gives a publication one address only."""
        with store_failures():
            await self._addresses.create_index("publication", unique=True)

    async def reserve(self, publication: UUID, title: str) -> str:
        """The publication's slug: the one it has, else the first that is free for its title.

        A repeated title gets `-2`, `-3`, ... What is reserved is never given away again.
        """
        slug = slug_of(title)
        if await self._take(slug, publication):
            return slug
        # One at a time: many of the same title at once would all try for the same number.
        async with self._numbering:
            return await self._numbered(slug, publication)

    async def _numbered(self, slug: str, publication: UUID) -> str:
        while True:
            mine = await self._taken_by(publication)
            if mine is not None:
                return mine
            numbered = f"{slug}-{await self._last_number(slug) + 1}"
            if await self._take(numbered, publication):
                return numbered

    async def _take(self, slug: str, publication: UUID) -> bool:
        """Whether the slug is the publication's now; not if it is another's, or this one has another."""
        try:
            with store_failures():
                await self._addresses.insert_one({"_id": slug, "publication": publication})
        except DuplicateKeyError:
            return False
        return True

    async def _taken_by(self, publication: UUID) -> str | None:
        with store_failures():
            document = await self._addresses.find_one({"publication": publication})
        return None if document is None else str(document["_id"])

    async def _last_number(self, slug: str) -> int:
        numbered = re.compile(f"^{re.escape(slug)}-([0-9]+)$")
        with store_failures():
            documents = await self._addresses.find({"_id": {"$regex": numbered.pattern}}).to_list(None)
        found = (numbered.match(str(document["_id"])) for document in documents)
        return max((int(match[1]) for match in found if match), default=1)
