"""Runs several of the services' commands in one process: starting Python costs more than most of them do.

    echo '[["services.ingest", "departments", "list"]]' | python -m deploy.local.commands

Reads a JSON list of commands, each as one would write it after ``python -m``, and answers with the JSON list
of what they printed. The first that fails ends it, with that command's exit code and complaint.
"""

import contextlib
import importlib
import io
import json
import sys
from collections.abc import Sequence


def execute(module: str, arguments: Sequence[str]) -> str:
    """What the command prints. Raises SystemExit where it fails."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            importlib.import_module(f"{module}.__main__").app(list(arguments))
        except SystemExit as end:
            if end.code:
                raise
    return printed.getvalue()


def main() -> None:
    """Run what stdin says."""
    commands: list[list[str]] = json.load(sys.stdin)
    sys.stdout.write(json.dumps([execute(module, arguments) for module, *arguments in commands]))


if __name__ == "__main__":
    main()
