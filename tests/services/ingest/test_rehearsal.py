"""A dry run: what every channel would show, and no trace of the publication anywhere."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.publisher.app import Publisher
from services.publisher.channels.site.settings import SiteSection
from services.publisher.settings import PublisherSettings
from shared.settings import SharedSettings
from tests.rabbit import empty_queues
from tests.samples import submission
from tests.services.ingest.conftest import Heard, Running, problem
from tests.services.publisher.board import Board, module_of


@pytest.fixture
async def publisher(
    monkeypatch: pytest.MonkeyPatch, shared_settings: SharedSettings, clean_databases: None, tmp_path: Path
) -> AsyncIterator[Publisher]:
    """A publisher with the site and the board, of which ingest has the site alone."""
    monkeypatch.setitem(sys.modules, "services.publisher.channels.board", module_of(Board()))
    settings = PublisherSettings(**(shared_settings.model_dump() | {"channels": ("site", "board")}))
    await empty_queues(settings)
    publisher = Publisher(settings, [SiteSection(root=tmp_path / "rehearsed", name="Місто")])
    await publisher.start()
    await asyncio.wait_for(publisher.ready(), 20)
    yield publisher
    await publisher.stop()


async def test_every_channel_says_what_it_would_show(
    ingest: Running, publisher: Publisher, heard: Heard
) -> None:
    body = submission()
    answer = await ingest.client.post("/v1/publications?dry_run=true", json=body)
    assert answer.status_code == 200, answer.text
    tried = answer.json()
    assert (tried["dry_run"], tried["fits"]) == (True, True)
    (site,) = tried["channels"]
    assert site["channel"] == "site"
    assert body["title"] in site["pieces"][0]["text"]
    assert await heard.more() == []
    assert await ingest.ingest.mongo.database["submissions"].count_documents({}) == 0


async def test_a_channel_that_would_not_take_it_says_why(ingest: Running, publisher: Publisher) -> None:
    publisher.channels.pop("site")
    answer = await ingest.client.post("/v1/publications?dry_run=1", json=submission())
    tried = answer.json()
    assert tried["fits"] is False
    assert tried["channels"][0]["refusal"] == "Цей канал вимкнено."


async def test_what_would_be_refused_is_refused(ingest: Running) -> None:
    answer = await ingest.client.post("/v1/publications?dry_run=true", json=submission(title=""))
    assert [error["field"] for error in problem(answer, 422)["errors"]] == ["title"]
    answer = await ingest.client.post("/v1/publications?dry_run=maybe", json=submission())
    assert "dry_run" in problem(answer, 422)["errors"][0]["field"]
    answer = await ingest.client.post(
        "/v1/publications?dry_run=true", json=submission(), headers={"Authorization": "Bearer wrong"}
    )
    problem(answer, 401)


async def test_without_an_answer_it_says_so(ingest: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """The publisher is away: the real submission would still be taken."""
    monkeypatch.setattr("shared.bus.connection.ANSWER_WITHIN", 0.3)
    answer = await ingest.client.post("/v1/publications?dry_run=true", json=submission())
    assert problem(answer, 503)["type"] == "/problems/no-previews"
    assert (await ingest.submit())["revision"] == 1
