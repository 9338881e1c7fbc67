"""Refuses connections beyond loopback in every Python process that has this folder on PYTHONPATH.

The fallback of infra.local.loopback, for machines without network namespaces. It sees Python's own sockets only.
"""

import ipaddress
import sys

EVENTS = {"socket.connect", "socket.sendto", "socket.sendmsg"}


def refuse(event: str, arguments: tuple[object, ...]) -> None:
    """The audit hook (PEP 578): raises PermissionError for an address that is neither loopback nor a local socket."""
    if event in EVENTS and not is_local(arguments[1]):
        raise PermissionError(f"{event} to {arguments[1]!r} refused: this process may talk to loopback only")


def is_local(address: object) -> bool:
    """Whether a socket address stays on this machine; names other than localhost count as remote."""
    if not isinstance(address, tuple):
        return True  # a Unix socket's path, or None for a socket that is connected already
    host = str(address[0]).partition("%")[0]
    try:
        return host in {"", "localhost"} or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


sys.addaudithook(refuse)
