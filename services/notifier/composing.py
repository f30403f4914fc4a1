"""From mails in the database to the bytes that go on the wire."""

from collections import OrderedDict
from datetime import date
from uuid import UUID

from services.notifier.items import Items
from services.notifier.letters import Letter, compose, compose_digest
from services.notifier.planning import fingerprint
from services.notifier.records import DigestItem, Mail, Purpose
from services.notifier.settings import Settings
from services.notifier.store import Store
from shared.events import PublicationEvent
from shared.publication import Fact

_KEPT = 64
"""Rendered letters kept in memory: each serves all recipients of a fan-out."""
_Key = tuple[str, Purpose, int, bool]


class Composing:
    """Makes letters, each once for all mails that read the same."""

    def __init__(self, settings: Settings, store: Store, items: Items) -> None:
        self._settings = settings
        self._store = store
        self._items = items
        self._letters: OrderedDict[_Key, Letter] = OrderedDict()

    def letter(self, mail: Mail, event: PublicationEvent) -> Letter:
        """The letter about a publication that this mail carries."""
        key = (mail.fanout, mail.purpose, mail.since, mail.renewed)
        found = self._letters.get(key)
        if found is None:
            found = compose(self._settings, event.data, mail.purpose, since=mail.since, renewed=mail.renewed)
            self._letters[key] = found
            if len(self._letters) > _KEPT:
                self._letters.popitem(last=False)
        self._letters.move_to_end(key)
        return found

    async def digest(self, mail: Mail) -> Letter | None:
        """The digest that this mail carries, of what is newest now; None where nothing is left to say.

        What it carries is recorded first and compared with what stands after: a newer fact either
        finds the record and sends its own mail, or is found here and made part of the digest.
        """
        items = {item.publication: item for item in await self._items.of_mails([mail.id])}
        while True:
            newest = await self._store.events(items)
            events = [one for one in newest if one.fact is not Fact.WITHDRAWN]
            await self._items.drop([items[one.data.id].id for one in newest if one.fact is Fact.WITHDRAWN])
            if not events:
                return None
            await self._items.made_up(_carried(events, items))
            ranks = await self._store.ranks(items)
            if all(ranks[event.data.id] == event.rank for event in events):
                break
        publications = sorted(
            (event.data for event in events), key=lambda one: (one.released_at or one.accepted_at, one.id)
        )
        return compose_digest(self._settings, publications, _day(mail))


def _carried(events: list[PublicationEvent], items: dict[UUID, DigestItem]) -> dict[str, tuple[int, str]]:
    return {items[event.data.id].id: (event.data.revision, fingerprint(event.data)) for event in events}


def _day(mail: Mail) -> date:
    """The local day of a digest, which its fan-out's id ends with."""
    return date.fromisoformat(mail.fanout.rsplit("/", 1)[1])
