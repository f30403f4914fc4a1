"""CommonMark as Telegram's message entities, and texts cut into messages. Pure.

Entities are sent instead of HTML: their offsets are counted, nothing is parsed on the other side, and so no
text, however it is cut, can be refused for its markup. Units are UTF-16 code units, as everywhere in
https://core.telegram.org/bots/api#messageentity.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urlsplit

from aiogram.types import MessageEntity
from aiogram.utils.formatting import BlockQuote, Bold, Code, Italic, Pre, Text, TextLink
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

TEXT_LIMIT, CAPTION_LIMIT = 4096, 1024
"""Units after the entities are taken out: https://core.telegram.org/bots/api#sendmessage, #sendphoto."""
ENTITY_LIMIT = 100
"""What a message has beyond is silently dropped: https://limits.tginfo.me/en."""
_BREAKS = ("\n\n", "\n", ". ", "! ", "? ", "; ", ", ", " ")
"""Where a text may be cut, best first."""
_PARSER = MarkdownIt("commonmark", {"html": False})
Node = Text | str


@dataclass(frozen=True)
class Rendered:
    """One message's text with its entities."""

    text: str = ""
    entities: tuple[MessageEntity, ...] = ()

    @classmethod
    def of(cls, node: Text) -> "Rendered":
        text, entities = node.render()
        return _trimmed(text, [entity for entity in entities if entity.length > 0])


