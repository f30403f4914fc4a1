"""The site's look: templates and stylesheet, and what each kind of page is rendered from."""

import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from babel.numbers import format_decimal
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from services.publisher.channels.site import attachments, dates
from services.publisher.channels.site.attachments import og_image
from services.publisher.channels.site.markup import absolute, to_html
from services.publisher.channels.site.metadata import ISSUERS, json_ld
from services.publisher.channels.site.pages import Listed, Page, Standing
from services.publisher.channels.site.settings import SiteSection
from shared.media import ImageFormat
from shared.telemetry import logger
from shared.vocabulary import BODY_NAMES, KIND_NAMES, SECTION_NAMES, TOPIC_NAMES, URGENCY_NAMES, Section

_FOLDER = Path(__file__).parent / "templates"
_KEPT = 500
"""Publications whose rendered text is kept for the feeds of the next edition."""
_LONGEST_IN_FEED = 40_000
"""Letters of a body that a feed carries whole: it has fifty, and is fetched every few minutes."""
_VERSION = 2
"""Grows where the code changes what pages say; the templates speak for themselves."""
_DESCRIPTION = 200
"""Letters of a page's description for search engines and previews."""

_WATCH = re.compile(r"(?:[?&]v=|/embed/|/live/|youtu\.be/)([A-Za-z0-9_-]{6,20})")

_log = logger(__name__)
Rendered = TypeVar("Rendered", bound=str)

MEDIA = {"tv": "телебачення", "radio": "радіо", "online": "онлайн"}
AIRING = {
    "planned": "заплановано",
    "recorded": "записано, ще не в ефірі",
    "aired": "вийшло в ефір",
    "cancelled": "скасовано",
}


@dataclass(frozen=True)
class Related:
    """Pages that belong with one: the act that an explainer explains, the explainers of an act."""

    explains: Listed | None = None
    explained_by: Sequence[Listed] = ()


class Design:
    """Renders pages. The same pages and settings always give the same bytes."""

    def __init__(self, section: SiteSection, site_url: str, archive_url: str) -> None:
        self._site_url = site_url
        self._name = section.name
        self._bodies: OrderedDict[tuple[UUID, int], Markup] = OrderedDict()
        self._feed_contents: OrderedDict[tuple[UUID, int], str] = OrderedDict()
        sources = {path.name: path.read_bytes() for path in sorted(_FOLDER.iterdir())}
        style, icon = sources["site.css"], sources["icon.svg"]
        self.assets = {
            f"assets/site.{_short(style)}.css": style,
            f"assets/icon.{_short(icon)}.svg": icon,
        }
        self.stamp = _short(repr((_VERSION, sources, section.name, site_url, archive_url)).encode())
        """Changes with anything that all pages depend on."""
        style_path, icon_path = (f"/{path}" for path in self.assets)
        self._environment = _environment(
            {
                "site_name": section.name,
                "site_url": site_url,
                "style": style_path,
                "icon": icon_path,
                "sections": SECTION_NAMES,
                "archive_url": archive_url,
                "archive_origin": _origin(archive_url),
            }
        )

    def publication(self, page: Page, related: Related) -> bytes:
        """A publication's page, or the notice that stands in its place."""
        if page.standing is Standing.WITHDRAWN:
            return self._render("withdrawn.html", page=page)
        return self._render(
            "publication.html",
            page=page,
            content=page.publication.content,
            body=self.body(page),
            related=related,
            embed=embed_url(page.watch),
            og_image=og_image(page.publication),
            description=_shortened(page.lead),
            json_ld=Markup(  # noqa: S704  # escaped for a script element where it is made
                json_ld(
                    page,
                    url=self.url(page),
                    site_name=self._name,
                    site_url=self._site_url,
                    embed=embed_url(page.watch),
                )
            ),
        )

    def home(self, newest: dict[Section, list[Listed]]) -> bytes:
        """The first page of the site."""
        return self._render("home.html", newest=newest, path="/")

    def rubric(self, section: Section, newest: Sequence[Listed], months: Sequence[str]) -> bytes:
        """A rubric's first page: what is newest, and the way to all that came before."""
        years = [(year, list(of_year)) for year, of_year in groupby(months, key=lambda month: month[:4])]
        return self._render(
            "rubric.html",
            section=section,
            title=SECTION_NAMES[section],
            pages=newest,
            years=years,
            path=f"/{section}/",
        )

    def month(self, section: Section, month: str, pages: Sequence[Listed]) -> bytes:
        """All that a rubric released in a month."""
        return self._render(
            "month.html",
            section=section,
            title=f"{SECTION_NAMES[section]}: {dates.month_name(month)}",
            pages=pages,
            path=f"/{section}/{month.replace('-', '/')}/",
        )

    def search(self) -> bytes:
        """A form that asks the archive."""
        return self._render("search.html", path="/search/")

    def not_found(self) -> bytes:
        """What the web server shows for an address that doesn't exist."""
        return self._render("404.html", path=None)

    def feed_content(self, page: Page) -> str:
        """A publication as a feed's reader sees it: HTML without the page around it."""
        key = (page.id, page.rank)
        if key not in self._feed_contents:
            self._feed_contents[key] = self._feed_content(page)
            _keep_newest(self._feed_contents)
        return self._feed_contents[key]

    def _feed_content(self, page: Page) -> str:
        body = self.body(page) if page.standing is Standing.SHOWN else Markup()
        return self._environment.get_template("feed_item.html").render(
            page=page,
            content=page.publication.content,
            body=(
                Markup(absolute(body, self.url(page)))  # noqa: S704  # cleaned again where it is made
                if len(body) <= _LONGEST_IN_FEED
                else None
            ),
        )

    def body(self, page: Page) -> Markup:
        """The body as safe HTML; the text itself where it can't be read as CommonMark."""
        key = (page.id, page.rank)
        if key not in self._bodies:
            self._bodies[key] = _body(page)
            _keep_newest(self._bodies)
        return self._bodies[key]

    def url(self, page: Listed) -> str:
        """The page's full address."""
        return f"{self._site_url}{page.path}"

    def _render(self, template: str, **values: object) -> bytes:
        return self._environment.get_template(template).render(**values).encode()


