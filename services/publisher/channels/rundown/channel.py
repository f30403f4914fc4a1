"""Television or radio: which broadcasts are its own, and what the receipt is told of each."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from fastapi import APIRouter

from services.publisher.channels.interface import Call, Channel, Posted, Settlement, Surroundings
from services.publisher.channels.rundown import airing as changes
from services.publisher.channels.rundown.agreements import Agreements
from services.publisher.channels.rundown.airing import Airing, Slot
from services.publisher.channels.rundown.airings import Airings
from services.publisher.channels.rundown.links import Links
from services.publisher.channels.rundown.mailing import Mailing
from services.publisher.channels.rundown.pages import Pages
from services.publisher.channels.rundown.terms import Terms
from services.publisher.channels.rundown.wording import hour
from shared.events import now
from shared.mongo import StoreUnavailable
from shared.preview import Piece, Preview
from shared.publication import Broadcast, BroadcastDetails, Fact, Publication, rank_of
from shared.settings import MailSettings
from shared.telemetry import logger

_log = logger(__name__)


class RundownChannel(Channel):
    """The rundowns of all programmes of one medium."""

    repeatable = True
    deadline = 30.0
    concurrency = 20

    def __init__(self, name: str, medium: str, surroundings: Surroundings, terms: Terms) -> None:
        self._name = name
        self._medium = medium
        self._surroundings = surroundings
        self._terms = terms
        self.clock: Callable[[], datetime] = now
        self.airings = Airings(surroundings.database, name)
        self.agreements = Agreements(surroundings.database, name)
        self.links = Links(terms.link_secret, name, days=terms.answer_days)
        settings = surroundings.settings
        domain = settings.domain if isinstance(settings, MailSettings) else "localhost"
        self.mailing = Mailing(name, surroundings, self.airings, terms, link=self.answer_url, domain=domain)
        self._pages = Pages(
            self.airings,
            self.agreements,
            self.links,
            answer=self.answer,
            page_url=lambda path: surroundings.page_url(name, path),
            domain=domain,
            clock=lambda: self.clock(),  # noqa: PLW0108  # whichever clock it has by then
        )
        self._tending: asyncio.Task[None] | None = None
        self._look = asyncio.Event()

    @property
    def name(self) -> str:
        return self._name

    async def prepare(self) -> None:
        """Indexes; and from now on the stations' mail."""
        await self.airings.prepare()
        await self.mailing.prepare()
        if self._tending is None or self._tending.done():
            self._tending = asyncio.create_task(self._tend())

    async def close(self) -> None:
        if self._tending is not None:
            self._tending.cancel()
            await asyncio.gather(self._tending, return_exceptions=True)

    def routes(self) -> APIRouter:
        return self._pages.router()

    def takes(self, publication: Publication) -> str | None:
        """Broadcasts of its medium."""
        if not isinstance(publication.content, Broadcast):
            return "До програми ефірів ідуть лише прямі ефіри й телепрограми."
        if publication.content.broadcast.medium != self._medium:
            here = "на телебаченні" if self._medium == "tv" else "на радіо"
            return f"Цей ефір не {here}."
        return None

    def preview(self, publication: Publication) -> Preview:
        """The rundown's line."""
        shown = changes.listed(None, publication, _details(publication))
        problems = []
        if not self._terms.addresses(shown.station):
            problems.append(
                f"Адреси станції «{shown.station}» немає в налаштуваннях: листа з програмою вона не отримає."
            )
        if not shown.guests:
            problems.append("Гостей не названо: у програмі буде лише тема.")
        return Preview(
            channel=self.name,
            pieces=(Piece(text=shown.line),),
            address=self._page(shown),
            problems=tuple(problems),
        )

    async def publish(self, publication: Publication, call: Call) -> Posted:  # noqa: ARG002
        """Put it into its programme's rundown."""
        return await self._list(publication)

    async def update(self, publication: Publication, posted: Posted, call: Call) -> Posted:  # noqa: ARG002
        """Bring the rundown to what this revision says."""
        return await self._list(publication)

    async def withdraw(
        self,
        publication: Publication,
        posted: Posted | None,  # noqa: ARG002  # found by the publication's id
        call: Call,  # noqa: ARG002
    ) -> Posted | None:
        """Take it out; calendars that had it are told so."""
        rank = rank_of(publication.revision, Fact.WITHDRAWN if publication.withdrawal else Fact.RELEASED)

        def without(before: Airing | None) -> Airing | None:
            if before is not None:
                return changes.taken_out(
                    before, rank=rank, revision=publication.revision, at=publication.accepted_at
                )
            if self.takes(publication) is not None:
                return None
            return changes.never_listed(publication, _details(publication), rank=rank)

        await self.airings.change(publication.id, without)
        self._look.set()
        return None

    async def find(self, publication: Publication) -> Posted | None:
        """Never asked: every call may be repeated."""
        raise NotImplementedError(f"{self.name} is repeatable, and was asked for {publication.id}")

    async def _list(self, publication: Publication) -> Posted:
        details = _details(publication)

        def with_it(before: Airing | None) -> Airing:
            return changes.listed(before, publication, details)

        _, after = await self.airings.change(publication.id, with_it)
        self._look.set()
        if after is None:
            raise AssertionError("what was just listed is there")
        return self._posted(after)

    async def answer(self, id: UUID, slot: Slot, remark: str | None) -> Airing | None:
        """Record what the station says, and tell the receipt; None where it isn't in the rundown."""
        at = self.clock()

        def with_answer(before: Airing | None) -> Airing | None:
            if before is None or not before.listed:
                return None
            return changes.answered(before, slot, at=at, remark=remark)

        _, after = await self.airings.change(id, with_answer)
        if after is None or not after.listed:
            return None
        if not after.settled:
            await self._settle(after)
        return after

    async def _settle(self, airing: Airing) -> None:
        await self._surroundings.settle(self.name, airing.id, Settlement(posted=self._posted(airing)))

        def heard(before: Airing | None) -> Airing | None:
            # Answered again meanwhile: that is another answer to tell of.
            if before is None or before.answers != airing.answers:
                return None
            return before.model_copy(update={"settled": True})

        await self.airings.change(airing.id, heard)

    async def _tend(self) -> None:
        """Tell receipts of answers, and send what is due, for as long as the channel is open."""
        while True:
            self._look.clear()
            try:
                for airing in await self.airings.unsettled():
                    await self._settle(airing)
                await self.mailing.tend(self.clock())
            except StoreUnavailable as error:
                _log.warning("the rundown can't be looked at", channel=self.name, reason=str(error))
            except Exception:  # noqa: BLE001  # whatever it was: it is logged, and tried again
                _log.exception("a look at the rundown failed", channel=self.name)
            try:
                async with asyncio.timeout(self._terms.look_every):
                    await self._look.wait()
            except TimeoutError:
                continue

    def answer_url(self, airing: Airing) -> str:
        """Where the station says what became of it."""
        return self._surroundings.page_url(self.name, f"/answer/{self.links.token(airing.id)}")

    def _page(self, airing: Airing) -> str:
        return self._surroundings.page_url(self.name, f"/programmes/{airing.programme_key}")

    def _posted(self, airing: Airing) -> Posted:
        when = f"{hour(airing.airs_at)}, {airing.station}"
        note, awaiting = None, None
        remark = f" {airing.answer.remark}" if airing.answer is not None and airing.answer.remark else ""
        if airing.state == "aired":
            note = f"Вийшло в ефір {when}.{remark}"
        elif airing.state == "cancelled":
            note = f"Ефір скасовано: {when}.{remark}"
        else:
            awaiting = f"Чекаємо підтвердження ефіру: {when}.{remark}"
        return Posted(url=self._page(airing), note=note, awaiting=awaiting)


def _details(publication: Publication) -> BroadcastDetails:
    if not isinstance(publication.content, Broadcast):
        raise TypeError("only broadcasts are in a rundown")
    return publication.content.broadcast
