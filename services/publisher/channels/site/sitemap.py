"""The sitemap (sitemaps.org, 0.9): what search engines should know, withdrawn pages left out."""

from collections.abc import Iterable, Mapping, Sequence
from xml.sax.saxutils import escape

from services.publisher.channels.site.pages import Listed
from shared.vocabulary import Section

LARGE = 1_000
"""Pages from which on there is a sitemap a month, and an index of them: each change then writes little."""
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
RUBRICS = "sitemaps/rubrics.xml"


def month_path(month: str) -> str:
    """Where a month's sitemap stands: `sitemaps/2026-11.xml`."""
    return f"sitemaps/{month}.xml"


def whole(site_url: str, pages: Sequence[Listed]) -> bytes:
    """One sitemap for everything."""
    return _urls([*_rubrics(site_url), *_pages(site_url, pages)])


def of_month(site_url: str, pages: Sequence[Listed]) -> bytes:
    """The sitemap of one month."""
    return _urls(_pages(site_url, pages))


def index(site_url: str, months: Iterable[str]) -> Mapping[str, bytes]:
    """The index of all sitemaps, and the one of the rubrics."""
    entries = "".join(
        f"<sitemap><loc>{escape(f'{site_url}/{path}')}</loc></sitemap>\n"
        for path in (RUBRICS, *map(month_path, months))
    )
    return {
        RUBRICS: _urls(_rubrics(site_url)),
        "sitemap.xml": f"{_HEAD}<sitemapindex {_NAMESPACE}>\n{entries}</sitemapindex>\n".encode(),
    }


def robots(site_url: str) -> bytes:
    """Everything may be read, and there is the map."""
    return f"User-agent: *\nAllow: /\n\nSitemap: {site_url}/sitemap.xml\n".encode()


def _rubrics(site_url: str) -> list[str]:
    paths = ("/", *(f"/{section}/" for section in Section))
    return [f"<url><loc>{escape(site_url + path)}</loc></url>\n" for path in paths]


def _pages(site_url: str, pages: Sequence[Listed]) -> list[str]:
    return [
        f"<url><loc>{escape(site_url + page.path)}</loc>"
        f"<lastmod>{page.changed_at.isoformat(timespec='seconds')}</lastmod></url>\n"
        for page in pages
    ]


def _urls(urls: Iterable[str]) -> bytes:
    return f"{_HEAD}<urlset {_NAMESPACE}>\n{''.join(urls)}</urlset>\n".encode()
