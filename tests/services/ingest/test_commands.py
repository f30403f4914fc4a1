"""The commands: departments and keys, as an operator uses them."""

import hashlib
from pathlib import Path

import pytest

from deploy.local.ports import free_port
from shared.mongo import Mongo
from tests.city import City


@pytest.fixture
def city(tmp_path: Path, amqp_url: str, mongo_url: str, clean_databases: None) -> City:
    """The environment of the commands; nothing of it runs."""
    return City(tmp_path, amqp_url, mongo_url, 1)


async def test_departments_and_keys_from_first_to_last(city: City, mongo_url: str) -> None:
    """A key is shown once and kept as a hash; revoked, it stays on the list as such."""

    def run(*arguments: str) -> str:
        return city.command("services.ingest", *arguments)

    run("departments", "add", "transport", "Управління транспорту")
    run("departments", "add", "vodokanal", "КП «Луцькводоканал»", "--communal-enterprise")
    run("departments", "add", "transport", "Управління транспорту")
    run("departments", "rename", "transport", "Управління транспорту та зв’язку")
    assert run("departments", "list").splitlines() == [
        "transport  structural_unit  Управління транспорту та зв’язку",
        "vodokanal  communal_enterprise  КП «Луцькводоканал»",
    ]
    key = run("keys", "add", "transport", "--label", "секретар").split()[-1]
    assert len(key.rsplit("_", 1)[-1]) >= 43 or len(key) >= 43
    listed = run("keys", "list")
    assert "transport" in listed
    assert "секретар" in listed
    assert "valid" in listed
    assert key not in listed
    mongo = Mongo(mongo_url, "ingest")
    kept = await mongo.database["keys"].find_one({})
    mongo.close()
    assert kept is not None
    assert kept["hash"] == hashlib.sha256(key.encode()).hexdigest()
    assert key not in str(kept)
    run("keys", "revoke", listed.split()[0])
    assert "revoked" in run("keys", "list")


def refused(city: City, *arguments: str) -> str:
    """What a command that fails says."""
    with pytest.raises(AssertionError) as failure:
        city.command("services.ingest", *arguments)
    return str(failure.value)


def test_what_does_not_exist_is_said_in_a_line(city: City) -> None:
    for arguments in (
        ("keys", "add", "nobody"),
        ("keys", "revoke", "0"),
        ("departments", "rename", "nobody", "Х"),
    ):
        assert "\ningest: no " in "\n" + refused(city, *arguments)
    assert "Traceback" not in refused(city, "departments", "add", "Не латиниця", "Х")


def test_a_department_is_never_renamed_by_the_way(city: City) -> None:
    """An id given twice by mistake must not put another name on what the first one hands in."""
    city.command("services.ingest", "departments", "add", "housing", "Департамент ЖКГ")
    for arguments in (("Відділ житла",), ("Департамент ЖКГ", "--communal-enterprise")):
        said = refused(city, "departments", "add", "housing", *arguments)
        assert "housing is there already, as Департамент ЖКГ" in said
        assert "rename" in said
    assert city.command("services.ingest", "departments", "list").splitlines() == [
        "housing  structural_unit  Департамент ЖКГ"
    ]


def test_a_database_that_is_away_is_said_in_a_line(city: City) -> None:
    city.mongo_url = f"mongodb://127.0.0.1:{free_port()}/?directConnection=true"
    said = refused(city, "keys", "list")
    assert said.startswith("ingest: the database does not answer")
    assert "Traceback" not in said


@pytest.mark.parametrize("command", [(), ("keys", "list")])
def test_a_setting_that_makes_no_sense_is_named_in_a_line(city: City, command: tuple[str, ...]) -> None:
    city.more = {"INGEST_RATE_LIMIT": "often"}
    said = refused(city, *command)
    assert said.startswith("ingest: INGEST_RATE_LIMIT: ")
    assert "Traceback" not in said
