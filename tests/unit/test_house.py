"""Rules of the house, held over its own files."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from shared.bus.topology import queues
from shared.settings import SharedSettings

ROOT = Path(__file__).parents[2]
SERVICES = ("ingest", "archive", "publisher", "notifier")


def variables(settings: type[BaseSettings]) -> Iterator[str]:
    """The environment variables that a settings model reads."""
    for name, field in settings.model_fields.items():
        alias = field.validation_alias
        yield alias if isinstance(alias, str) else name.upper()


def settings_of(service: str) -> set[type[BaseSettings]]:
    """A service's settings models: its own, and the sections of its channels."""
    package = importlib.import_module(f"services.{service}")
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(package.__path__, f"services.{service}.")
        if found.name.endswith(".settings") or ".channels." in found.name
    ]
    return {
        thing
        for module in modules
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, BaseSettings) and thing is not BaseSettings
    }


def documented() -> set[str]:
    """The variables that .env.example explains."""
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    return set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", text, re.MULTILINE))


@pytest.mark.parametrize("service", SERVICES)
def test_every_variable_is_documented(service: str) -> None:
    models = settings_of(service)
    assert any(issubclass(model, SharedSettings) and model is not SharedSettings for model in models)
    assert {variable for model in models for variable in variables(model)} <= documented()


def test_every_documented_variable_is_read_somewhere() -> None:
    read = {
        variable for service in SERVICES for model in settings_of(service) for variable in variables(model)
    }
    compose = set(re.findall(r"\$\{([A-Z][A-Z0-9_]+)", (ROOT / "docker-compose.yml").read_text()))
    assert documented() <= read | compose


def test_every_queue_has_a_consumer() -> None:
    """A queue that nobody reads fills up in silence."""
    source = "\n".join(path.read_text() for path in (ROOT / "services").rglob("*.py"))
    names = {
        "archive.record": "ARCHIVE_RECORD",
        "notifier.releases": "NOTIFIER_RELEASES",
        "notifier.mails": "NOTIFIER_MAILS",
        "publisher.site": "channel_queue(",
        "publisher.settlements": "PUBLISHER_SETTLEMENTS",
    }
    for queue in queues(["site"]):
        assert names[queue.name] in source


@pytest.mark.parametrize(
    "path",
    [path for folder in ("services", "shared", "deploy") for path in (ROOT / folder).rglob("*.py")],
    ids=str,
)
def test_names_of_files_are_of_the_field(path: Path) -> None:
    assert path.stem not in {"utils", "util", "helpers", "helper", "common", "manager", "misc"}


@pytest.mark.parametrize("path", sorted((ROOT / "services").rglob("*.py")), ids=str)
def test_only_stores_and_composition_touch_the_driver(path: Path) -> None:
    """A move to PyMongo's asyncio API is a change of few files: none but shared.mongo imports Motor."""
    imports = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert "motor" not in imports
