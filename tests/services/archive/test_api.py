"""What programs are answered: problems, conditional requests, the raw record, the promised shape."""

from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from services.archive.app import build
from services.archive.settings import ArchiveSettings
from shared.events import Outcome, new_id
from shared.publication import Fact
from shared.vocabulary import Kind
from tests.samples import corrected, delivery, fact, publication, withdrawn
from tests.services.archive.conftest import OPERATOR, Event, Reader, http


@pytest.mark.parametrize("id", [str(new_id()), str(uuid4())], ids=["version 7", "version 4"])
async def test_an_unknown_id_is_a_404_problem(reader: Reader, id: str) -> None:
    answer = await reader.client.get(f"/v1/publications/{id}")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/unknown-publication"


@pytest.mark.parametrize("id", ["x", "1234", "%00", "01890000-0000-7000-8000-00000000000g"])
@pytest.mark.parametrize("path", ["", "/events"])
async def test_a_malformed_id_is_a_422_problem(reader: Reader, id: str, path: str) -> None:
    answer = await reader.client.get(f"/v1/publications/{id}{path}", headers=OPERATOR)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "id"


@pytest.mark.parametrize("kind", list(Kind))
async def test_every_kind_comes_back_with_its_own_members(reader: Reader, kind: Kind) -> None:
    one = publication(kind)
    await reader.put(fact(one))
    found = await reader.publication(one.id)
    assert found is not None
    submitted: dict[str, Any] = one.content.model_dump(mode="json")
    own = {"event", "act", "broadcast", "explains", "speaker"}
    for name, value in submitted.items():
        if name not in own or value is not None:
            assert found[name] == value, name
    assert own & set(found) == {name for name in own if submitted.get(name) is not None}


async def test_a_correction_and_a_withdrawal_are_told_whole(reader: Reader) -> None:
    first = publication()
    second = corrected(first, title="Уточнено")
    gone = withdrawn(second, "Дані не підтвердилися.")
    await reader.put(fact(first), fact(second), fact(gone, Fact.WITHDRAWN))
    found = await reader.publication(first.id)
    assert found is not None
    assert found["state"] == "withdrawn"
    assert found["withdrawal"]["reason"] == "Дані не підтвердилися."
    assert [one["note"] for one in found["corrections"]] == ["Уточнено час."]
    original, correction = found["revisions"]
    assert "change" not in original
    assert original["title"] == first.content.title
    assert correction["change"] == {"significance": "major", "note": "Уточнено час."}
    facts = [step["fact"] for step in found["receipt"]["timeline"]]
    assert sorted(facts) == ["released", "released", "withdrawn"]
    assert found["receipt"]["waiting"] == ["site", "mail"]


async def test_an_unchanged_publication_is_answered_with_304(reader: Reader) -> None:
    one = publication()
    await reader.put(fact(one))
    address = f"/v1/publications/{one.id}"
    etag = (await reader.client.get(address)).headers["ETag"]
    for condition in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = await reader.client.get(address, headers={"If-None-Match": condition})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["ETag"] == etag
    await reader.put(delivery(one, "site", Outcome.PUBLISHED))
    answer = await reader.client.get(address, headers={"If-None-Match": etag})
    assert answer.status_code == 200
    assert answer.headers["ETag"] != etag


async def test_answers_keep_ids_from_referrers_and_search_engines(reader: Reader) -> None:
    one = publication()
    await reader.put(fact(one))
    for address in ("/v1/publications", f"/v1/publications/{one.id}"):
        answer = await reader.client.get(address)
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Robots-Tag"] == "noindex"


async def test_the_raw_record_is_whole_and_oldest_first(reader: Reader) -> None:
    one = publication()
    events: list[Event] = [fact(one), delivery(one, "site", Outcome.PUBLISHED), fact(corrected(one))]
    await reader.put(*reversed(events))
    answer = await reader.client.get(f"/v1/publications/{one.id}/events", headers=OPERATOR)
    items = answer.json()["items"]
    assert [item["event"] for item in items] == [
        event.model_dump(mode="json", exclude_none=True) for event in events
    ]
    assert all(item["received_at"] for item in items)


async def test_the_raw_record_needs_the_key(reader: Reader) -> None:
    one = publication()
    await reader.put(fact(one))
    answer = await reader.client.get(f"/v1/publications/{one.id}/events")
    assert answer.status_code == 401
    unknown = await reader.client.get(f"/v1/publications/{new_id()}/events", headers=OPERATOR)
    assert unknown.status_code == 404


async def test_without_a_key_in_the_settings_nobody_is_the_operator() -> None:
    """An empty setting must not be a key that anybody can give."""
    app = build(ArchiveSettings(operator_key=SecretStr("")))
    app.state.reading = None
    async with http(app) as client:
        for given in ("Bearer ", "Bearer  ", "Bearer x"):
            answer = await client.get(
                "/v1/publications", params={"state": "embargoed"}, headers={"Authorization": given}
            )
            assert answer.status_code == 401
