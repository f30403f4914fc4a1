"""All stand-ins in one program, and a page that shows what was posted on each as it would look there."""

import asyncio
import pkgutil
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import tests.platforms
from tests.platforms.platform import Platform, Shown

LARGEST = 2 * 1024**3
"""Bytes of one request."""
KEEP_EVERY = 0.5
"""Seconds between looks at what has changed."""
NAMES = {
    "telegram": "Telegram",
    "facebook": "Facebook",
    "youtube": "YouTube",
    "mastodon": "Mastodon",
    "viber": "Viber",
}
_HERE = Path(__file__).parent
_POLICY = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
_environment = Environment(
    loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


@dataclass(frozen=True)
class Wall:
    """What one platform shows, the newest first."""

    name: str
    title: str
    posts: Sequence[Shown]


def platforms() -> list[Platform]:
    """A stand-in of each kind that this folder has, in the order of their names above."""
    modules = {found.name for found in pkgutil.iter_modules(tests.platforms.__path__)}
    return [_platform(name) for name in NAMES if name in modules]


def _platform(name: str) -> Platform:
    made: Platform = getattr(import_module(f"tests.platforms.{name}"), f"{name.capitalize()}Platform")()
    return made


def application(served: Sequence[Platform], folder: Path) -> web.Application:
    """The stand-ins below `/<name>`, their posts kept in `folder`, the page at `/`."""
    app = web.Application(client_max_size=LARGEST)
    for platform in served:
        kept = folder / f"{platform.name}.json"
        if kept.exists():
            platform.restore(kept.read_text(encoding="utf-8"))
        app.add_subapp(f"/{platform.name}/", platform.app)

    async def page(request: web.Request) -> web.Response:
        del request
        walls = [Wall(each.name, NAMES[each.name], list(reversed(each.shown()))) for each in served]
        text = _environment.get_template("wall.html").render(walls=walls)
        headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"}
        return web.Response(text=text, content_type="text/html", headers=headers)

    async def style(request: web.Request) -> web.FileResponse:
        del request
        return web.FileResponse(_HERE / "templates" / "wall.css")

    async def ready(request: web.Request) -> web.Response:
        del request
        return web.json_response({"status": "ready"})

    async def keeping(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(_keep(served, folder))
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        keep(served, folder)

    app.router.add_get("/", page)
    app.router.add_get("/wall.css", style)
    app.router.add_get("/health/ready", ready)
    app.cleanup_ctx.append(keeping)
    return app


async def _keep(served: Sequence[Platform], folder: Path) -> None:
    while True:
        keep(served, folder)
        await asyncio.sleep(KEEP_EVERY)


def keep(served: Sequence[Platform], folder: Path) -> None:
    """Write down what changed, each file as a whole."""
    folder.mkdir(parents=True, exist_ok=True)
    for platform in served:
        kept, text = folder / f"{platform.name}.json", platform.snapshot()
        if not kept.exists() or kept.read_text(encoding="utf-8") != text:
            unfinished = kept.with_suffix(".new")
            unfinished.write_text(text, encoding="utf-8")
            unfinished.replace(kept)
