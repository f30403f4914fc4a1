"""The station's mail: every letter written down before it is sent, once for each week and each change.

Collection `<channel>_letters`. A station's letters are numbered; writing one down takes its number, which
only one process can. The next isn't written before this one is done with. A letter that may have been sent
is sent again as it was, with the same Message-ID, by which mail servers and readers know it again.
"""

import email
import email.policy
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from pymongo import DESCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from services.publisher.channels.interface import Surroundings, Unconfirmed
from services.publisher.channels.rundown.airing import Airing
from services.publisher.channels.rundown.airings import Airings
from services.publisher.channels.rundown.design import mail
from services.publisher.channels.rundown.feed import calendar_of
from services.publisher.channels.rundown.letters import (
    OPEN_FOR,
    Letter,
    ahead,
    known_after,
    news,
    slot_before,
    unanswered,
)
from services.publisher.channels.rundown.terms import Terms
from services.publisher.channels.rundown.wording import key_of
from shared.bus import Later, Permanent
from shared.events import now as real_now
from shared.mongo import Document, store_failures
from shared.telemetry import logger

LEASE = timedelta(minutes=5)
"""Longer than a mail server can take over one mail; real time, whatever the channel's clock says."""

_log = logger(__name__)


class Mailing:
    """Writes and sends the letters of one channel."""

    def __init__(
        self,
        channel: str,
        surroundings: Surroundings,
        airings: Airings,
        terms: Terms,
        *,
        link: Callable[[Airing], str],
        domain: str,
        lease: timedelta = LEASE,
    ) -> None:
        self._channel = channel
        self._surroundings = surroundings
        self._letters = surroundings.database[f"{channel}_letters"]
        self._airings = airings
        self._terms = terms
        self._link = link
        self._domain = domain
        self._lease = lease

    async def prepare(self) -> None:
        """Index."""
        with store_failures():
            await self._letters.create_index([("station_key", 1), ("number", DESCENDING)])

    async def tend(self, at: datetime) -> None:
        """Send what is due to any station; one that can't be reached keeps no other waiting."""
        for station in self._terms.stations:
            try:
                while await self._step(station, at):
                    pass
            except Later as error:
                _log.warning("a letter could not be sent yet", channel=self._channel, reason=str(error))

    async def _step(self, station: str, at: datetime) -> bool:
        """Send the letter that waits, or write the next one; False where neither is due."""
        last = await self._last(station)
        if last is not None and last.state == "written":
            return await self._send(last)
        letter = await self._next(station, last, at)
        return letter is not None and await self._write(letter)

    async def _last(self, station: str) -> Letter | None:
        return await self._newest({"station_key": key_of(station)})

    async def _newest(self, query: Document) -> Letter | None:
        with store_failures():
            found = await self._letters.find_one(query, sort=[("number", DESCENDING)])
        return None if found is None else Letter.model_validate(found)

    async def _next(self, station: str, last: Letter | None, at: datetime) -> Letter | None:
        slot = slot_before(at, self._terms)
        weekly = last is None or last.slot < slot
        since = slot if last is None else min(slot, last.slot)
        around = await self._airings.of_station(key_of(station), since - OPEN_FOR)
        known = {airing.id: airing for airing in around}
        before = () if last is None else last.told
        missing = [told.id for told in before if told.id not in known]
        known |= {airing.id: airing for airing in await self._airings.by_ids(missing)}
        until = at + timedelta(weeks=self._terms.weeks) if weekly or last is None else last.until
        changes = [] if last is None else news(before, known.values(), at, last.until)
        if weekly:
            coming, asked = ahead(known.values(), at, until), unanswered(known.values(), at)
        else:
            changes = [each for each in changes if each.urgent]
            coming, asked = [], []
            if not changes:
                return None
        letter = Letter(
            station=station,
            number=1 if last is None else last.number + 1,
            kind="weekly" if weekly else "change",
            slot=slot,
            until=until,
            told=known_after(before, known, ahead(known.values(), at, until), at),
            state="written" if coming or asked or changes else "empty",
        )
        if letter.state == "empty":
            return letter
        told = {each.id for each in (*before, *letter.told)}
        told |= {airing.id for airing in (*coming, *asked)}
        subjects = sorted((each for each in known.values() if each.id in told), key=_hour)
        raw = mail(
            station=station,
            to=self._terms.addresses(station),
            message_id=self._message_id(letter),
            at=at,
            changes=changes,
            coming=coming if weekly else [each for each in subjects if each.listed and each.airs_at >= at],
            asked=asked,
            link=self._link,
            ics=calendar_of(station, subjects, domain=self._domain),
            weekly=weekly,
        )
        return letter.model_copy(update={"raw": raw})

    def _message_id(self, letter: Letter) -> str:
        return f"<{self._channel}.{key_of(letter.station)}.{letter.number}@{self._domain}>"

    async def _write(self, letter: Letter) -> bool:
        """Take the letter's number; True in any case: somebody has it now."""
        document = letter.model_dump() | {"_id": _id(letter), "station_key": key_of(letter.station)}
        with store_failures():
            try:
                await self._letters.insert_one(document)
            except DuplicateKeyError:
                return True
        return True

    async def _send(self, letter: Letter) -> bool:
        """Send it, unless another process is at it; True once it is done with."""
        owner = secrets.token_hex(8)
        free: Document = {
            "_id": _id(letter),
            "state": "written",
            "$or": [{"leased_until": None}, {"leased_until": {"$lt": real_now()}}],
        }
        lease = {"$set": {"owner": owner, "leased_until": real_now() + self._lease}}
        with store_failures():
            held = await self._letters.find_one_and_update(free, lease, return_document=ReturnDocument.AFTER)
        if held is None:
            return False
        message = email.message_from_bytes(letter.raw, policy=email.policy.SMTP)
        state = "sent"
        try:
            await self._surroundings.mail(message)
        except Permanent as error:
            state = "refused"
            await self._surroundings.alert(f"{letter.station}: листа не прийнято", str(error))
        except (Later, Unconfirmed) as error:
            await self._end(letter, owner, {"leased_until": None})
            raise Later(str(error)) from error
        await self._end(letter, owner, {"state": state, "sent_at": real_now(), "leased_until": None})
        _log.info("a letter to a station", channel=self._channel, kind=letter.kind, state=state)
        return True

    async def _end(self, letter: Letter, owner: str, fields: Document) -> None:
        with store_failures():
            await self._letters.update_one({"_id": _id(letter), "owner": owner}, {"$set": fields})


def _hour(airing: Airing) -> datetime:
    return airing.airs_at


def _id(letter: Letter) -> str:
    return f"{key_of(letter.station)}:{letter.number}"
