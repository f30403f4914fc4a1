"""CommonMark as the plain text of a post: paragraphs, lists and addresses stay readable."""

from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

_PARSER = MarkdownIt("commonmark", {"html": False})


def plain_text(body: str) -> str:
    """Blocks apart by an empty line, items of lists one below the other, addresses of links in brackets."""
    return "\n\n".join(_blocks(SyntaxTreeNode(_PARSER.parse(body)).children))


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
