"""Free ports on the loopback interface."""

import secrets
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
LOWEST_PORT = 15_000
DEFAULT_EPHEMERAL_START = 32_768


def _ephemeral_start() -> int:
    """The first port that the kernel hands to outgoing connections."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return DEFAULT_EPHEMERAL_START


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback interface now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A free port below the ephemeral range.

    Inside that range a client that reconnects while its server is down can be given the server's own port as
    its source, connect to itself and keep the server from coming back.
    """
    highest = max(_ephemeral_start(), LOWEST_PORT + 1_000)
    while not is_free(port := LOWEST_PORT + secrets.randbelow(highest - LOWEST_PORT)):
        pass
    return port
