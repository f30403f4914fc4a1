"""Texts for posts without markup, and of limited length."""

from collections.abc import Callable, Sequence

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

CUT = "…"
_PARSER = MarkdownIt("commonmark", {"html": False})


def plain_text(body: str) -> str:
    """CommonMark read aloud: blocks apart by an empty line, items of lists one below the other, addresses
    of links in brackets.
    """
    return "\n\n".join(_blocks(SyntaxTreeNode(_PARSER.parse(body)).children))


def shortened(text: str, room: int, *, measure: Callable[[str], int] = len) -> str:
    """The text, or its first words that fit into `room` as `measure` counts, with the sign for more."""
    if measure(text) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if measure(text[:middle]) + measure(CUT) <= room else (low, middle - 1)
    head = text[:low]
    words = head.rsplit(None, 1)[0] if " " in head and not text[low : low + 1].isspace() else head
    kept = words if len(words) > low // 2 else head
    return f"{kept.rstrip(' .,;:–—-')}{CUT}"


def units(text: str) -> int:
    """Its length in UTF-16 code units, as most platforms count."""
    return len(text.encode("utf-16-le")) // 2


def _blocks(nodes: Sequence[SyntaxTreeNode]) -> list[str]:
    return [text for text in map(_block, nodes) if text]


def _block(node: SyntaxTreeNode) -> str:
    if node.type in ("bullet_list", "ordered_list"):
        return "\n".join(_items(node))
    if node.type in ("fence", "code_block"):
        return node.content.rstrip("\n")
    if node.type == "blockquote":
        return "«" + "\n\n".join(_blocks(node.children)) + "»"
    if node.type == "inline":
        return "".join(map(_words, node.children)).strip()
    return "\n\n".join(_blocks(node.children))


def _items(items: SyntaxTreeNode) -> list[str]:
    start = int(items.attrs.get("start", 1))
    ordered = items.type == "ordered_list"
    texts = []
    for number, item in enumerate(items.children, start):
        mark = f"{number}. " if ordered else "• "
        lines = "\n".join(_blocks(item.children)).split("\n")
        texts.append(mark + "\n".join(lines[:1] + [f"  {line}" for line in lines[1:]]))
    return texts


def _words(node: SyntaxTreeNode) -> str:
    if node.type == "softbreak":
        return " "
    if node.type == "hardbreak":
        return "\n"
    inner = "".join(map(_words, node.children)) if node.children else node.content
    if node.type == "link":
        address = str(node.attrs.get("href", "")).removeprefix("mailto:")
        return inner if address in inner else f"{inner} ({address})"
    return inner
