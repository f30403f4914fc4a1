"""A publication's body, CommonMark, as the safe HTML and the plain text of a mail."""

from collections.abc import Callable, Iterator, Sequence

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode
from markdown_it.utils import EnvType, OptionsDict

_TAGS = {
    *("p", "br", "hr", "h2", "h3", "h4", "h5", "h6", "strong", "em", "s", "a", "ul", "ol", "li"),
    *("blockquote", "code", "pre", "table", "thead", "tbody", "tr", "th", "td"),
}
_SCHEMES = {"http", "https", "mailto", "tel"}


def _image(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    """An image becomes a link: mail programs block pictures from elsewhere, and they tell who read it."""
    token = tokens[index]
    label = renderer.renderInlineAsText(token.children, options, env) or "зображення"
    opening = Token("link_open", "a", 1, attrs={"href": str(token.attrs.get("src", ""))})
    return f"{renderer.renderToken([opening], 0, options, env)}{nh3.clean_text(label)}</a>"


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "typographer": False}).enable("table")
    parser.add_render_rule("image", _image)
    return parser


_PARSER = _parser()


def to_html(commonmark: str) -> str:
    """HTML without anything active, pictures or raw HTML; headings begin below the mail's own."""
    tokens = _PARSER.parse(commonmark)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1:]) + 1, 6)}"
    rendered: str = _PARSER.renderer.render(tokens, _PARSER.options, {})
    return nh3.clean(rendered, tags=_TAGS, attributes={"a": {"href"}}, url_schemes=_SCHEMES)


def to_text(commonmark: str) -> str:
    """Plain text that reads well by itself: no markup, links with their addresses in brackets."""
    tree = SyntaxTreeNode(_PARSER.parse(commonmark))
    return "\n\n".join(_blocks(tree.children))


def _blocks(nodes: Sequence[SyntaxTreeNode]) -> Iterator[str]:
    for node in nodes:
        text = _block(node)
        if text:
            yield text


def _block(node: SyntaxTreeNode) -> str:
    return _BLOCKS.get(node.type, _inline)(node)


def _heading(node: SyntaxTreeNode) -> str:
    return _inline(node).upper()


def _bullets(node: SyntaxTreeNode) -> str:
    return "\n".join(_item(item, "– ") for item in node.children)


def _numbers(node: SyntaxTreeNode) -> str:
    first = int(node.attrs.get("start", 1))
    return "\n".join(_item(item, f"{first + n}. ") for n, item in enumerate(node.children))


def _quote(node: SyntaxTreeNode) -> str:
    inner = "\n\n".join(_blocks(node.children))
    return "\n".join(f"> {line}".rstrip() for line in inner.split("\n"))


def _verbatim(node: SyntaxTreeNode) -> str:
    return node.content.rstrip("\n")


def _rule(_: SyntaxTreeNode) -> str:
    return "* * *"


def _table(node: SyntaxTreeNode) -> str:
    rows = (row for part in node.children for row in part.children)
    return "\n".join(" | ".join(_inline(cell) for cell in row.children) for row in rows)


def _item(item: SyntaxTreeNode, mark: str) -> str:
    inner = "\n".join(_blocks(item.children))
    return mark + inner.replace("\n", "\n" + " " * len(mark))


def _inline(node: SyntaxTreeNode) -> str:
    match node.type:
        case "text" | "code_inline" | "html_inline":
            return node.content
        case "softbreak":
            return " "
        case "hardbreak":
            return "\n"
        case "link":
            return _link("".join(map(_inline, node.children)), str(node.attrs.get("href", "")))
        case "image":
            return _link(node.content, str(node.attrs.get("src", "")))
        case _:
            return "".join(map(_inline, node.children))


def _link(label: str, address: str) -> str:
    shown = address.removeprefix("mailto:").removeprefix("tel:")
    if not label or label == address:
        return shown
    return label if shown in ("", label) else f"{label} ({shown})"


_BLOCKS: dict[str, Callable[[SyntaxTreeNode], str]] = {
    "heading": _heading,
    "bullet_list": _bullets,
    "ordered_list": _numbers,
    "blockquote": _quote,
    "fence": _verbatim,
    "code_block": _verbatim,
    "hr": _rule,
    "table": _table,
}
