"""`gatestream dashboard` as a process: where it listens, what it prints, how it ends."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from infra.local.stack import StackInfo
from tests.e2e.test_cli import COMMAND
from tests.e2e.way import eventually

pytestmark = pytest.mark.e2e


def command(stack: StackInfo, *arguments: str) -> list[str]:
    return [str(COMMAND), "--state-dir", str(Path(stack.log).parent), "dashboard", *arguments]


@contextmanager
def running(
    stack: StackInfo, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[str]"]:
    pipe = subprocess.PIPE
    with subprocess.Popen(command(stack, *arguments), stdout=pipe, stderr=pipe, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def link_of(process: "subprocess.Popen[str]") -> str:
    """What a script reads: one line of JSON, once it listens."""
    assert process.stdout
    told = json.loads(process.stdout.readline())
    assert [*told] == ["url"]
    return str(told["url"])


def get(url: str, **headers: str) -> tuple[int, dict[str, str], str]:
    parts = urlsplit(url)
    with closing(HTTPConnection(str(parts.hostname), parts.port, timeout=60)) as connection:
        connection.request("GET", f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}", headers=headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_is_entered_by_its_link_shows_the_fleet_and_ends_when_told_even_with_an_open_page(
    stack: StackInfo, end: signal.Signals
) -> None:
    with running(stack, "--json") as process:
        link = link_of(process)
        assert link.startswith("http://127.0.0.1:")
        status, headers, _ = get(link)
        assert status == 303
        page = link.partition("?")[0]
        assert get(page)[0] == 403
        cookie = headers["set-cookie"].partition(";")[0]
        status, _, body = get(page, cookie=cookie)
        assert status == 200
        assert "<h1>Fleet</h1>" in body
        parts = urlsplit(page)
        with closing(HTTPConnection(str(parts.hostname), parts.port, timeout=60)) as reader:
            reader.request("GET", "/live?topic=fleet&seen=before", headers={"cookie": cookie})
            events = reader.getresponse()
            assert events.readline() == b"event: fleet\r\n"
            process.send_signal(end)
            events.read()  # it ends
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (0, "", "")


def test_it_listens_on_loopback_alone(stack: StackInfo) -> None:
    with running(stack, "--json") as process:
        port = urlsplit(link_of(process)).port
        assert port
        with socket.socket() as other:
            other.bind(("127.0.0.2", port))  # free: it would not be if all addresses were listened on


def test_a_port_that_is_taken_is_told_in_a_line(stack: StackInfo) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            command(stack, "--port", str(port), "--no-open"), capture_output=True, text=True, check=False
        )
    assert done.returncode == 1
    assert (
        done.stderr
        == f"gatestream: port {port} cannot be listened on (Address already in use); choose another: --port N\n"
    )


BROWSER = """#!/bin/sh
echo "$1" > {folder}/asked
cp "${{1#file://}}" {folder}/page.new && mv {folder}/page.new {folder}/page
"""
"""A browser that only notes what it is asked for, as everybody on the machine could."""


def test_the_browser_is_given_a_file_of_the_user_s_own_and_no_secret_on_its_command_line(
    stack: StackInfo, tmp_path: Path
) -> None:
    program = tmp_path / "browser"
    program.write_text(BROWSER.format(folder=tmp_path))
    program.chmod(0o700)
    shown = {**os.environ, "DISPLAY": ":0", "BROWSER": f"{program} %s"}
    with running(stack, environment=shown) as process:
        assert process.stdout
        assert process.stdout.readline() == "Opened in your browser; the link works once:\n"
        token = process.stdout.readline().strip().partition("token=")[2]
        eventually((tmp_path / "page").exists, "a page in the browser")
        asked, page = ((tmp_path / name).read_text() for name in ("asked", "page"))
        assert token
        assert token not in asked
        assert token in page
        file = Path(urlsplit(asked.strip()).path)
        assert file.stat().st_mode & 0o077 == 0
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert not file.exists()


def test_people_are_told_the_link_and_how_to_end_it(stack: StackInfo) -> None:
    with running(stack, "--no-open") as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(3)]
        assert lines[0] == "Open this link, which works once:\n"
        assert lines[1].startswith("http://127.0.0.1:")
        assert lines[2] == "Ctrl-C ends it.\n"
