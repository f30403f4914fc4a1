"""Checks every kind of page: axe-core in Chromium, and the Nu HTML checker. Needs node, npm, java, chromium.

python -m tests.pages; CHROMIUM names a browser that isn't on the path as chromium.
"""

import io
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx
import uvicorn
from PIL import Image
from pydantic import SecretStr
from starlette.types import ASGIApp

from deploy.local.ports import free_port
from deploy.local.site_server import make_app
from services.archive.app import build
from services.archive.listing import ListQuery
from services.archive.reading import Reading
from services.archive.receipt import standing
from services.archive.record import Record
from services.archive.settings import ArchiveSettings
from services.archive.store import Store, publication_document
from services.archive.views import Listing
from services.publisher.channels.site import dates
from services.publisher.channels.site.attachments import files_of
from services.publisher.channels.site.design import Design, Related
from services.publisher.channels.site.invitations import invitation
from services.publisher.channels.site.pages import Page, Standing
from services.publisher.channels.site.settings import SiteSection
from shared.events import DeliveryReported, Outcome, PublicationEvent, new_id
from shared.publication import Fact, MediaFile
from shared.vocabulary import Kind, MediaForm, Section
from tests.samples import corrected, delivery, fact, publication, withdrawn

_HERE = Path(__file__).parent
_BODY = "Абзац із [посиланням](https://rada.example/).\n\n## Розділ\n\n1. перше\n2. друге\n\n> Слова"


def files() -> tuple[MediaFile, ...]:
    """Three photographs, a video, a document."""
    base: dict[str, Any] = {"id": new_id(), "size": 123_456}
    photos = [
        MediaFile(
            form=MediaForm.PHOTO,
            media_type="image/jpeg",
            sha256=f"{n:064x}",
            width=1200,
            height=800,
            alt=f"Площа, знімок {n}",
            caption="Підпис під знімком",
            author="Ірина Коваль",
            **(base | {"id": new_id()}),
        )
        for n in (1, 2, 3)
    ]
    video = MediaFile(
        form=MediaForm.VIDEO,
        media_type="video/mp4",
        sha256=f"{7:064x}",
        poster=True,
        **(base | {"id": new_id()}),
    )
    document = MediaFile(
        form=MediaForm.DOCUMENT, media_type="application/pdf", sha256=f"{8:064x}", name="Рішення.pdf", **base
    )
    return (*photos, video, document)


def site(root: Path, archive_url: str) -> list[str]:
    """Write every kind of page; return their paths."""
    design = Design(SiteSection(root=root, name="Луцька міська рада"), "https://rada.example", archive_url)
    made = [publication(kind, content={"body": _BODY}, media=files()) for kind in Kind]
    made += [
        publication(),
        corrected(publication("photo_report", media=files())),
        withdrawn(publication("event")),
    ]
    pages = [Page.of(of, f"page-{n}") for n, of in enumerate(made)]
    pages.append(
        Page.of(publication("video", media=files()), "watched").model_copy(
            update={"watch": "https://www.youtube.com/watch?v=dQw4w9WgXcQ"}
        )
    )
    written = {f"publications/{page.slug}/index.html": design.publication(page, Related()) for page in pages}
    for page in pages:
        entry = invitation(page, design.url(page), "Рада")
        written |= {f"publications/{page.slug}/event.ics": entry} if entry else {}
        written |= {path: _file(path) for path in files_of(page.publication)}
    listed = [page for page in pages if page.standing is Standing.SHOWN]
    month = dates.month_of(listed[0].released_at)
    for section in Section:
        written[f"{section}/index.html"] = design.rubric(section, listed, [month])
        written[f"{section}/{month.replace('-', '/')}/index.html"] = design.month(section, month, listed)
    written["index.html"] = design.home({section: list(listed) for section in Section})
    written["404.html"] = design.not_found()
    written["search/index.html"] = design.search()
    for path, content in {**written, **design.assets}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return [f"/{path.removesuffix('index.html')}" for path in written if path.endswith(".html")]


def _file(path: str) -> bytes:
    if not path.endswith((".jpg", ".webp")):
        return b"%PDF-1.4"
    out = io.BytesIO()
    Image.linear_gradient("L").resize((120, 80)).save(out, "WEBP" if path.endswith("webp") else "JPEG")
    return out.getvalue()