def units(text: str) -> int:
    """Length in UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


def link_to(text: Node, address: str) -> Node:
    """A link where Telegram takes the address, else the words alone."""
    return TextLink(text, url=address) if _is_web(address) else text


def joined(parts: Iterable[Node], by: str = "\n\n") -> Text:
    """The parts with `by` between them."""
    nodes: list[Node] = []
    for part in parts:
        nodes += [by, part] if nodes else [part]
    return Text(*nodes)


def from_commonmark(body: str) -> Text:
    """Headings become bold, lists get marks, pictures become links; the rest stays as text."""
    return joined(_blocks(SyntaxTreeNode(_PARSER.parse(body)).children, quoted=False))


def split(rendered: Rendered, *, first: int = TEXT_LIMIT, rest: int = TEXT_LIMIT) -> tuple[Rendered, ...]:
    """Cut into messages: the first of at most `first` units, the others of at most `rest`.

    Nothing but white space is lost; an entity that is cut goes on in the next message.
    """
    pieces: list[Rendered] = []
    limit = first
    while rendered.text:
        end = _end_of_first(rendered, limit)
        pieces.append(_slice(rendered, 0, end))
        rendered = _slice(rendered, end, units(rendered.text))
        limit = rest
    return tuple(pieces)


def _end_of_first(rendered: Rendered, limit: int) -> int:
    starts = sorted(entity.offset for entity in rendered.entities)
    if len(starts) > ENTITY_LIMIT:
        limit = min(limit, max(starts[ENTITY_LIMIT], 1))
    total = units(rendered.text)
    if total <= limit:
        return total
    head = _decoded(_encoded(rendered.text), 0, limit)
    # A cut at the end of the paragraph is worth half a message of room, one between words all of it.
    for mark in _BREAKS:
        at = head.rfind(mark)
        if at >= 0 and units(head[:at]) >= (limit // 2 if mark != " " else 1):
            return units(head[: at + len(mark)])
    return units(head) or 2


def _slice(rendered: Rendered, start: int, end: int) -> Rendered:
    kept = []
    for entity in rendered.entities:
        left, right = max(entity.offset, start), min(entity.offset + entity.length, end)
        if left < right:
            kept.append(entity.model_copy(update={"offset": left - start, "length": right - left}))
    return _trimmed(_decoded(_encoded(rendered.text), start, end), kept)


def _trimmed(text: str, entities: Sequence[MessageEntity]) -> Rendered:
    """Without white space at either end, which the server cuts off as well."""
    lead = units(text) - units(text.lstrip())
    text = text.strip()
    total = units(text)
    kept = []
    for entity in entities:
        left = max(entity.offset - lead, 0)
        right = min(entity.offset - lead + entity.length, total)
        if left < right:
            kept.append(entity.model_copy(update={"offset": left, "length": right - left}))
    return Rendered(text, tuple(kept))


def _encoded(text: str) -> bytes:
    return text.encode("utf-16-le")


def _decoded(encoded: bytes, start: int, end: int) -> str:
    """What lies between two units; a pair that `end` would tear apart is left out."""
    return encoded[2 * start : 2 * end].decode("utf-16-le", errors="ignore")


def _blocks(nodes: Sequence[SyntaxTreeNode], *, quoted: bool) -> Iterator[Text]:
    for node in nodes:
        block = _block(node, quoted=quoted)
        if block.render()[0].strip():
            yield block


def _block(node: SyntaxTreeNode, *, quoted: bool) -> Text:  # noqa: PLR0911  # one for each sort
    match node.type:
        case "bullet_list" | "ordered_list":
            return _list(node, quoted=quoted)
        case "fence" | "code_block":
            return Pre(
                node.content.rstrip("\n"), language=node.info.split()[0] if node.info.strip() else None
            )
        case "blockquote":
            inner = joined(_blocks(node.children, quoted=True))
            # Quotations can't be nested: https://core.telegram.org/bots/api#formatting-options.
            return inner if quoted else BlockQuote(inner)
        case "heading":
            return Bold(*(_words(child, bold=True) for child in _inline(node)))
        case "paragraph":
            return Text(*map(_words, _inline(node)))
        case "hr":
            return Text("—" * 3)
        case _:
            return Text(node.content)


def _inline(node: SyntaxTreeNode) -> list[SyntaxTreeNode]:
    return [child for inline in node.children for child in inline.children]


def _list(node: SyntaxTreeNode, *, quoted: bool) -> Text:
    start = int(node.attrs.get("start", 1))
    items: list[Node] = []
    for number, item in enumerate(node.children, start):
        mark = f"{number}. " if node.type == "ordered_list" else "• "
        items.append(Text(mark, joined(_blocks(item.children, quoted=quoted), by="\n")))
    return joined(items, by="\n")


def _words(  # noqa: PLR0911  # one for each sort
    node: SyntaxTreeNode, *, bold: bool = False, italic: bool = False
) -> Node:
    match node.type:
        case "softbreak":
            return " "
        case "hardbreak":
            return "\n"
        case "code_inline":
            # Code may lie in no other entity but a link or quotation.
            return Code(node.content) if not (bold or italic) else node.content
        case "strong":
            inner = Text(*(_words(child, bold=True, italic=italic) for child in node.children))
            return inner if bold else Bold(inner)
        case "em":
            inner = Text(*(_words(child, bold=bold, italic=True) for child in node.children))
            return inner if italic else Italic(inner)
        case "link":
            inner = Text(*(_words(child, bold=bold, italic=italic) for child in node.children))
            return _link(inner, str(node.attrs.get("href", "")))
        case "image":
            address = str(node.attrs.get("src", ""))
            return link_to(node.content or address, address)
        case _:
            return node.content


def _link(inner: Text, address: str) -> Node:
    if _is_web(address):
        return TextLink(inner, url=address)
    spoken = address.removeprefix("mailto:").removeprefix("tel:")
    return inner if not spoken or spoken in inner.render()[0] else Text(inner, f" ({spoken})")


def _is_web(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not any(map(str.isspace, address))


def overlapping(entities: Sequence[MessageEntity]) -> bool:
    """Whether some of them cross each other instead of lying inside: no message may have that."""
    spans = sorted((e.offset, -e.offset - e.length) for e in entities)
    return any(start < -end_before < -end for (_, end_before), (start, end) in pairwise(spans))
