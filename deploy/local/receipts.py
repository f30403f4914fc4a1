"""Following receipts at the archive on the screen, until they are complete."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.local.errors import LocalRunError

COMPLETE_SECONDS = 180.0
POLL_SECONDS = 0.25
WIDEST = 110

_ANSWERED_BY_PEOPLE = {"newspaper", "television", "radio"}
_FINAL = {"published", "updated", "removed", "skipped", "failed"}

Record = Mapping[str, Any]
"""What the archive answers for one publication."""


def follow(
    archive_url: str,
    public: Mapping[str, str],
    waiting: Mapping[str, str],
    console: Console,
    *,
    changed: bool = False,
) -> None:
    """Ask until all ``public`` publications (ids by name) have complete receipts.

    With ``changed``: of the change that was made to them.

    Those that are ``waiting`` for their hour only have to be on record, with the accredited media told of an
    embargo. Raises LocalRunError where that takes longer than three minutes.
    """
    names = {**public, **waiting}
    records: dict[str, Record] = {}
    bar = Progress(
        TextColumn("receipts complete"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
    task = bar.add_task("", total=len(names))
    deadline = time.monotonic() + COMPLETE_SECONDS
    with (
        httpx.Client(base_url=archive_url, timeout=10) as archive,
        Live(console=console, refresh_per_second=8) as live,
    ):
        while True:
            for name, publication_id in names.items():
                if not _done(records.get(name), name in waiting, changed=changed):
                    records |= _asked(archive, name, publication_id)
            done = sum(_done(records.get(name), name in waiting, changed=changed) for name in names)
            bar.update(task, completed=done)
            live.update(Group(_table(names, records, min(console.width, WIDEST)), bar))
            if done == len(names):
                break
            if time.monotonic() > deadline:
                behind = [
                    name for name in names if not _done(records.get(name), name in waiting, changed=changed)
                ]
                first = f"{archive_url}/v1/publications/{names[behind[0]]}"
                raise LocalRunError(
                    f"{len(behind)} receipts are not complete after {COMPLETE_SECONDS:.0f} s: see {first}, "
                    "`make status` and `make parked ARGS=list`."
                )
            time.sleep(POLL_SECONDS)
    if not console.is_terminal:
        console.print()


def _asked(archive: httpx.Client, name: str, publication_id: str) -> dict[str, Record]:
    """The record under its name; nothing while the archive doesn't know it or doesn't answer."""
    try:
        answer = archive.get(f"/v1/publications/{publication_id}")
    except httpx.TransportError:
        return {}
    return {name: answer.json()} if answer.is_success else {}


def _done(record: Record | None, waits: bool, *, changed: bool) -> bool:
    if record is None or (changed and record["revision"] == 1 and record["state"] != "withdrawn"):
        return False
    if record["state"] == "embargoed":
        return any(entry["target"] == "advance" for entry in record["receipt"]["entries"])
    return waits or _settled(record)


def _settled(record: Record) -> bool:
    """Whether nothing more happens by itself: what is left waits for an editor, a station, or a person."""
    receipt = record["receipt"]
    entries: Sequence[Record] = receipt["entries"]
    open_ends = {
        entry["target"] for entry in entries if entry["outcome"] == "unconfirmed"
    } & _ANSWERED_BY_PEOPLE
    rest = [each for each in entries if each["target"] not in open_ends]
    return bool(receipt["complete"]) or (
        record["state"] in {"released", "withdrawn"}
        and not receipt["waiting"]
        and all(entry["outcome"] in _FINAL for entry in rest)
    )


def _table(names: Mapping[str, str], records: Mapping[str, Record], width: int) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", width=width)
    table.add_column("publication", no_wrap=True, overflow="ellipsis", ratio=1)
    for column, size in (("state", 9), ("site", 9), ("channels", 12), ("mail", 15)):
        table.add_column(column, no_wrap=True, width=size)
    for name in names:
        record = records.get(name)
        if record is None:
            table.add_row(name, "handed in", "", "", "")
            continue
        entries = {entry["target"]: entry for entry in record["receipt"]["entries"]}
        mail = entries.get("advance") if record["state"] == "embargoed" else entries.get("mail")
        table.add_row(
            str(record["title"]),
            record["state"],
            _outcome(entries.get("site")),
            _channels(entries),
            _outcome(mail),
        )
    return table


def _channels(entries: Mapping[str, Record]) -> str:
    """How many of the other channels have it, and how many of them wait for somebody."""
    others = [
        entry for target, entry in entries.items() if target not in {"site", "mail", "advance", "digest"}
    ]
    shown = sum(entry["outcome"] in {"published", "updated", "removed"} for entry in others)
    awaited = sum(entry["outcome"] == "unconfirmed" for entry in others)
    return f"{shown} of {len(others)}" + (f", {awaited} …" if awaited else "") if others else ""


def _outcome(entry: Record | None) -> str:
    if entry is None:
        return ""
    recipients = entry.get("recipients")
    return str(entry["outcome"]) if recipients is None else f"{entry['outcome']} to {recipients}"
