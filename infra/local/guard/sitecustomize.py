"""Refuses connections beyond loopback in every Python process that has this folder on PYTHONPATH.

The fallback of infra.local.loopback, for machines without network namespaces. It sees Python's own sockets only.
"""

import ipaddress
import sys

CONNECTING = {"socket.connect", "socket.sendto", "socket.sendmsg"}  # arguments: the socket, the address
RESOLVING = {"socket.getaddrinfo", "socket.gethostbyname"}  # arguments: the host, …


def refuse(event: str, arguments: tuple[object, ...]) -> None:
    """The audit hook (PEP 578): raises PermissionError for an address that is neither loopback nor a local socket."""
    if event in CONNECTING:
        address = arguments[1]
        local = not isinstance(address, tuple) or is_local(address[0])  # else a Unix socket's path
    elif event in RESOLVING:
        address = arguments[0]
        local = is_local(address)
    else:
        return
    if not local:
        raise PermissionError(f"{event} of {address!r} refused: this process may talk to loopback only")


def is_local(host: object) -> bool:
    """Whether a host stays on this machine; names other than localhost count as remote, none at all as local."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "localhost")
    try:
        return name == "localhost" or ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


sys.addaudithook(refuse)
