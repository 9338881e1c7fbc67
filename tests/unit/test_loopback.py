import os
import subprocess
import sys

import pytest

from infra.local.loopback import guarded

LAUNCHER = [sys.executable, "-m", "infra.local.loopback", "--"]
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5)"
CONNECT_TO_ITSELF = """
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(server.getsockname()).close()
"""
NO_NAMESPACE = "import sys; from infra.local import loopback; loopback.namespaces_are_permitted = lambda: False; "
BEYOND = ("192.0.2.1", "9")  # TEST-NET-1 (RFC 5737): belongs to nobody, routed nowhere


def run(*command: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=env)


def test_a_connection_beyond_loopback_fails_under_the_launcher() -> None:
    done = run(*LAUNCHER, sys.executable, "-c", CONNECT, *BEYOND)
    assert done.returncode == 1
    assert "Network is unreachable" in done.stderr or "refused: this process may talk to loopback only" in done.stderr


def test_loopback_works_under_the_launcher() -> None:
    assert run(*LAUNCHER, sys.executable, "-c", CONNECT_TO_ITSELF).returncode == 0


def test_the_command_keeps_its_exit_code_and_its_user() -> None:
    done = run(*LAUNCHER, "sh", "-c", "id -u; exit 7")
    assert (done.returncode, done.stdout.strip()) == (7, str(os.getuid()))


def test_without_a_command_the_launcher_says_how_it_is_used() -> None:
    done = run(sys.executable, "-m", "infra.local.loopback")
    assert done.returncode == 1
    assert "usage:" in done.stderr


def test_where_namespaces_are_not_permitted_the_launcher_says_so_and_python_still_refuses() -> None:
    becomes = f"{NO_NAMESPACE} loopback.main(['--', sys.executable, '-c', {CONNECT!r}, *sys.argv[1:]])"
    done = run(sys.executable, "-c", becomes, *BEYOND)
    assert done.returncode == 1
    assert "permits no network namespace" in done.stderr
    assert "refused: this process may talk to loopback only" in done.stderr


def test_the_guard_lets_loopback_through() -> None:
    assert run(sys.executable, "-c", CONNECT_TO_ITSELF, env=guarded(dict(os.environ))).returncode == 0


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "gatestream.example", "169.254.169.254"])
def test_the_guard_refuses_every_kind_of_remote_address(host: str) -> None:
    done = run(sys.executable, "-c", CONNECT, host, "9", env=guarded(dict(os.environ)))
    assert "PermissionError" in done.stderr


@pytest.mark.skipif("GATESTREAM_NETWORK" not in os.environ, reason="a single test, run without the launcher")
def test_this_very_suite_runs_with_the_network_denied() -> None:
    assert run(sys.executable, "-c", CONNECT, *BEYOND).returncode == 1
