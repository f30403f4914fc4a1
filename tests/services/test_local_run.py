"""The parts of the local run that need no services: processes, ports, state, the sample, what is missing."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from pydantic import TypeAdapter
from typer.testing import CliRunner

from deploy.local import binaries, packages
from deploy.local.binaries import find_mongod, find_rabbitmq, install_rabbitmq
from deploy.local.errors import LocalRunError
from deploy.local.ports import LOOPBACK, free_port, is_free
from deploy.local.processes import DetachedProcess
from deploy.local.programs import DEFAULT_PORTS, LocalRun, port_variable
from deploy.local.run import app
from deploy.local.sample_city import OUTLETS, departments, publications
from deploy.local.state import StateFile, only_one
from services.notifier.outlets import read_outlets
from shared.publication import Content
from shared.vocabulary import Kind
from tests.waiting import eventually


def one_line(error: object, *, start: str, way_out: str) -> bool:
    """Whether it is a single line that begins so and names the way out."""
    text = str(error)
    return text.startswith(start) and way_out in text and "\n" not in text


@pytest.fixture
def process(tmp_path: Path) -> Iterator[DetachedProcess]:
    """A process that does nothing until it is ended."""
    detached = DetachedProcess(tmp_path / "sleeper.json")
    detached.start(["sleep", "600"], log=tmp_path / "log", env=os.environ)
    yield detached
    detached.kill()


@pytest.fixture
def occupied() -> Iterator[int]:
    """A port that somebody else listens on."""
    port = free_port()
    with socket.socket() as other:
        other.bind((LOOPBACK, port))
        other.listen()
        yield port


def test_a_process_is_found_and_stopped_by_another_command(process: DetachedProcess) -> None:
    other = DetachedProcess(process.record)
    assert other.pid == process.pid is not None
    other.stop()
    assert not process.running()
    assert not process.record.exists()


def test_a_process_that_has_taken_the_number_is_left_alone(process: DetachedProcess) -> None:
    """The record names a pid and start time that now belong to somebody without our mark."""
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        started = psutil.Process(stranger.pid).create_time()
        process.record.with_name("old.json").write_text(f'{{"pid": {stranger.pid}, "started": {started}}}')
        old = DetachedProcess(process.record.with_name("old.json"))
        assert not old.running()
        old.stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


async def test_what_a_process_left_behind_goes_with_it(tmp_path: Path) -> None:
    """Children in sessions of their own are ended too, as epmd is."""
    log = tmp_path / "log"
    leave_a_child = (
        "import subprocess, time\n"
        "print(subprocess.Popen(['sleep', '600'], start_new_session=True).pid, flush=True)\n"
        "time.sleep(600)"
    )

    async def child() -> str:
        return log.read_text().strip()

    parent = DetachedProcess(tmp_path / "parent.json")
    parent.start([sys.executable, "-c", leave_a_child], log=log, env=os.environ)
    pid = int(await eventually(child))
    assert psutil.pid_exists(pid)
    parent.kill()
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def local_run(folder: Path, **environment: str) -> LocalRun:
    return LocalRun(folder, {}, "operator", "a secret for links", environment)


def test_ports_stay_once_chosen_and_are_all_different(tmp_path: Path) -> None:
    run = local_run(tmp_path)
    run.choose_ports()
    chosen = dict(run.ports)
    assert set(chosen) == set(DEFAULT_PORTS)
    assert len(set(chosen.values())) == len(chosen)
    run.choose_ports()
    assert run.ports == chosen


def test_an_occupied_port_is_replaced_and_the_new_one_kept(tmp_path: Path, occupied: int) -> None:
    run = local_run(tmp_path)
    run.ports["ingest"] = occupied
    run.choose_ports()
    assert run.ports["ingest"] != occupied
    assert is_free(run.ports["ingest"])


@pytest.mark.parametrize("name", DEFAULT_PORTS)
def test_an_occupied_port_that_the_user_fixed_is_refused(tmp_path: Path, occupied: int, name: str) -> None:
    variable = port_variable(name)
    with pytest.raises(LocalRunError) as caught:
        local_run(tmp_path, **{variable: str(occupied)}).choose_ports()
    assert one_line(caught.value, start=f"Port {occupied} is taken: ", way_out=variable)


def test_a_port_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalRunError) as caught:
        local_run(tmp_path, INGEST_PORT="70000").choose_ports()
    assert one_line(caught.value, start="INGEST_PORT=70000 is not a port", way_out="65535")


def test_servers_of_the_environment_reach_the_services(tmp_path: Path) -> None:
    run = local_run(tmp_path, AMQP_URL="amqp://bus.example/", MONGO_URL="mongodb://store.example/")
    run.choose_ports()
    for program in run.programs():
        if program.name in {"ingest", "archive", "publisher", "notifier"}:
            assert program.settings["AMQP_URL"] == "amqp://bus.example/"
            assert program.settings["MONGO_URL"] == "mongodb://store.example/"


def test_state_is_kept_for_its_owner_only(tmp_path: Path) -> None:
    kept = StateFile(tmp_path)
    kept.state.ports["ingest"] = 8001
    kept.save()
    assert StateFile(tmp_path).state == kept.state
    assert (tmp_path / "state.json").stat().st_mode & 0o077 == 0


async def test_a_second_command_waits_for_the_first(tmp_path: Path) -> None:
    waits, entered = threading.Event(), threading.Event()

    def second() -> None:
        with only_one(tmp_path, on_wait=waits.set):
            entered.set()

    async def is_waiting() -> bool:
        return waits.is_set()

    thread = threading.Thread(target=second)
    with only_one(tmp_path, on_wait=waits.set):
        thread.start()
        await eventually(is_waiting)
        assert not entered.is_set()
    thread.join(10)
    assert entered.is_set()


def test_the_sample_day_is_as_the_desk_takes_it() -> None:
    """Every publication fits its kind, comes from a known department, and is the same for the same hour."""
    at = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    day = publications(at)
    assert day == publications(at)
    content: TypeAdapter[Content] = TypeAdapter(Content)
    kinds = {content.validate_python(each.content).kind for each in day}
    assert kinds == set(Kind)
    assert all(file.alt for each in day for file in each.photos)
    assert {each.department for each in day} <= set(departments().names)
    assert len({each.slug for each in day}) == len(day) >= 14
    (corrected,) = [each.corrected() for each in day if each.correction]
    assert corrected.pop("change")["significance"] == "major"
    content.validate_python(corrected)
    assert len([each for each in day if each.withdrawal]) == 1


def test_the_sample_outlets_can_be_imported() -> None:
    outlets = read_outlets(OUTLETS.read_text(encoding="utf-8"))
    assert len(outlets) == 8
    people = [journalist for outlet in outlets for journalist in outlet.journalists]
    assert len(people) == 12
    assert all(journalist.address.endswith(".example") for journalist in people)


def test_no_package_manager_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(binaries, "RABBITMQ_FOLDERS", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_rabbitmq() is None
    with pytest.raises(LocalRunError) as caught:
        install_rabbitmq()
    assert one_line(
        caught.value, start="rabbitmq-server is missing and there is no apt-get", way_out="AMQP_URL"
    )


def test_no_right_to_install_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "apt-get").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LocalRunError) as caught:
        install_rabbitmq()
    assert one_line(
        caught.value, start="rabbitmq-server is missing and this user may not install it", way_out="sudo"
    )


def test_a_failed_installation_says_why_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The last complaint of apt-get stands in the line, the rest in the log."""
    complaint = "E: Unable to locate package rabbitmq-server"
    monkeypatch.setattr(packages, "INSTALL_SCRIPT", f"echo reading; echo '{complaint}' >&2; exit 100")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(LocalRunError) as caught:
        install_rabbitmq(tmp_path / "install.log")
    assert one_line(
        caught.value, start=f"rabbitmq-server could not be installed ({complaint})", way_out="AMQP_URL"
    )
    assert (tmp_path / "install.log").read_text() == f"reading\n{complaint}\n"


