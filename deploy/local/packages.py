"""Installing what the distribution packages, without starting any system-wide service."""

import os
import shutil
import subprocess
from pathlib import Path

from deploy.local.errors import LocalRunError

INSTALL_TIMEOUT_SECONDS = 600

# The package rabbitmq-server would start a system-wide broker: policy-rc.d forbids it meanwhile, and the unit
# is left disabled so that the next boot doesn't bring one up either. epmd comes with Erlang; it is left alone
# where Erlang was already in use.
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
install() { apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"; }
install "$@" || { apt-get -o DPkg::Lock::Timeout=300 update && install "$@"; }
case "$*" in *rabbitmq-server*) ;; *) exit 0 ;; esac
if command -v systemctl >/dev/null 2>&1; then systemctl disable $units >/dev/null 2>&1 || true; fi
"""


def install(package: str, *, way_out: str, log: Path | None = None) -> None:
    """Install one package by apt-get, as root or through sudo, its output kept in ``log``.

    Raises LocalRunError, which ends with ``way_out``, when there is no apt-get, no right to install, or the
    installation fails.
    """
    if not shutil.which("apt-get"):
        raise LocalRunError(
            f"{package} is missing and there is no apt-get here to install it with: {way_out}."
        )
    command = ["sh", "-c", INSTALL_SCRIPT, "install", package]
    if os.geteuid() != 0:
        if not _may_sudo():
            raise LocalRunError(
                f"{package} is missing and this user may not install it: run as root or with sudo, {way_out}."
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
        raise LocalRunError(f"apt-get did not finish in {INSTALL_TIMEOUT_SECONDS} s: {way_out}.") from error
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode:
        complaints = [
            line for line in done.stderr.splitlines() if line.startswith("E:")
        ] or done.stderr.splitlines()
        reason = complaints[-1].strip() if complaints else f"apt-get ended with {done.returncode}"
        raise LocalRunError(f"{package} could not be installed ({reason}): {way_out}.")


def _may_sudo() -> bool:
    if not shutil.which("sudo"):
        return False
    return subprocess.run(["sudo", "-n", "true"], check=False, capture_output=True).returncode == 0
