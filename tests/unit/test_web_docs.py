"""The pages of /docs: they work where nothing but the service itself can be reached."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI

from shared.web import make_app


@asynccontextmanager
async def nothing(_: FastAPI) -> AsyncIterator[None]:
    yield


async def test_the_pages_ask_no_other_host_for_anything() -> None:
    app = make_app("Test", description="", lifespan=nothing, checks={})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
        page = (await client.get("/docs")).text
        addresses = re.findall(r'(?:src|href|url)\s*[=:]\s*["\']([^"\']+)', page)
        assert len(addresses) >= 4
        assert not [address for address in addresses if "//" in address]
        for address in addresses:
            found = await client.get(address)
            assert found.status_code == httpx.codes.OK
            assert found.content
        assert (await client.get("/redoc")).status_code == httpx.codes.NOT_FOUND
