"""How a file is refused."""

from shared.web import Problem


def refused(name: str, detail: str, *, field: str = "file", status: int = 422) -> Problem:
    """The problem that tells a clerk what is wrong with a field of an upload."""
    return Problem(status, name, detail, more={"errors": [{"field": field, "message": detail}]})


def too_large(form: str, limit: int) -> Problem:
    """The 413 for a file over its form's limit, in bytes."""
    text = f"A {form} may have up to {limit // (1024 * 1024)} MiB."
    return Problem(413, "too-large", text, more={"form": form})
