"""A channel as most of the outside world is: no idempotency key, and calls that may end in doubt."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from types import ModuleType
from uuid import UUID

from fastapi import APIRouter
from pydantic import JsonValue

from services.publisher.channels.interface import (
    Away,
    Call,
    Channel,
    Halted,
    Posted,
    Surroundings,
    Unconfirmed,
)
from shared.bus import Later, Permanent
from shared.events import Delivery
from shared.preview import Piece, Preview
from shared.publication import Publication
from tests.samples import publication


class Fault(Enum):
    """What the next call does instead of succeeding."""

    THROTTLED = auto()
    REFUSED = auto()
    CUT_BEFORE = auto()
    """The connection is lost, and the post was not made."""
    CUT_AFTER = auto()
    """The connection is lost, and the post was made."""
    AWAY = auto()
    """Nobody is at the board."""
    LOCKED = auto()
    """The board is locked, and only an operator has the key."""
    HANGS_AFTER = auto()
    """It never answers, and the post was made."""


@dataclass
class Board:
    """What hangs on the board, and what is to go wrong."""

    can_be_asked: bool = True
    posts: dict[int, str] = field(default_factory=dict)
    """Title by the post's number."""
    whose: dict[int, UUID] = field(default_factory=dict)
    faults: deque[Fault] = field(default_factory=deque)
    calls: list[str] = field(default_factory=list)
    remembered: list[Mapping[str, JsonValue]] = field(default_factory=list)
    awaiting: str | None = None
    surroundings: Surroundings | None = None
    after: tuple[str, ...] = ()
    heeds: tuple[str, ...] = ()
    ailments: deque[Exception] = field(default_factory=deque)
    """What `prepare` finds wrong, one try each."""
    prepared: int = 0
    heard: list[Delivery] = field(default_factory=list)


class BoardChannel(Channel):
    """Posts the title on the board; takes no act."""

    name = "board"
    repeatable = False
    deadline = 1.0
    concurrency = 10

    def __init__(self, board: Board) -> None:
        self.board = board

    @property
    def after(self) -> tuple[str, ...]:
        return self.board.after

    @property
    def heeds(self) -> tuple[str, ...]:
        return self.board.heeds

    async def prepare(self) -> None:
        if self.board.ailments:
            raise self.board.ailments.popleft()
        self.board.prepared += 1

    async def hear(self, delivery: Delivery) -> None:
        self.board.heard.append(delivery)

    def routes(self) -> APIRouter:
        router = APIRouter()

        @router.get("/posts")
        async def posts() -> list[str]:
            return list(self.board.posts.values())

        return router

    async def close(self) -> None: ...

    def takes(self, publication: Publication) -> str | None:
        return "Дошка не приймає актів." if publication.kind == "regulatory_act" else None

    def preview(self, publication: Publication) -> Preview:
        return Preview(channel=self.name, pieces=(Piece(text=publication.content.title),))

    async def publish(self, publication: Publication, call: Call) -> Posted:
        self.board.calls.append("publish")
        self.board.remembered.append(dict(call.remembered))
        await call.remember(upload=len(self.board.calls))
        await self._fail(publication)
        return self._posted(self._put_up(publication))

    async def update(self, publication: Publication, posted: Posted, call: Call) -> Posted:
        self.board.calls.append("update")
        await self._fail(publication)
        number = _number(posted)
        self.board.posts[number] = publication.content.title
        return self._posted(number)

    async def withdraw(self, publication: Publication, posted: Posted | None, call: Call) -> Posted | None:
        self.board.calls.append("withdraw")
        await self._fail(publication)
        if posted is not None:
            self.board.posts.pop(_number(posted), None)
        return None

    async def find(self, publication: Publication) -> Posted | None:
        self.board.calls.append("find")
        if not self.board.can_be_asked:
            raise Unconfirmed("Дошку неможливо перевірити: подивіться самі.")
        found = [number for number, of in self.board.whose.items() if of == publication.id]
        up = [number for number in found if number in self.board.posts]
        return self._posted(up[0]) if up else None

    def _put_up(self, publication: Publication) -> int:
        number = len(self.board.whose) + 1
        self.board.posts[number] = publication.content.title
        self.board.whose[number] = publication.id
        return number

    def _posted(self, number: int) -> Posted:
        return Posted(
            remote={"number": number}, url=f"https://board.example/{number}", awaiting=self.board.awaiting
        )

    async def _fail(self, publication: Publication) -> None:
        if not self.board.faults:
            return
        fault = self.board.faults.popleft()
        if fault is Fault.THROTTLED:
            raise Later("Дошка просить зачекати.", after=0.1)
        if fault is Fault.REFUSED:
            raise Permanent("Дошка не приймає такого тексту.")
        if fault is Fault.AWAY:
            raise Away("До дошки не дістатися.")
        if fault is Fault.LOCKED:
            raise Halted("Дошку замкнено.", remedy="Відчиніть її.")
        if fault is not Fault.CUT_BEFORE:
            self._put_up(publication)
        if fault is Fault.HANGS_AFTER:
            await asyncio.Event().wait()
        raise Unconfirmed("Зв’язок із дошкою обірвався.")


def _number(posted: Posted) -> int:
    """A post's, by what is recorded or by the address that a person gave."""
    known = posted.remote.get("number")
    if not isinstance(known, int):
        assert posted.url is not None
        known = int(posted.url.removeprefix("https://board.example/"))
    return known


def module_of(board: Board) -> ModuleType:
    """What a file `channels/board.py` would be."""
    module = ModuleType("services.publisher.channels.board")

    def open_channel(surroundings: Surroundings) -> Channel:
        board.surroundings = surroundings
        return BoardChannel(board)

    module.__dict__["open_channel"] = open_channel
    return module


def posted_on_board() -> Publication:
    return publication(targets=("board", "mail"))
