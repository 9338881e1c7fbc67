"""Runs a command with the network beyond loopback denied: `python -m infra.local.loopback -- COMMAND …`.

The command gets a fresh Linux network namespace in which only `lo` is up, so that nothing in it, in whatever language,
can reach outside or be reached from there. Where namespaces are not permitted it says so and falls back to refusing at
least Python's own connections. GATESTREAM_NETWORK tells the command which of the two holds: `namespace` or `guard`.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000  # linux/sched.h
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1  # linux/sockios.h, linux/if.h
GUARD = Path(__file__).with_name("guard")
NO_NAMESPACE = (
    "loopback: this system permits no network namespace. Only Python's own connections beyond loopback are refused;"
    " other programs can still reach the network, and be reached.\n"
)


def enter_namespace() -> None:
    """Moves this process into a network namespace of its own, `lo` up. Raises OSError where that is not permitted."""
    try:
        _unshare(CLONE_NEWNET)
    except PermissionError:
        _unshare_as_user()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:  # struct ifreq: 16 bytes of name, then the flags
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))


def namespaces_are_permitted() -> bool:
    """Tries it in a child: some systems permit the namespace but not its `lo`, and there is no way back out."""
    child = os.fork()
    if child == 0:
        try:
            enter_namespace()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def guarded(environment: dict[str, str]) -> dict[str, str]:
    """The environment in which Python processes refuse to connect beyond loopback."""
    path = os.pathsep.join(filter(None, [str(GUARD), environment.get("PYTHONPATH")]))
    return environment | {"PYTHONPATH": path, "GATESTREAM_NETWORK": "guard"}


def main(arguments: list[str]) -> None:
    """Becomes the command after `--`; raises SystemExit if there is none."""
    command = arguments[arguments.index("--") + 1 :] if "--" in arguments else []
    if not command:
        sys.exit("usage: python -m infra.local.loopback -- COMMAND …")
    environment = dict(os.environ)
    if namespaces_are_permitted():
        enter_namespace()
        environment["GATESTREAM_NETWORK"] = "namespace"
    else:
        sys.stderr.write(NO_NAMESPACE)
        sys.stderr.flush()
        environment = guarded(environment)
    os.execvpe(command[0], command, environment)  # noqa: S606 - the command's own arguments, without a shell


def _unshare_as_user() -> None:
    """A user namespace in which we keep our own ids but may make a network namespace (user_namespaces(7))."""
    uid, gid = os.geteuid(), os.getegid()
    _unshare(CLONE_NEWUSER | CLONE_NEWNET)
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1", encoding="ascii")


def _unshare(flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)  # os.unshare came with Python 3.12
    if libc.unshare(flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "unshare")


if __name__ == "__main__":
    main(sys.argv[1:])
