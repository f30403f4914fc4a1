"""CommonMark as departments write it, to HTML that is safe to show and fits below a page's title."""

from collections.abc import Sequence
from html import escape
from urllib.parse import urljoin

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

_TAGS = {
    "p", "br", "hr", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li",
    "blockquote", "pre", "code", "em", "strong", "a",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
_SCHEMES = {"http", "https", "mailto", "tel"}


def _image_as_link(
    self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    """A picture somewhere else would tell its server who reads the page: it is offered, not loaded."""
    image = tokens[index]
    text = self.renderInlineAsText(image.children, options, env) or str(image.attrs["src"])
    return f'<a href="{escape(str(image.attrs["src"]))}">{escape(text)}</a>'


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False})
    parser.add_render_rule("image", _image_as_link)
    return parser


_PARSER = _parser()


def to_html(text: str, *, top: int = 2) -> str:
    """Safe HTML; its headings begin at level `top` and leave none out, whatever the writer chose.

    Raw HTML shows as the text it is. The parser decides what is markup; the allow-list after it is
    what safety rests on.
    """
    tokens = _PARSER.parse(text)
    _renumber_headings(tokens, top)
    html = _PARSER.renderer.render(tokens, _PARSER.options, {})
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        # The writers are the city's own departments: their links are meant, so no "nofollow".
        link_rel="noopener noreferrer",
    ).strip()


def to_text(text: str) -> str:
    """The words alone, on one line."""
    words: list[str] = []
    for token in _PARSER.parse(text):
        if token.type == "inline":
            words.extend(child.content for child in token.children or () if child.content)
            words.append(" ")
        elif token.type in ("fence", "code_block"):
            words.append(token.content + " ")
    return " ".join("".join(words).split())


def to_plain(text: str) -> str:
    """The words alone, a block on each line, items with a dash before them."""
    lines: list[str] = []
    items = 0
    for token in _PARSER.parse(text):
        items += (token.type == "list_item_open") - (token.type == "list_item_close")
        if token.type == "inline":
            shown = (
                "\n" if child.type in ("softbreak", "hardbreak") else child.content
                for child in token.children or ()
            )
            lines.append(f"{'— ' if items else ''}{''.join(shown)}")
        elif token.type in ("fence", "code_block"):
            lines.append(token.content.rstrip("\n"))
    return "\n".join(lines)


def absolute(html: str, base: str) -> str:
    """The same safe HTML with every link whole, for readers that don't know the page's address."""

    def whole(tag: str, attribute: str, value: str) -> str:
        return urljoin(base, value) if (tag, attribute) == ("a", "href") else value

    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer",
        attribute_filter=whole,
    )


def _renumber_headings(tokens: Sequence[Token], top: int) -> None:
    above: list[int] = []
    for token in tokens:
        if token.type == "heading_open":
            level = int(token.tag[1])
            while above and above[-1] >= level:
                above.pop()
            above.append(level)
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(top - 1 + len(above), 6)}"
