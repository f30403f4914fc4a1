"""Serves the site's folder on this machine, as a web server in front of it would in production.

python -m deploy.local.site_server --root .local/site --port 8003
"""

import mimetypes
import os
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from deploy.local.ports import LOOPBACK

# The system's table knows none of the feeds for certain; the site's only JSON files are JSON Feeds.
CONTENT_TYPES = {
    ".atom": "application/atom+xml",
    ".rss": "application/rss+xml",
    ".json": "application/feed+json",
    ".xml": "application/xml",
    ".ics": "text/calendar",
    ".webp": "image/webp",
}


class SiteFiles(StaticFiles):
    """The folder's files; a folder's address is its index.html, what is missing is answered by 404.html."""

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Temporary files of a write in progress begin with a dot and are not there for readers."""
        if any(part.startswith(".") for part in PurePosixPath(path).parts):
            return "", None
        return super().lookup_path(path)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file with what a careful web server says beside it."""
        response = await super().get_response(path, scope)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "strict-origin-when-cross-origin"
        response.headers["Cache-Control"] = "no-cache"
        return response


def make_app(root: Path) -> Starlette:
    """The site in this folder, which is made if missing."""
    for suffix, content_type in CONTENT_TYPES.items():
        mimetypes.add_type(content_type, suffix)
    root.mkdir(parents=True, exist_ok=True)
    return Starlette(routes=[Mount("/", SiteFiles(directory=root, html=True))])


def main(
    root: Annotated[Path, typer.Option(help="The folder that the site is in.")] = Path(".local/site"),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = LOOPBACK,
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8003,
) -> None:
    """Serve the site until stopped."""
    uvicorn.run(make_app(root), host=host, port=port, access_log=False, server_header=False)


if __name__ == "__main__":
    typer.run(main)
