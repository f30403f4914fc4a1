"""`python -m tests.platforms`: the stand-ins of all platforms, for a run without the world outside."""

from pathlib import Path
from typing import Annotated

import typer
from aiohttp import web

from tests.platforms.wall import application, platforms


def main(
    port: Annotated[int, typer.Option(help="On the loopback interface.")],
    folder: Annotated[Path, typer.Option(help="Where the posts are kept.")],
) -> None:
    """Serve until told to stop."""
    web.run_app(application(platforms(), folder), host="127.0.0.1", port=port, access_log=None)


if __name__ == "__main__":
    typer.run(main)
