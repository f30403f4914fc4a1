"""The site server of the local run serves the folder as a web server in front of it would."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from deploy.local.site_server import make_app


@pytest.fixture
async def site(site_root: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A site of a few files, without its front page."""
    (site_root / "news").mkdir()
    (site_root / "news" / "index.html").write_text("новини")
    (site_root / "media").mkdir()
    (site_root / "404.html").write_text("сторінки немає")
    (site_root / ".index.html.new").write_text("half a page")
    (site_root.parent / "secret.html").write_text("outside")
    for name in ("feed.atom", "feed.rss", "feed.json", "sitemap.xml", "event.ics", "style.css"):
        (site_root / name).write_text("x")
    transport = httpx.ASGITransport(make_app(site_root))
    async with httpx.AsyncClient(transport=transport, base_url="http://site.example") as client:
        yield client


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("feed.atom", "application/atom+xml"),
        ("feed.rss", "application/rss+xml"),
        ("feed.json", "application/feed+json"),
        ("sitemap.xml", "application/xml"),
        ("event.ics", "text/calendar; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("news/", "text/html; charset=utf-8"),
    ],
)
async def test_content_types(site: httpx.AsyncClient, name: str, content_type: str) -> None:
    answer = await site.get(f"/{name}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, content_type)


async def test_a_folder_is_its_index(site: httpx.AsyncClient) -> None:
    answer = await site.get("/news", follow_redirects=True)
    assert (answer.url.path, answer.text) == ("/news/", "новини")


@pytest.mark.parametrize("path", ["/none", "/media/", "/.index.html.new", "/%2e%2e/secret.html", "/"])
async def test_what_is_no_page_is_the_404_page(site: httpx.AsyncClient, path: str) -> None:
    """A missing file, a folder without an index, a write in progress, what lies outside."""
    answer = await site.get(path)
    assert (answer.status_code, answer.text) == (404, "сторінки немає")


async def test_what_has_not_changed_is_not_sent_again(site: httpx.AsyncClient) -> None:
    first = await site.get("/news/")
    for condition in (
        {"If-None-Match": first.headers["etag"]},
        {"If-Modified-Since": first.headers["last-modified"]},
    ):
        again = await site.get("/news/", headers=condition)
        assert (again.status_code, again.content) == (304, b"")
