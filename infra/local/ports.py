"""Ports of this machine for servers that are about to start."""

import random
import socket
from contextlib import suppress

HOST = "127.0.0.1"


def free_port() -> int:
    """A port that nobody listens on. No other call of this gets it while this process lives.

    It is below those that Linux gives to whoever asks for any, who might take it first.
    """
    while True:
        port = random.randrange(20_000, 32_768)  # noqa: S311 - no secret
        with socket.socket(type=socket.SOCK_DGRAM) as ours, socket.socket() as probe, suppress(OSError):
            ours.bind((HOST, port))  # the same number for UDP: a lock that others see, and that ends with its owner
            probe.bind((HOST, port))
            ours.detach()  # stays open on purpose: the server begins to listen later, or again
            return port


def try_port(port: int) -> None:
    """Raises OSError when a server could not listen on that port; one that has just ended does not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
