"""The sitemap (sitemaps.org, 0.9): what search engines should know, withdrawn pages left out."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from xml.sax.saxutils import escape

from services.publisher.channels.site.pages import Listed
from shared.vocabulary import Section

LARGE = 1_000
"""Pages from which on there is a sitemap a month, and an index of them: each change then writes little."""
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
RUBRICS = "sitemaps/rubrics.xml"
NEWS = "sitemap-news.xml"
MOST_NEWS = 1_000
_IS_NEWS = timedelta(days=2)


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


def news(site_url: str, site_name: str, pages: Iterable[Listed], at: datetime) -> bytes:
    """What is not older than two days, as news search wants it:
    https://developers.google.com/search/docs/crawling-indexing/sitemaps/news-sitemap
    """
    urls = [
        f"<url><loc>{escape(site_url + page.path)}</loc><news:news><news:publication>"
        f"<news:name>{escape(site_name)}</news:name><news:language>{page.language}</news:language>"
        "</news:publication>"
        f"<news:publication_date>{page.released_at.isoformat(timespec='seconds')}</news:publication_date>"
        f"<news:title>{escape(page.title)}</news:title></news:news></url>\n"
        for page in pages
        if at - page.released_at < _IS_NEWS
    ]
    namespaces = f'{_NAMESPACE} xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"'
    return f"{_HEAD}<urlset {namespaces}>\n{''.join(urls)}</urlset>\n".encode()


def robots(site_url: str) -> bytes:
    """Everything may be read, and there is the map."""
    return (
        f"User-agent: *\nAllow: /\n\nSitemap: {site_url}/sitemap.xml\nSitemap: {site_url}/{NEWS}\n".encode()
    )


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
