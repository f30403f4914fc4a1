"""What the desk refuses, and how clearly it says why."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.ingest.keys import Register
from services.ingest.reading import BODY_LIMIT
from services.ingest.settings import IngestSettings
from shared.events import new_id, now
from shared.mongo import Mongo
from shared.vocabulary import Kind, Topic
from tests.samples import TRANSPORT, submission
from tests.services.ingest.conftest import Running, accepted, problem, revision, run_ingest, settings_from
from tests.waiting import eventually

JSON = {"Content-Type": "application/json"}


async def kept(settings: IngestSettings) -> int:
    """Publications in the outbox."""
    mongo = Mongo(settings.mongo_url.get_secret_value(), settings.database)
    count = await mongo.database["publications"].count_documents({})
    mongo.close()
    return count


async def test_without_a_valid_key_nothing_is_read(desk: Running, register: Register) -> None:
    valid = desk.client.headers.pop("Authorization")
    for authorization in (None, "Bearer", "Bearer no-such-key", f"Basic {valid[7:]}", valid[:-1]):
        headers = {} if authorization is None else {"Authorization": authorization}
        for request in (
            desk.client.build_request("POST", "/v1/publications", content=b"{", headers=headers),
            desk.client.build_request("PUT", f"/v1/publications/{new_id()}", json={}, headers=headers),
        ):
            answer = await desk.client.send(request)
            problem(answer, 401)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_revoked_key_is_refused(desk: Running, register: Register) -> None:
    [key] = await register.keys()
    await register.revoke(key.id)
    problem(await desk.client.post("/v1/publications", json=submission()), 401)


async def test_a_key_revoked_in_use_is_refused_soon(desk: Running, register: Register) -> None:
    """What was verified is remembered, for seconds only."""
    await desk.submit()
    [key] = await register.keys()
    await register.revoke(key.id)

    async def refused() -> bool:
        return (await desk.client.post("/v1/publications", json=submission())).status_code == 401

    await eventually(refused, every=0.5)


UNFIT: list[tuple[str, dict[str, Any], str, list[str] | None]] = [
    ("news", {"title": None}, "title", None),
    ("news", {"topics": ["weather"]}, "topics.0", [str(topic) for topic in Topic]),
    ("news", {"covers": ["parliament"]}, "covers.0", None),
    ("news", {"urgency": "very"}, "urgency", None),
    ("news", {"kind": "poem"}, "kind", [str(kind) for kind in Kind]),
    ("news", {"kind": None}, "kind", [str(kind) for kind in Kind]),
    ("news", {"contact": {"name": "Х", "email": "не пошта"}}, "contact.email", None),
    ("news", {"release_at": "завтра"}, "release_at", None),
    ("news", {"release_at": "2026-11-22T10:00:00"}, "release_at", None),
    ("news", {"title": "\u200b\u2060"}, "title", None),
    ("news", {"title": "\u00ad\u3164\u2800 \ufe0f"}, "title", None),
    ("news", {"lead": "\u202e"}, "lead", None),
    ("news", {"lead": "Ціна \u202e001\u202c грн"}, "lead", None),
    ("news", {"body": "Ціна \u2066001\u2069 грн"}, "body", None),
    ("event", {"event": {"starts_at": "2027-01-02T10:00:00Z", "place": "\u200b"}}, "event.place", None),
    ("news", {"media": ["фото"]}, "media.0", None),
    ("news", {"contact": {"name": "Х", "post": "Y"}}, "contact.post", ["email", "name", "phone"]),
    ("news", {"channels": ["telegram"]}, "channels", ["site"]),
    ("news", {"body": "рядок\u0000"}, "body", None),
    ("event", {"event": {}}, "event.starts_at", None),
    ("event", {"event": None}, "event", None),
    (
        "event",
        {
            "event": {
                "starts_at": "2027-01-02T10:00:00Z",
                "ends_at": "2027-01-01T10:00:00Z",
                "place": "Театральний майдан",
            }
        },
        "event.ends_at",
        None,
    ),
    ("event", {"act": {}}, "act", None),
    ("broadcast", {"broadcast": None}, "broadcast", None),
    ("broadcast", {"broadcast": {"station": "Аверс"}}, "broadcast.series", None),
    (
        "broadcast",
        {
            "broadcast": {
                "series": "Місто",
                "station": "Аверс",
                "medium": "telepathy",
                "airs_at": "2027-01-02T10:00:00Z",
                "state": "lost",
            }
        },
        "broadcast.medium",
        ["tv", "radio", "online"],
    ),
    ("interview", {"speaker": {"post": "міський голова"}}, "speaker.name", None),
    ("explainer", {"explains": "рішення"}, "explains", None),
    (
        "regulatory_act",
        {"act": {"issuer": "mayor", "title": "Х", "normative": True}},
        "act.adopted_on",
        None,
    ),
    (
        "regulatory_act",
        {"act": {"issuer": "mayor", "title": "Х", "normative": "так"}},
        "act.normative",
        None,
    ),
    (
        "regulatory_act",
        {"act": {"issuer": "parliament", "title": "Х", "normative": True, "draft": True}},
        "act.issuer",
        ["city_council", "executive_committee", "mayor"],
    ),
    (
        "news",
        {"release_at": "2027-01-02T10:00:00Z", "embargo_until": "2027-01-02T10:00:00Z"},
        "release_at",
        None,
    ),
]
"""Kind, what is changed in a submission of it, the field that is named then, and what is allowed for it."""


async def test_a_field_that_does_not_fit_is_named(desk: Running) -> None:
    """In a submission and in a revision alike, and nothing is kept."""
    ids = {kind: (await desk.submit(kind))["id"] for kind in {row[0] for row in UNFIT}}
    for kind, change, field, allowed in UNFIT:
        path = f"/v1/publications/{ids[kind]}"
        for answer in (
            await desk.client.post("/v1/publications", json=submission(kind) | change),
            await desk.client.put(path, json=revision(kind) | change, headers={"If-Match": '"1"'}),
        ):
            errors = {error["field"]: error for error in problem(answer, 422)["errors"]}
            assert field in errors, (change, errors)
            assert errors[field]["message"]
            if allowed is not None:
                assert errors[field]["allowed"] == allowed
    assert await kept(desk.settings) == len(ids)


async def test_an_unknown_field_is_answered_with_the_known_ones(desk: Running) -> None:
    answer = await desk.client.post("/v1/publications", json=submission() | {"headline": "Х"})
    [error] = problem(answer, 422)["errors"]
    assert error["message"] == "there is no such field"
    assert {"title", "lead", "body", "media"} <= set(error["allowed"])
    assert not {"act", "event", "headline", "change"} & set(error["allowed"])
    [error] = problem(await desk.revise((await desk.submit())["id"], 1, headline="Х"), 422)["errors"]
    assert "change" in error["allowed"]


async def test_one_fault_is_told_once(desk: Running) -> None:
    """A list whose only item is unknown is not too short beside that; an empty one is."""
    for topics, field in ((["weather"], "topics.0"), ([], "topics")):
        answer = await desk.client.post("/v1/publications", json=submission() | {"topics": topics})
        assert [error["field"] for error in problem(answer, 422)["errors"]] == [field]


async def test_what_shows_is_taken_whatever_is_between(desk: Running) -> None:
    """Joiners and soft hyphens have their place among letters; emoji and other scripts are letters too."""
    for title in ("Люблю Луцьк 👨\u200d👩\u200d👧", "ПІД\u00adсумки", "№ 5", "日本"):
        await desk.submit(title=title)
    answer = await desk.withdraw((await desk.submit())["id"], "\u200b")
    assert [error["field"] for error in problem(answer, 422)["errors"]] == ["reason"]


async def test_an_address_that_makes_no_sense_is_named_as_the_sender_knows_it(desk: Running) -> None:
    answer = await desk.client.post("/v1/publications/5/withdrawal", json={"reason": "Х"})
    assert [error["field"] for error in problem(answer, 422)["errors"]] == ["id"]


async def test_a_revision_says_what_changes(desk: Running) -> None:
    id = (await desk.submit())["id"]
    for change, field in (
        (None, "change"),
        ({"significance": "minor"}, "change.note"),
        ({"significance": "tiny", "note": "Х"}, "change.significance"),
    ):
        errors = problem(await desk.revise(id, 1, change=change), 422)["errors"]
        assert [error["field"] for error in errors] == [field]
    body = revision()
    del body["change"]
    answer = await desk.client.put(f"/v1/publications/{id}", json=body, headers={"If-Match": '"1"'})
    assert [error["field"] for error in problem(answer, 422)["errors"]] == ["change"]


async def test_a_withdrawal_says_why(desk: Running) -> None:
    id = (await desk.submit())["id"]
    for body in ({}, {"reason": ""}, {"reason": None}, {"reason": "я" * 2001}):
        answer = await desk.client.post(f"/v1/publications/{id}/withdrawal", json=body)
        assert [error["field"] for error in problem(answer, 422)["errors"]] == ["reason"]


GOOD = json.dumps(submission(), ensure_ascii=False)


SENSELESS: list[tuple[bytes, int]] = [
    (b"", 400),
    (b"{", 400),
    (b"null", 422),
    (b"[]", 422),
    (b'"news"', 422),
    (b"1e999999", 422),
    (b"[" * 100_000, 400),
    (b'{"kind":' * 50_000, 400),
    (b'{"kind":"news","title":NaN}', 422),
    (b'{"kind":"news","title":' + b"9" * 10_000 + b"}", 400),
    (GOOD.encode()[:-1] + b',"title":"\xff"}', 400),
    (GOOD.encode("utf-16"), 400),
    (b"\xef\xbb\xbf" + GOOD.encode(), 400),
    (GOOD.encode()[:-1] + b',"kind":"news"}', 400),
    (GOOD.encode()[:-1] + b',"contact":{"name":"\\u0425","name":"\\u0425"}}', 400),
    (GOOD.encode()[:-1] + b',"title":' + b"9" * 10_000 + b',"title":"\\u0425"}', 400),
    (GOOD.encode()[:-1] + b',"\\ud800":1}', 400),
    (GOOD.encode().replace("Причина".encode(), b"\\ud800"), 400),
    (GOOD.encode().replace("Причина".encode(), b"\\u0000"), 422),
    (b"{" + b",".join(b'"a%d":1' % n for n in range(50_000)) + b"}", 422),
    (GOOD.encode()[:-1] + b"," + b",".join(b'"a%d":1' % n for n in range(50_000)) + b"}", 422),
]


async def test_a_body_that_makes_no_sense_is_refused_not_a_crash(desk: Running) -> None:
    for body, status in SENSELESS:
        answer = await desk.client.post("/v1/publications", content=body, headers=JSON)
        assert answer.status_code == status, (body[:200], body[-200:], answer.text)
        assert len(answer.content) < 20_000
        assert len(problem(answer, status)["detail"]) < 1_000
    assert await kept(desk.settings) == 0


@pytest.mark.parametrize("claimed", [True, False])
async def test_a_body_over_the_limit_is_refused_while_it_comes(desk: Running, claimed: bool) -> None:
    """Whether its length is told first or not; the rest of it is never asked for."""
    asked_for = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked_for
        while True:
            asked_for += 65_536
            assert asked_for <= 2 * BODY_LIMIT
            yield b" " * 65_536

    headers = JSON | ({"Content-Length": str(100 * BODY_LIMIT)} if claimed else {})
    answer = await desk.client.post("/v1/publications", content=endless(), headers=headers)
    problem(answer, 413)


async def test_a_body_of_the_limit_itself_is_read(desk: Running) -> None:
    body = GOOD.encode()
    body += b" " * (BODY_LIMIT - len(body))
    accepted(await desk.client.post("/v1/publications", content=body, headers=JSON))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/json; charset=windows-1251"}, 415),
        ({"Content-Type": "application/jsonp"}, 415),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415),
        ({"Content-Type": "Application/JSON;charset=UTF-8"}, 202),
    ],
)
async def test_only_json_is_taken(desk: Running, headers: dict[str, str], status: int) -> None:
    answer = await desk.client.post("/v1/publications", content=GOOD.encode(), headers=headers)
    assert answer.status_code == status, answer.text


async def test_too_many_requests_of_one_key_have_to_wait(
    desk_settings: IngestSettings, register: Register, key: str
) -> None:
    """Another key is not held up, and after the time that was told the first one may come again."""
    other = {"Authorization": f"Bearer {await register.make_key(TRANSPORT.id, 'another')}"}
    limited = settings_from(desk_settings, rate_limit="3/2seconds")
    async with run_ingest(limited, key) as running:

        async def post(headers: dict[str, str] | None = None) -> httpx.Response:
            return await running.client.post("/v1/publications", json=submission(), headers=headers)

        answers = [await post() for _ in range(8)]
        limit = next(answer for answer in answers if answer.status_code == 429)
        said = problem(limit, 429)["detail"]
        wait = int(limit.headers["Retry-After"])
        assert 1 <= wait <= 5
        assert said == f"This key may make 3 requests in 2 seconds; come back in {wait} s."
        accepted(await post(other))

        async def taken() -> bool:
            return (await post()).status_code == 202

        await eventually(taken, every=0.5)


async def test_problems_are_counted(desk: Running) -> None:
    async def counted() -> float:
        text = (await desk.client.get("/metrics")).text
        lines = [line for line in text.splitlines() if 'problem="invalid-publication"' in line]
        return float(lines[0].split()[-1]) if lines else 0

    before = await counted()
    problem(await desk.client.post("/v1/publications", json={}), 422)
    assert await counted() == before + 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("POST", "/v1/publication", 404),
        ("GET", "/v1/publications", 405),
        ("DELETE", "/v1/publications/01926b6e-8f5f-7000-8000-000000000000", 405),
    ],
)
async def test_what_is_not_served_is_a_problem_too(
    desk: Running, method: str, path: str, status: int
) -> None:
    answer = await desk.client.request(method, path)
    assert problem(answer, status)["instance"] == path
    assert status == 404 or answer.headers["Allow"]


@pytest.mark.parametrize("path", ["/v1/publications/1", "/v1/publications/1/withdrawal"])
async def test_an_id_that_is_none_is_refused(desk: Running, path: str) -> None:
    method = "POST" if path.endswith("withdrawal") else "PUT"
    problem(await desk.client.request(method, path, json={}), 422)


async def test_the_docs_name_the_fields_of_every_kind(desk: Running) -> None:
    document = (await desk.client.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    body = document["paths"]["/v1/publications"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"] == {"$ref": "#/components/schemas/Submission"}
    assert set(schemas["Submission"]["discriminator"]["mapping"]) == set(Kind)
    assert set(schemas["Revision"]["discriminator"]["mapping"]) == set(Kind)
    assert "change" in schemas["EventRevision"]["required"]
    assert {"starts_at", "place"} <= set(schemas["EventDetails"]["required"])
    assert (await desk.client.get("/docs")).status_code == 200


async def test_a_far_hour_is_no_crash(desk: Running) -> None:
    for hour in ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"):
        answer = await desk.client.post("/v1/publications", json=submission(release_at=hour))
        assert answer.status_code in (202, 422), answer.text
    tomorrow = now() + timedelta(days=1)
    accepted(await desk.client.post("/v1/publications", json=submission(release_at=tomorrow.isoformat())))
