"""Closes issues at their deadline, sends what the editors are to get, and reports what they answered.

What is due stands in the issues themselves, so that a service that was down makes up for it at its start,
and one of several processes does it: the holder of the issue's lease.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

from services.publisher.channels.interface import Surroundings, Unconfirmed
from services.publisher.channels.newspaper.answering import stop_sent, told
from services.publisher.channels.newspaper.contents import contents
from services.publisher.channels.newspaper.deadlines import KYIV
from services.publisher.channels.newspaper.issue import Issue, State, settlement_of
from services.publisher.channels.newspaper.issues import Issues
from services.publisher.channels.newspaper.links import Links
from services.publisher.channels.newspaper.package import Letters
from services.publisher.channels.newspaper.settings import NewspaperSection
from shared.bus import Later, Permanent
from shared.mongo import StoreUnavailable
from shared.telemetry import logger

LEASE = timedelta(minutes=5)
_MAILING = 240.0
"""Seconds for a mail; below the lease."""
_log = logger(__name__)


class Press:
    """Does what is due."""

    def __init__(
        self,
        issues: Issues,
        section: NewspaperSection,
        surroundings: Surroundings,
        clock: Callable[[], datetime],
        *,
        lease: timedelta = LEASE,
    ) -> None:
        self._issues = issues
        self.section = section
        self._surroundings = surroundings
        self.clock = clock
        self.lease = lease
        self._links = Links(section.secret)
        self.letters = Letters(section, surroundings)

    def answer_at(self, issue: Issue) -> str:
        """The address where the editors answer for an issue."""
        return self._surroundings.page_url("newspaper", f"/issues/{self._links.token(issue.id)}")

    async def run(self) -> None:
        """Look at the clock, until cancelled."""
        while True:
            try:
                await self.look()
            except StoreUnavailable as error:
                _log.warning("the database is away", reason=str(error))
            except Exception as error:  # noqa: BLE001  # one issue's fault must not stop all that follow
                _log.error("the newspaper's round failed", exc_info=error)
                await self._surroundings.alert(
                    "Газета: збій", "Не вдалося опрацювати випуск; деталі в журналі."
                )
            await asyncio.sleep(self.section.look_every)

    async def look(self) -> None:
        """Close, send, report and remind, whatever is due by now."""
        for issue in await self._issues.unfinished():
            if issue.state is State.CLOSED or issue.deadline <= self.clock():
                await self._tried(issue, self.close(issue))
        for issue in await self._issues.waiting():
            for item in issue.items:
                if not item.settled:
                    await self.report(issue, item.publication_id)
            if self._reminder_due(issue):
                await self._tried(issue, self._remind(issue))

    async def _tried(self, issue: Issue, mailing: Awaitable[bool]) -> None:
        try:
            await mailing
        except Permanent as refused:
            text = f"Редакція не отримала листа про випуск {issue.id}: {refused}"
            await self._surroundings.alert("Газета: лист не прийнято", text)
        except (Later, Unconfirmed, TimeoutError) as error:
            # Sent again at the next look, with the same Message-ID.
            _log.warning("a mail to the editors did not go out for sure", issue=issue.id, reason=str(error))

    async def close(self, issue: Issue) -> bool:
        """Close it and send its package; False where another process does, or it is done.

        That it is closed is recorded before the mail leaves, and that it was sent right after.
        """
        async with self._held(issue) as held:
            if not held:
                return False
            closed = await self._issues.change(issue, lambda now: _closed(now, self.clock()))
            if closed is None or closed.state is not State.CLOSED:
                return False
            mail = await self.letters.package(closed, contents(closed), self.answer_at(closed))
            async with asyncio.timeout(_MAILING):
                await self._surroundings.mail(mail)
            await self._issues.change(closed, lambda now: now.model_copy(update={"state": State.SENT}))
            _log.info("the editors have the issue", issue=closed.id, items=len(closed.items))
            return True

    async def stop(self, issue: Issue, publication_id: UUID) -> None:
        """Ask the editors not to print it. Raises as `Surroundings.mail` does; safe to repeat."""
        item = issue.item(publication_id)
        if item is None or item.stop_sent:
            return
        await self._surroundings.mail(self.letters.stop(issue, item))
        await self._issues.change(issue, lambda now: stop_sent(now, publication_id))

    async def report(self, issue: Issue, publication_id: UUID) -> None:
        """Bring the receipt up to the last answer."""
        item = issue.item(publication_id)
        issues = await self._issues.of_publication(publication_id)
        settlement = settlement_of(issues, publication_id)
        await self._surroundings.settle("newspaper", publication_id, settlement)
        if item is not None:
            await self._issues.change(issue, lambda now: told(now, publication_id, len(item.answers)))

    def _reminder_due(self, issue: Issue) -> bool:
        day = self.letters.expected(issue) + timedelta(days=self.section.remind_after)
        return not issue.reminded and bool(issue.unanswered) and self.clock().astimezone(KYIV).date() >= day

    async def _remind(self, issue: Issue) -> bool:
        async with self._held(issue) as held:
            now = await self._issues.get(issue.id) if held else None
            if now is None or not self._reminder_due(now):
                return False
            async with asyncio.timeout(_MAILING):
                await self._surroundings.mail(self.letters.reminder(now, self.answer_at(now)))
            await self._issues.change(now, lambda it: it.model_copy(update={"reminded": True}))
            return True

    @asynccontextmanager
    async def _held(self, issue: Issue) -> AsyncIterator[bool]:
        owner = secrets.token_hex(8)
        if not await self._issues.claim(issue.id, owner, self.lease):
            yield False
            return
        try:
            yield True
        finally:
            await self._issues.release(issue.id, owner)


def _closed(issue: Issue, at: datetime) -> Issue | None:
    if not issue.open:
        return issue
    state = State.CLOSED if issue.items else State.EMPTY
    return issue.model_copy(update={"state": state, "closed_at": at})
