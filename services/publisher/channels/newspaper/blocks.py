"""A publication as the galley sets it: blocks, for document, counts and preview alike."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from babel.dates import format_datetime
from markdown_it import MarkdownIt
from markdown_it.token import Token

from services.publisher.channels.newspaper.deadlines import KYIV
from shared.publication import Broadcast, Event, Interview, Publication, RegulatoryAct

Style = Literal["heading", "paragraph", "bullet", "number", "quote", "code", "table"]
_ISSUERS = {
    "city_council": "Рішення міської ради",
    "executive_committee": "Рішення виконавчого комітету",
    "mayor": "Розпорядження міського голови",
}
_PARSER = MarkdownIt("commonmark", {"html": False}).enable("table")


@dataclass(frozen=True)
class Run:
    """Words set alike."""

    text: str
    bold: bool = False
    italic: bool = False
    code: bool = False


@dataclass(frozen=True)
class Block:
    """One paragraph, heading, list item or table."""

    style: Style
    runs: tuple[Run, ...] = ()
    level: int = 0
    """Of a heading, from 1; of a list's item, from 0."""
    starts: int | None = None
    """The number that a list begins with; only its first item has one."""
    rows: tuple[tuple[tuple[Run, ...], ...], ...] = ()

    @property
    def text(self) -> str:
        if self.style == "table":
            return "\n".join("\t".join(_words(cell) for cell in row) for row in self.rows)
        return _words(self.runs)


@dataclass
class _List:
    ordered: bool
    starts: int | None


@dataclass
class _Reading:
    blocks: list[Block] = field(default_factory=list)
    lists: list[_List] = field(default_factory=list)
    quotes: int = 0
    fresh: bool = False
    """Whether the next paragraph is the first of a list's item."""

    def paragraph(self, runs: tuple[Run, ...]) -> None:
        if self.lists and self.fresh:
            lowest = self.lists[-1]
            style: Style = "number" if lowest.ordered else "bullet"
            self.blocks.append(Block(style, runs, len(self.lists) - 1, lowest.starts))
            lowest.starts, self.fresh = None, False
        else:
            self.blocks.append(Block("quote" if self.quotes else "paragraph", runs))


def blocks_of(body: str) -> tuple[Block, ...]:
    """CommonMark, and tables, as blocks; raw HTML stays the text it is."""
    tokens = _PARSER.parse(body)
    reading = _Reading()
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.type == "table_open":
            end = next(i for i in range(index, len(tokens)) if tokens[i].type == "table_close")
            reading.blocks.append(_table(tokens[index:end]))
            index = end
        else:
            _read(reading, tokens, index)
        index += 1
    return tuple(reading.blocks)


def _read(reading: _Reading, tokens: Sequence[Token], index: int) -> None:
    token = tokens[index]
    if token.type in ("bullet_list_open", "ordered_list_open"):
        ordered = token.type == "ordered_list_open"
        reading.lists.append(_List(ordered, int(token.attrs.get("start", 1)) if ordered else None))
    elif token.type in ("bullet_list_close", "ordered_list_close"):
        reading.lists.pop()
    elif token.type == "list_item_open":
        reading.fresh = True
    elif token.type == "blockquote_open":
        reading.quotes += 1
    elif token.type == "blockquote_close":
        reading.quotes -= 1
    elif token.type in ("fence", "code_block"):
        reading.blocks.append(Block("code", (Run(token.content.rstrip("\n"), code=True),)))
    elif token.type == "inline":
        runs = _runs(token.children or ())
        opening = tokens[index - 1]
        if opening.type == "heading_open":
            reading.blocks.append(Block("heading", runs, int(opening.tag[1])))
        else:
            reading.paragraph(runs)


def _table(tokens: Sequence[Token]) -> Block:
    rows: list[list[tuple[Run, ...]]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(_runs(token.children or ()))
    return Block("table", rows=tuple(map(tuple, rows)))


def _runs(tokens: Sequence[Token]) -> tuple[Run, ...]:
    runs: list[Run] = []
    bold = italic = 0
    links: list[str] = []
    for token in tokens:
        if token.type in ("strong_open", "strong_close"):
            bold += token.nesting
        elif token.type in ("em_open", "em_close"):
            italic += token.nesting
        elif token.type == "link_open":
            links.append(str(token.attrs.get("href", "")))
        elif token.type == "link_close":
            href = links.pop()
            # Paper has no links: the address is printed, unless the words are the address.
            if href and not "".join(run.text for run in runs).endswith(href):
                runs.append(Run(f" ({href.removeprefix('mailto:')})"))
        elif token.type in ("softbreak", "hardbreak"):
            runs.append(Run(" " if token.type == "softbreak" else "\n"))
        elif token.content:
            runs.append(Run(token.content, bold > 0, italic > 0, token.type == "code_inline"))
    return tuple(runs)


def _words(runs: Sequence[Run]) -> str:
    return "".join(run.text for run in runs)


def facts(publication: Publication) -> tuple[str, ...]:
    """What the kind adds: number and date of an act, when and where of an event, who speaks."""
    content = publication.content
    if isinstance(content, RegulatoryAct):
        act = content.act
        name = _ISSUERS[act.issuer]
        if act.draft or act.adopted_on is None:
            considered = f" Розгляд: {act.considered_on:%d.%m.%Y}." if act.considered_on else ""
            return (f"{name} (проєкт) «{act.title}».{considered}",)
        return (f"{name} від {act.adopted_on:%d.%m.%Y} № {act.number} «{act.title}»",)
    if isinstance(content, Event):
        at = content.event.starts_at
        when = format_datetime(at, "EEEE, d MMMM y 'р.', HH:mm", tzinfo=KYIV, locale="uk").replace("ʼ", "’")
        return (f"Коли: {when}", f"Де: {content.event.place}")
    if isinstance(content, Broadcast):
        details = content.broadcast
        when = format_datetime(details.airs_at, "d MMMM y 'р.', HH:mm", tzinfo=KYIV, locale="uk")
        return (f"В ефірі: «{details.series}», {details.station}, {when}",)
    if isinstance(content, Interview) and content.speaker is not None:
        speaker = content.speaker
        return (", ".join(part for part in (speaker.name, speaker.post, speaker.faction) if part),)
    return ()


def story(publication: Publication) -> tuple[Block, ...]:
    """Lead, facts and body; the title stands before them."""
    content = publication.content
    return (
        Block("paragraph", (Run(content.lead, bold=True),)),
        *(Block("paragraph", (Run(fact, italic=True),)) for fact in facts(publication)),
        *blocks_of(content.body),
    )


@dataclass(frozen=True)
class Count:
    """Characters of a text."""

    with_spaces: int = 0
    without_spaces: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.with_spaces + other.with_spaces, self.without_spaces + other.without_spaces)

    @property
    def text(self) -> str:
        return f"{self.with_spaces} знаків із пробілами, {self.without_spaces} без пробілів"


def count(title: str, blocks: Sequence[Block]) -> Count:
    """Title and blocks together; the ends of lines are no characters."""
    text = "".join((title, *(block.text for block in blocks))).replace("\n", "").replace("\t", "")
    return Count(len(text), len("".join(text.split())))
