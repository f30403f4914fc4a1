"""Bodies as safe HTML."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html as lxml_html

from services.publisher.channels.site.markup import to_html

ALLOWED = {
    "p", "br", "hr", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li",
    "blockquote", "pre", "code", "em", "strong", "a", "div",
}  # fmt: skip


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        '<img src=x onerror="alert(1)">',
        "[натисніть](javascript:alert(1))",
        "[натисніть](JaVaScRiPt&colon;alert(1))",
        "[натисніть](data:text/html;base64,PHNjcmlwdD4=)",
        "[натисніть](vbscript:x)",
        "![картинка](javascript:alert(1))",
        '<a href="https://example.org" onclick="alert(1)">x</a>',
        "<iframe src=https://example.org></iframe>",
        "<style>body{display:none}</style>",
        '[x](https://example.org "\\" onmouseover=\\"alert(1)")',
        "`<script>alert(1)</script>`",
        "```html\n</code></pre><script>alert(1)</script>\n```",
        "<svg/onload=alert(1)>",
        '![x" onerror="alert(1)](https://example.org/x.png)',
    ],
)
def test_nothing_in_a_body_can_run(attack: str) -> None:
    safe(attack)


def safe(text: str) -> None:
    """No element, attribute or scheme beyond the allowed ones."""
    for element in lxml_html.fromstring(f"<div>{to_html(text)}</div>").iter():
        assert element.tag in ALLOWED
        assert set(element.attrib) <= {"href", "title", "rel", "start"}
        target = element.get("href", "")
        scheme = target.partition(":")[0] if ":" in target.partition("/")[0] else ""
        assert scheme in {"", "http", "https", "mailto", "tel"}


@settings(max_examples=300)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                ["<", ">", "`", "*", "_", "[", "](", ")", "![", "#", "\n", "\n\n", "> ", "- ", "1. ", "    ",
                 "&", '"', "'", "\\", "javascript:", "<script>", "</p>", "<a href=", "onclick=", "---"]
            ),
            st.text(max_size=8),
        ),
        max_size=40,
    ).map("".join)
)  # fmt: skip
def test_no_text_breaks_out(text: str) -> None:
    safe(text)


def test_very_deep_nesting_is_read_in_time() -> None:
    """As long as a body may be, nested as deep as it goes: shown, and shown flat."""
    assert to_html(">" * 200_000)
    assert to_html("[" * 20_000 + "x" + "]" * 20_000)
    assert to_html("- " * 5_000 + "x")


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("# а\n\n## б\n\n# в", ["h2", "h3", "h2"]),
        ("### а\n\n##### б\n\n### в\n\n# г", ["h2", "h3", "h2", "h2"]),
        ("#### а", ["h2"]),
        ("# 1\n\n## 2\n\n### 3\n\n#### 4\n\n##### 5\n\n###### 6", ["h2", "h3", "h4", "h5", "h6", "h6"]),
    ],
)
def test_headings_follow_the_title_without_a_gap(text: str, levels: list[str]) -> None:
    found = [e.tag for e in lxml_html.fromstring(f"<div>{to_html(text)}</div>").iter() if e.tag != "div"]
    assert found == levels


def test_links_and_numbering_stay() -> None:
    assert to_html("[карта](https://example.org/a?b=1&c=2)") == (
        '<p><a href="https://example.org/a?b=1&amp;c=2" rel="noopener noreferrer">карта</a></p>'
    )
    assert '<ol start="3">' in to_html("3. третій\n4. четвертий")
    assert 'href="tel:+380332770000"' in to_html("[подзвонити](tel:+380332770000)")


def test_a_picture_elsewhere_is_a_link_to_it() -> None:
    """Loading it would tell its server who reads the page."""
    html = to_html("![Схема руху](https://example.org/map.png)")
    assert html == '<p><a href="https://example.org/map.png" rel="noopener noreferrer">Схема руху</a></p>'


def test_raw_html_shows_as_the_text_it_is() -> None:
    assert to_html("до <b>9:00</b>") == "<p>до &lt;b&gt;9:00&lt;/b&gt;</p>"