@pytest.fixture
def mongod_without_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """As on a bare machine: it runs only once the file ``libcurl`` beside it is there."""
    mongod = tmp_path / "mongod"
    missing = "mongod: error while loading shared libraries: libcurl.so.4: cannot open shared object file"
    mongod.write_text(f"#!/bin/sh\n[ -e {tmp_path}/libcurl ] || {{ echo '{missing}' >&2; exit 127; }}\n")
    mongod.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return mongod


def test_a_library_that_mongod_lacks_is_installed(
    monkeypatch: pytest.MonkeyPatch, mongod_without_library: Path
) -> None:
    library = mongod_without_library.with_name("libcurl")
    monkeypatch.setattr(packages, "INSTALL_SCRIPT", f'[ "$*" = libcurl4 ] && touch {library}')
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert find_mongod() == mongod_without_library


def test_a_mongod_that_can_not_run_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, mongod_without_library: Path
) -> None:
    monkeypatch.setattr(packages, "INSTALL_SCRIPT", "true")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(LocalRunError) as caught:
        find_mongod()
    assert one_line(caught.value, start=f"{mongod_without_library} can't run", way_out="MONGO_URL")


def test_what_stops_a_command_is_one_line_and_an_exit_code(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["up", "--folder", str(tmp_path)], env={"RABBITMQ_PORT": "no"})
    assert result.exit_code == 1
    assert one_line(result.stderr.rstrip(), start="visnyk: RABBITMQ_PORT=no", way_out="give a number")
