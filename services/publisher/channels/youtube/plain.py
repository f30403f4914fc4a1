"""CommonMark as plain text: a description on YouTube knows no markup, and links only what is written out."""

from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

_PARSER = MarkdownIt("commonmark", {"html": False})
_ENDS = {"paragraph_close", "heading_close", "bullet_list_close", "ordered_list_close", "blockquote_close"}


def plain_text(body: str) -> str:
    """Paragraphs apart by an empty line, items of lists one below the other, links with their addresses."""
    out: list[str] = []
    marks: list[int | None] = []
    for token in _PARSER.parse(body):
        if token.type == "ordered_list_open":
            marks.append(int(token.attrs.get("start", 1)))
        elif token.type == "bullet_list_open":
            marks.append(None)
        elif token.type == "list_item_open":
            number = marks[-1]
            out.append(("  " * (len(marks) - 1)) + ("• " if number is None else f"{number}. "))
            marks[-1] = None if number is None else number + 1
        elif token.type == "inline":
            out.append(_words(token.children or ()))
        elif token.type in ("fence", "code_block"):
            out.append(token.content + "\n")
        elif token.type in _ENDS:
            if token.type.endswith("list_close"):
                marks.pop()
            out.append("\n" if marks else "\n\n")
    lines = [line.rstrip() for line in "".join(out).split("\n")]
    kept = [line for i, line in enumerate(lines) if line or (i > 0 and lines[i - 1])]
    return "\n".join(kept).strip()


def _words(tokens: Sequence[Token]) -> str:
    out: list[str] = []
    links: list[tuple[str, int]] = []
    for token in tokens:
        if token.type == "link_open":
            links.append((str(token.attrs.get("href", "")), len(out)))
        elif token.type == "link_close":
            address, start = links.pop()
            if address not in "".join(out[start:]):
                out.append(f" ({address})")
        elif token.type in ("softbreak", "hardbreak"):
            out.append("\n" if token.type == "hardbreak" else " ")
        elif token.type == "image":
            out.append(token.content)
        else:
            out.append(token.content)
    return "".join(out)
