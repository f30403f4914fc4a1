"""The commands of operators, run as they run them."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from services.notifier.__main__ import app
from services.notifier.outlets import read_outlets
from services.notifier.settings import Settings

ROOT = Path(__file__).parents[3]
Run = Callable[..., Awaitable[Result]]


@pytest.fixture
def outlets(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`python -m services.notifier outlets …`, in a thread: it brings an event loop of its own."""
    monkeypatch.setenv("MONGO_URL", settings.mongo_url.get_secret_value())

    async def run(*words: str) -> Result:
        return await asyncio.to_thread(lambda: CliRunner().invoke(app, ["outlets", *words]))

    return run


def documented() -> str:
    """The example in docs/outlets.md."""
    return (ROOT / "docs" / "outlets.md").read_text("utf-8").split("```yaml\n")[1].split("```")[0]


async def test_the_documented_file_can_be_imported_listed_shown_and_removed(
    outlets: Run, tmp_path: Path
) -> None:
    file = tmp_path / "outlets.yaml"
    file.write_text(documented(), "utf-8")
    for _ in range(2):
        done = await outlets("import", str(file))
        assert (done.exit_code, done.stdout) == (0, "outlets: 2, journalists: 2\n")
    assert (await outlets("list")).stdout == (
        "avers\t17:00\t1/1\tТРК «Аверс»\nzamok\t17:00\t1/1\tГазета «Луцький замок»\n"
    )
    shown = (await outlets("show", "avers")).stdout
    assert read_outlets(shown) == read_outlets(documented())[:1]
    assert (await outlets("remove", "avers")).exit_code == 0
    assert (await outlets("list")).stdout.startswith("zamok")
    again = await outlets("remove", "avers")
    assert (again.exit_code, again.stderr) == (1, "avers: no such outlet\n")


async def test_an_import_with_errors_changes_nothing_and_tells_each(outlets: Run, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(documented(), "utf-8")
    assert (await outlets("import", str(good))).exit_code == 0
    before = (await outlets("list")).stdout
    bad.write_text(
        "outlets:\n"
        "  - id: other\n    name: Інше\n    journalists:\n"
        "      - {name: Інша, address: koval@avers.example, subscriptions: [{}]}\n",
        "utf-8",
    )
    done = await outlets("import", str(bad))
    assert (done.exit_code, done.stderr) == (1, "other: koval@avers.example is already listed by avers\n")
    bad.write_text("outlets:\n  - {id: avers}\n  - {id: Б, name: Б}\n", "utf-8")
    done = await outlets("import", str(bad))
    assert done.exit_code == 1
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["outlets[0].name", "outlets[1].id"]
    assert (await outlets("list")).stdout == before