class Remembered(Reading):
    """The archive's reading side over a few records in memory."""

    def __init__(self, records: dict[UUID, Record], archive_url: str) -> None:
        super().__init__(cast("Store", None), archive_url)
        self._records = records

    async def record(self, publication_id: UUID) -> Record | None:
        return self._records.get(publication_id)

    async def departments(self) -> dict[str, str]:
        return {"transport": "Управління транспорту"}

    async def page(self, query: ListQuery, *, operator: bool) -> Listing:
        public = [record for record in self._records.values() if record.public and query.q is None]
        items = [
            self._summary(publication_document(record.latest), standing(record.reports), operator=operator)
            for record in public
        ]
        return Listing(items=items, next=None)


def archive(url: str) -> tuple[ASGIApp, list[str]]:
    """The archive's pages with receipts of every sort, and their paths."""
    first = publication(targets=("site", "mail", "telegram", "newspaper"))
    second = corrected(first)
    waits = publication("regulatory_act", released_at=None)
    lives: list[list[PublicationEvent | DeliveryReported]] = [
        [
            fact(first),
            fact(second),
            delivery(second, "site", Outcome.UPDATED, url="https://rada.example/1"),
            delivery(second, "telegram", Outcome.FAILED, reason="Канал закрито."),
            delivery(second, "newspaper", Outcome.UNCONFIRMED, reason="Редакція не відповіла."),
        ],
        [fact(waits, Fact.SCHEDULED)],
        [fact(withdrawn(first := publication("event")), Fact.WITHDRAWN)],
        [fact(publication(kind)) for kind in (Kind.BROADCAST,)],
    ]
    records = {record.publication.id: record for life in lives if (record := Record.of(life)) is not None}
    app = build(ArchiveSettings(operator_key=SecretStr("x"), archive_url=url))
    app.state.reading = Remembered(records, url)
    receipts = [f"/receipts/{id}" for id in records]
    return app, ["/", "/?q=слон", "/?from=x", "/receipts/x", f"/receipts/{new_id()}", *receipts]


@contextmanager
def served(app: ASGIApp, port: int) -> Iterator[None]:
    """The app on a port of this machine, in a thread."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, lifespan="off", log_level="error", access_log=False)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield
    server.should_exit = True
    thread.join()


def main() -> int:
    """Run both checkers; 0 where neither finds anything."""
    browser = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    missing = [name for name in ("node", "npm", "java") if shutil.which(name) is None]
    if missing or browser is None:
        sys.exit(f"missing: {', '.join([*missing, *([] if browser else ['chromium'])])}")
    tools = Path(os.environ.get("PAGES_TOOLS", ".local/pages")).resolve()
    tools.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "check.mjs"):
        shutil.copy(_HERE / name, tools / name)
    if not (tools / "node_modules").exists():
        subprocess.run(["npm", "install", "--no-audit", "--no-fund"], cwd=tools, check=True)
    with tempfile.TemporaryDirectory() as folder:
        site_port, archive_port = free_port(), free_port()
        site_url, archive_url = f"http://127.0.0.1:{site_port}", f"http://127.0.0.1:{archive_port}"
        root = Path(folder, "site")
        paths = site(root, archive_url)
        app, receipts = archive(archive_url)
        addresses = [*(site_url + path for path in paths), *(archive_url + path for path in receipts)]
        with served(make_app(root), site_port), served(app, archive_port):
            saved = Path(folder, "saved")
            saved.mkdir()
            for number, address in enumerate(addresses):
                (saved / f"{number:03d}.html").write_bytes(httpx.get(address).content)
            nu = subprocess.run(
                ["java", "-jar", _jar(tools), "--errors-only", "--skip-non-html", str(saved)], check=False
            )
            found = "errors" if nu.returncode else "no error"
            sys.stdout.write(f"Nu HTML checker: {len(addresses)} pages, {found}\n")
            axe = subprocess.run(
                ["node", "check.mjs"],
                cwd=tools,
                input="\n".join(addresses),
                text=True,
                env={**os.environ, "CHROMIUM": browser},
                check=False,
            )
    return nu.returncode or axe.returncode


def _jar(tools: Path) -> str:
    return str(next((tools / "node_modules" / "vnu-jar").rglob("vnu.jar")))


if __name__ == "__main__":
    sys.exit(main())
