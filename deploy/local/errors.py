"""What stops a local run."""


class LocalRunError(Exception):
    """The run on this machine can't go on; ``str()`` is one line that says why and what to do about it."""
