"""The front desk under requests made up from its own OpenAPI document: each answer is one that it names."""

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import negative_data_rejection

from services.ingest.app import build
from services.ingest.settings import IngestSettings
from shared.mongo import Mongo
from tests.city import City
from tests.samples import submission

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")

EXAMPLES = 1_000 if os.environ.get("SOAK") else 60
CONFIG = SchemathesisConfig.from_dict(
    {
        "seed": 1,
        # What the document can't say: control characters, hours that don't fit together.
        "checks": {
            "positive_data_acceptance": {"enabled": False},
            # 412 is tus's answer to another version of itself; some headers are looked at before others.
            "missing_required_header": {"expected-statuses": [400, 401, 404, 412, 415, 428]},
            "negative_data_rejection": {
                "expected-statuses": [400, 401, 404, 405, 409, 410, 412, 413, 415, 422, 428]
            },
        },
    }
)

schema = schemathesis.openapi.from_dict(build(IngestSettings()).openapi(), config=CONFIG)
made_up = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, amqp_url: str, mongo_url: str) -> Iterator[City]:
    """A running ingest in a process of its own, with a department and its key; a publisher for dry runs."""

    async def drop() -> None:
        mongo = Mongo(mongo_url, "ingest")
        await mongo.database.client.drop_database("ingest")
        mongo.close()

    asyncio.run(drop())
    city = City(tmp_path_factory.mktemp("city"), amqp_url, mongo_url, 1)
    city.command("services.ingest", "departments", "add", "transport", "Управління транспорту")
    city.key = city.command("services.ingest", "keys", "add", "transport").split()[-1]
    city.start("ingest", "publisher")
    try:
        asyncio.run(city.ready(["ingest", "publisher"]))
        yield city
    finally:
        city.stop()


@schema.parametrize()
@made_up
def test_whatever_is_asked_the_answer_is_as_documented(case: schemathesis.Case[Any], city: City) -> None:
    # In a form all is text: null is the word "null".
    form = case.operation.path == "/v1/media"
    case.call_and_validate(
        base_url=city.url("ingest"),
        headers={"Authorization": f"Bearer {city.key}"},
        excluded_checks=[negative_data_rejection] if form else [],
    )


@pytest.fixture(scope="module")
def handed_in(city: City) -> str:
    """The id of a publication that is there to be changed."""
    with httpx.Client(base_url=city.url("ingest")) as desk:
        answer = desk.post(
            "/v1/publications", json=submission(), headers={"Authorization": f"Bearer {city.key}"}
        )
    assert answer.status_code == httpx.codes.ACCEPTED
    return str(answer.json()["id"])


@schema.include(path_regex="publications/{id}").parametrize()
@made_up
def test_and_so_it_is_of_a_publication_that_exists(
    case: schemathesis.Case[Any], city: City, handed_in: str
) -> None:
    case.path_parameters = {"id": handed_in}
    case.call_and_validate(base_url=city.url("ingest"), headers={"Authorization": f"Bearer {city.key}"})
