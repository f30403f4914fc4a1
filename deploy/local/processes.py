"""Processes that outlive the command that started them.

Each runs in a session of its own and carries a mark in its environment, the path of its record. Before
anything is signalled the mark is read back, so that a number that the kernel has given to somebody else by
now is never hit.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

MARK = "VISNYK_LOCAL_PROCESS"
CLOCK_TOLERANCE_SECONDS = 5.0
POLL_SECONDS = 0.02
BURIED_SECONDS = 5.0
EXEC_LOOKS = 5
EXEC_SECONDS = 0.01


class DetachedProcess:
    """One process with the children it leaves behind, known by a record file (pid and start time as JSON)."""

    def __init__(self, record: Path) -> None:
        self.record = record.resolve()
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process's id while it runs."""
        process = self._process()
        return process.pid if process else None

    def running(self) -> bool:
        """Whether the recorded process is still there and is ours."""
        return self._process() is not None

    @property
    def label(self) -> str:
        """What was said about it at its start; empty when it doesn't run."""
        return str(self._record().get("label", "")) if self.running() else ""

    def start(
        self,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str],
        cwd: Path | None = None,
        label: str = "",
    ) -> None:
        """Start it in the background, its output appended to ``log``; what was left of the last is ended.

        Raises OSError when the program can't be run.
        """
        self.kill()
        self.record.parent.mkdir(parents=True, exist_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**env, MARK: str(self.record)},
                cwd=cwd,
            )
        self._child = child
        written = self.record.with_suffix(".new")
        started = psutil.Process(child.pid).create_time()
        written.write_text(json.dumps({"pid": child.pid, "started": started, "label": label}))
        written.replace(self.record)

    def stop(self, timeout: float = 30.0) -> None:
        """Ask it to end (SIGTERM), wait, and end by force what is left after ``timeout`` seconds."""
        process = self._process()
        if process:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGTERM)
            self._wait_gone(timeout)
        self.kill()
        self._bury(process)

    def kill(self) -> None:
        """End it and all it started at once, as a crash would (SIGKILL); returns when they are gone."""
        process = self._process()
        if process:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        while strays := self._marked():
            for stray in strays:
                with contextlib.suppress(psutil.NoSuchProcess):
                    stray.kill()
            time.sleep(POLL_SECONDS)
        self._bury(process)
        self.record.unlink(missing_ok=True)

    def _bury(self, process: psutil.Process | None) -> None:
        """Wait until its number is free: it looks as if it were there until somebody asks how it ended."""
        if self._child:
            self._child.wait()
            self._child = None
        elif process:
            with contextlib.suppress(psutil.TimeoutExpired):
                process.wait(BURIED_SECONDS)

    def _process(self) -> psutil.Process | None:
        if self._child is not None:
            return psutil.Process(self._child.pid) if self._child.poll() is None else None
        known = self._record()
        try:
            process = psutil.Process(known["pid"])
            same_start = abs(process.create_time() - known["started"]) < CLOCK_TOLERANCE_SECONDS
            return process if same_start and self._is_ours(process) else None
        except (KeyError, psutil.NoSuchProcess):
            return None

    def _record(self) -> dict[str, Any]:
        try:
            known: dict[str, Any] = json.loads(self.record.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return known

    def _carries_mark(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return process.environ().get(MARK) == str(self.record)
        except (psutil.AccessDenied, OSError):
            return False

    def _is_ours(self, process: psutil.Process) -> bool:
        # A program that is just being replaced by another one shows an empty environment for a moment.
        for _ in range(EXEC_LOOKS):
            if self._carries_mark(process):
                return True
            time.sleep(EXEC_SECONDS)
        return False

    def _marked(self) -> list[psutil.Process]:
        marked: list[psutil.Process] = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess):
                if self._carries_mark(process):
                    marked.append(process)
        return marked

    def _wait_gone(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while self.running() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
