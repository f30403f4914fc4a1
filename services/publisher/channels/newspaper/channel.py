"""The newspaper as a channel: what is released gathers in the next issue."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from fastapi import APIRouter

from services.publisher.channels.interface import Call, Channel, Posted, Surroundings
from services.publisher.channels.newspaper.answering import stopped
from services.publisher.channels.newspaper.blocks import count
from services.publisher.channels.newspaper.contents import heading, set_text
from services.publisher.channels.newspaper.issue import Issue, Item, Role, reached, role_now
from services.publisher.channels.newspaper.issues import Issues
from services.publisher.channels.newspaper.package import deadline_text
from services.publisher.channels.newspaper.pages import Pages
from services.publisher.channels.newspaper.press import Press
from services.publisher.channels.newspaper.settings import NewspaperSection
from shared.events import now
from shared.preview import Piece, Preview
from shared.publication import Fact, Publication, rank_of
from shared.vocabulary import KIND_NAMES, Kind, Language

_REFUSED = frozenset({Kind.VIDEO, Kind.BROADCAST})
_NO_LONGER = "Матеріал більше не призначено для друку."


class NewspaperChannel(Channel):
    """Gathers by the publication's id, so that every call may be made twice."""

    name = "newspaper"
    repeatable = True
    deadline = 120.0
    concurrency = 4

    def __init__(self, surroundings: Surroundings, clock: Callable[[], datetime] = now) -> None:
        self.section = surroundings.section(NewspaperSection)
        self.issues = Issues(surroundings.database, self.section)
        self.press = Press(self.issues, self.section, surroundings, clock)
        self._loop: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        await self.issues.prepare()
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self.press.run())

    async def close(self) -> None:
        if self._loop is not None:
            self._loop.cancel()
            with suppress(asyncio.CancelledError):
                await self._loop

    def takes(self, publication: Publication) -> str | None:
        if publication.kind in _REFUSED:
            return f"Газета не друкує: {KIND_NAMES[publication.kind]}."
        if publication.content.language is not Language.UKRAINIAN:
            return "Газета друкує лише українською."
        return None

    def preview(self, publication: Publication) -> Preview:
        title, blocks = heading(Role.STORY, publication), set_text(Role.STORY, publication)
        counted = count(title, blocks)
        problems: tuple[str, ...] = ()
        if counted.with_spaces > self.section.item_limit:
            limit = self.section.item_limit
            problems = (f"Задовгий для газети: {counted.text}; більше ніж {limit} редакція може скоротити.",)
        text = "\n\n".join((title, *(block.text for block in blocks)))
        images = tuple(photo.alt or "" for photo in publication.photos)
        return Preview(channel=self.name, pieces=(Piece(text=text, images=images),), problems=problems)

    async def publish(self, publication: Publication, call: Call) -> Posted:
        del call
        rank = rank_of(publication.revision, Fact.RELEASED)
        while True:
            issues = await self.issues.of_publication(publication.id)
            done = [issue for issue in issues if (it := issue.item(publication.id)) and it.rank >= rank]
            if done:
                return self._posted(done[-1], publication.id)
            item = Item(
                publication_id=publication.id,
                role=role_now(issues, publication.id),
                rank=rank,
                publication=publication.model_dump_json(),
            )
            kept = await self._gather(issues, item)
            if kept is not None:
                return self._posted(kept, publication.id)

    async def update(self, publication: Publication, posted: Posted, call: Call) -> Posted:
        del posted
        return await self.publish(publication, call)

    async def withdraw(self, publication: Publication, posted: Posted | None, call: Call) -> Posted | None:
        del posted, call
        id, reason = publication.id, publication.withdrawal.reason if publication.withdrawal else _NO_LONGER
        issues = await self.issues.of_publication(id)
        for issue in issues:
            if issue.open and (item := issue.item(id)) is not None and item.role is not Role.REFUTATION:
                await self.issues.change(issue, lambda it: it.without(id) if it.open else None)
        # Read again: an issue may have closed with it meanwhile.
        issues = await self.issues.of_publication(id)
        refuted = False
        for issue in issues:
            item = issue.item(id)
            if issue.open or item is None or item.dropped or item.role is Role.REFUTATION:
                continue
            marked = await self.issues.change(issue, lambda it: stopped(it, id, reason))
            if item.answer is not None:
                refuted = True
            elif marked is not None:
                await self.press.stop(marked, id)
        if refuted:
            await self.refute(id, publication, reason)
            return Posted(note="Уже надруковано: спростування стоїть у матеріалах наступного випуску.")
        if reached(issues, id):
            return Posted(note="Матеріал уже в редакції: її попросили не друкувати.")
        return None

    async def refute(self, id: UUID, publication: Publication, reason: str) -> None:
        """Put a refutation into the next issue, unless there is one."""
        while True:
            issues = await self.issues.of_publication(id)
            if any((it := issue.item(id)) and it.role is Role.REFUTATION for issue in issues):
                return
            item = Item(
                publication_id=id,
                role=Role.REFUTATION,
                rank=rank_of(publication.revision, Fact.WITHDRAWN),
                publication=publication.model_dump_json(),
                reason=reason,
            )
            if await self._gather(issues, item) is not None:
                return

    async def _gather(self, issues: list[Issue], item: Item) -> Issue | None:
        """Put it where it stands already, else into the next issue; None where that closed meanwhile."""
        standing = [issue for issue in issues if issue.open]
        issue = standing[-1] if standing else await self.issues.gathering(self.press.clock())
        return await self.issues.change(issue, lambda it: it.put(item) if it.open else None)

    def _posted(self, issue: Issue, id: UUID) -> Posted:
        item = issue.item(id)
        erratum = item is not None and item.role is Role.ERRATUM
        what = "друк уточнення" if erratum else "друк"
        day = self.press.letters.expected(issue)
        return Posted(
            remote={"issue": issue.id},
            awaiting=f"Чекаємо, поки редакція підтвердить {what}: випуск від {day:%d.%m.%Y} "
            f"(здача матеріалів {deadline_text(issue)}).",
        )

    async def find(self, publication: Publication) -> Posted | None:
        raise AssertionError(f"{publication.id}: a repeatable channel is not asked")

    def routes(self) -> APIRouter:
        return Pages(self.issues, self.press, self.section, self.refute).router


def open_channel(surroundings: Surroundings) -> Channel:
    """The newspaper."""
    return NewspaperChannel(surroundings)
