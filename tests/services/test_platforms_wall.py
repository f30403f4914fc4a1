"""The page that shows what was posted on the stand-ins, and that they are the same after a restart."""

import base64
from pathlib import Path
from typing import Any

import httpx
from aiohttp import web
from lxml import html

from tests.media import photograph
from tests.platforms.telegram import CHAT, TOKEN
from tests.platforms.wall import NAMES, application, platforms


class Served:
    """The program, in this process."""

    def __init__(self, folder: Path) -> None:
        self.runner = web.AppRunner(application(platforms(), folder))

    async def __aenter__(self) -> httpx.AsyncClient:
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        host, port = self.runner.addresses[0][:2]
        self.client = httpx.AsyncClient(base_url=f"http://{host}:{port}")
        return self.client

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()
        await self.runner.cleanup()


def articles(page: str, of: str) -> list[html.HtmlElement]:
    """The posts of one platform."""
    sections: Any = html.document_fromstring(page).xpath(f"//section[@class='{of}']")
    return [each for section in sections for each in section.iter("article")]


async def send(client: httpx.AsyncClient, method: str, **fields: object) -> None:
    answer = await client.post(f"/telegram/bot{TOKEN}/{method}", data={"chat_id": CHAT, **fields})
    assert answer.json()["ok"], answer.text


async def test_what_was_posted_is_shown_and_outlives_a_restart(tmp_path: Path) -> None:
    async with Served(tmp_path) as client:
        assert (await client.get("/health/ready")).status_code == 200
        empty = await client.get("/")
        assert all(name in empty.text for name in NAMES.values() if f'class="{name.lower()}"' in empty.text)
        await send(client, "sendMessage", text="Міст <відкрито> & https://rada.example/m/")
        answer = await client.post(
            f"/telegram/bot{TOKEN}/sendPhoto",
            data={"chat_id": CHAT, "caption": "Світлина мосту", "photo": "attach://bridge"},
            files={"bridge": ("m.jpg", photograph(), "image/jpeg")},
        )
        assert answer.json()["ok"], answer.text
        before = (await client.get("/")).text
    newest, oldest = articles(before, "telegram")
    assert "Міст <відкрито> & https://rada.example/m/" in str(oldest.text_content())
    assert oldest.xpath(".//a/@href") == ["https://rada.example/m/"]
    (picture,) = newest.iter("img")
    assert picture.get("alt")
    assert base64.b64decode(str(picture.get("src")).partition(",")[2]).startswith(b"\xff\xd8")
    async with Served(tmp_path) as client:
        assert (await client.get("/")).text == before


async def test_the_page_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    async with Served(tmp_path) as client:
        answer = await client.get("/")
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        parsed: Any = html.document_fromstring(answer.text)
        assert parsed.xpath("//script | //@style") == []
        assert [str(each) for each in parsed.xpath("//link[@rel='stylesheet']/@href")] == ["/wall.css"]
        assert (await client.get("/wall.css")).status_code == 200