def _keep_newest(rendered: OrderedDict[tuple[UUID, int], Rendered]) -> None:
    while len(rendered) > _KEPT:
        rendered.popitem(last=False)


def _body(page: Page) -> Markup:
    text = page.publication.content.body
    try:
        html = to_html(text)
    except Exception:  # noqa: BLE001  # see below
        # One text that the parser stumbles over must not hold up the rest of the site.
        _log.exception("the body could not be read as CommonMark", publication_id=str(page.id))
        return Markup("<p>{}</p>").format(text)
    return Markup(html)  # noqa: S704  # cleaned by an allow-list


def _environment(values: dict[str, object]) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(values)
    environment.globals.update(issuers=ISSUERS, media=MEDIA, airing=AIRING)
    names: dict[str, Callable[..., object]] = {
        "kind_name": lambda page: _capital(page.heading or KIND_NAMES[page.kind]),
        "srcset": attachments.srcset,
        "picture": attachments.picture,
        "poster_path": attachments.poster_path,
        "document_path": attachments.document_path,
        "document_type": lambda document: attachments.ending(document).upper(),
        "size": size,
        "topic_name": TOPIC_NAMES.__getitem__,
        "body_name": BODY_NAMES.__getitem__,
        "urgency_name": lambda urgency: _capital(URGENCY_NAMES[urgency]),
        "section_name": SECTION_NAMES.__getitem__,
        "month_alone": dates.month_alone,
        "day": dates.day,
        "moment": dates.moment,
        "weekday_moment": dates.weekday_moment,
        "machine": dates.machine,
        "digits": lambda phone: re.sub(r"[^+0-9]", "", phone),
        "shortened": _shortened,
    }
    environment.filters.update(names)
    environment.globals["webp"] = ImageFormat.WEBP
    environment.globals["jpeg"] = ImageFormat.JPEG
    environment.globals["span"] = dates.span
    return environment


def size(count: int) -> str:
    """Bytes as people say them: «340 кБ», «1,2 МБ»."""
    kilobytes = max(count / 1_000, 1)
    if kilobytes < 1_000:  # noqa: PLR2004  # a megabyte
        return f"{kilobytes:.0f} кБ"
    return f"{format_decimal(kilobytes / 1_000, format='0.#', locale='uk')} МБ"


def embed_url(watch: str | None) -> str | None:
    """YouTube's player that keeps no cookies of who doesn't play: https://support.google.com/youtube/answer/171780"""
    found = _WATCH.search(watch or "")
    return None if found is None else f"https://www.youtube-nocookie.com/embed/{found[1]}"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _shortened(text: str) -> str:
    """One line, cut between words with an ellipsis where it is too long."""
    line = " ".join(text.split())
    if len(line) <= _DESCRIPTION:
        return line
    return line[: _DESCRIPTION - 1].rsplit(" ", 1)[0].rstrip(" ,;:–—-") + "…"


def _short(content: bytes) -> str:
    return sha256(content).hexdigest()[:10]
