"""Ports of this machine for servers that are about to start."""

import random
import socket
from contextlib import suppress

HOST = "127.0.0.1"


def free_port() -> int:
    """A port nobody listens on, below those that Linux gives to whoever asks for any, who might take it first."""
    while True:
        port = random.randrange(20_000, 32_768)  # noqa: S311 - no secret
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port


def free_ports(number: int) -> list[int]:
    """So many of them, each another."""
    found: set[int] = set()
    while len(found) < number:
        found.add(free_port())
    return list(found)


def try_port(port: int) -> None:
    """Raises OSError when a server could not listen on that port; one that has just ended does not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
