"""The local stack starts whole or not at all, and leaves nothing behind, however it ends."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from infra.local import ministack, process
from infra.local import stack as local_stack
from infra.local.stack import NoStackError, StackError, StackInfo, StackOptions

pytestmark = pytest.mark.e2e

OWNER = """
import sys
from pathlib import Path
from infra.local import stack
with stack.running(Path(sys.argv[1]), progress=lambda step: print(step, flush=True)):
    print("on", flush=True)
    sys.stdin.read()
"""


LATE = """
import signal, subprocess, sys
from pathlib import Path
def end(*_):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(sys.argv[1], "child").write_text(str(child.pid))
    sys.exit()
signal.signal(signal.SIGTERM, end)
Path(sys.argv[1], "ready").touch()
while True:
    signal.pause()
"""

MOTHER = """
import signal, subprocess, sys
from pathlib import Path
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
children = [subprocess.Popen([*sleep, sys.argv[1]]), subprocess.Popen(sleep)]
Path(sys.argv[1], "children").write_text(" ".join(str(child.pid) for child in children))
Path(sys.argv[1], "ready").touch()
while True:
    signal.pause()
"""

DEAF = """
import signal, subprocess, sys
from pathlib import Path
def bear(*_):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    Path(sys.argv[1], "partial").write_text(str(child.pid))
    Path(sys.argv[1], "partial").rename(Path(sys.argv[1], "child"))
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGUSR1, bear)
Path(sys.argv[1], "ready").touch()
while True:
    signal.pause()
"""


def processes_of(state_dir: Path) -> list[int]:
    """Every process that got its environment from a stack, the functions' among them."""
    home = f"HOME={state_dir}\0".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if home in (path / "environ").read_bytes():
                found.append(int(path.name))
        except OSError:  # gone meanwhile, or somebody else's
            continue
    return found


def becomes_true(condition: Callable[[], bool], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def owner(state_dir: Path) -> subprocess.Popen[str]:
    """Another process that holds a stack."""
    command = [sys.executable, "-c", OWNER, str(state_dir)]
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        start_new_session=True,
    )


def read_until(holder: subprocess.Popen[str], word: str) -> None:
    assert holder.stdout is not None
    assert any(line.startswith(word) for line in holder.stdout)


def call(stack: StackInfo, name: str) -> dict[str, object]:
    """A function's answer to an empty batch, for which it had to be started."""
    answer = stack.client("lambda").invoke(FunctionName=stack.functions[name], Payload=b'{"Records": []}')
    found: dict[str, object] = json.loads(answer["Payload"].read())
    return found


def test_a_stack_ends_with_its_block_and_with_the_functions_it_started(tmp_path: Path) -> None:
    with local_stack.running(tmp_path) as info:
        assert call(info, "EventForwarder") == {"batchItemFailures": []}
        assert len(processes_of(tmp_path)) > 2  # MiniStack, the cluster, a function
    assert processes_of(tmp_path) == []
    with pytest.raises(NoStackError, match="gatestream up"):
        local_stack.read(tmp_path)


def test_a_stack_stays_until_it_is_ended_from_another_process(tmp_path: Path) -> None:
    program = f"from pathlib import Path; from infra.local import stack; stack.up(Path({str(tmp_path)!r}))"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])
    try:
        info = local_stack.read(tmp_path)
        assert info.client("dynamodb").describe_table(TableName=info.gates_table)["Table"]["TableStatus"] == "ACTIVE"
        with pytest.raises(StackError, match=f"on already .* `gatestream down --state-dir {tmp_path}`"):
            local_stack.up(tmp_path)
        assert local_stack.read(tmp_path) == info
    finally:
        assert local_stack.down(tmp_path)
    assert processes_of(tmp_path) == []
    assert not local_stack.down(tmp_path)


def test_a_port_that_is_taken_is_told_before_anything_starts(tmp_path: Path) -> None:
    steps: list[str] = []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StackError, match=f"^port {port} of 127.0.0.1 is in use: choose another one"):
            local_stack.up(tmp_path, options=StackOptions(port=port), progress=steps.append)
    assert (steps, processes_of(tmp_path)) == ([], [])


def test_a_stack_that_cannot_start_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "tmp").touch()  # where MiniStack wants a folder
    with pytest.raises(StackError, match="ministack did not start"):
        local_stack.up(tmp_path)
    assert processes_of(tmp_path) == []


def test_what_another_server_answers_on_its_port_does_not_make_a_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").touch()
    noted = tmp_path / "ministack.pid"

    def ended() -> bool:
        return not process.is_running(int(noted.read_text(encoding="ascii")), str(tmp_path))

    monkeypatch.setattr(ministack, "is_ready", lambda _port: becomes_true(ended))
    with pytest.raises(StackError, match="ministack did not start"):
        local_stack.up(tmp_path)
    assert processes_of(tmp_path) == []


def test_a_command_about_a_stack_names_its_folder_unless_it_is_the_usual_one(tmp_path: Path) -> None:
    assert local_stack.command("down", local_stack.DEFAULT_STATE_DIR) == "gatestream down"
    assert local_stack.command("down", tmp_path / "a b") == f"gatestream down --state-dir '{tmp_path}/a b'"


@pytest.mark.parametrize("moment", ["MiniStack", "template.yaml", "on"])
def test_ctrl_c_at_any_moment_leaves_nothing(moment: str, tmp_path: Path) -> None:
    with owner(tmp_path) as holder:
        read_until(holder, moment)
        holder.send_signal(signal.SIGINT)
        holder.communicate(timeout=60)
    assert holder.returncode == -signal.SIGINT
    assert processes_of(tmp_path) == []


def test_a_stack_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    with owner(tmp_path) as holder:
        read_until(holder, "on")
        assert processes_of(tmp_path)
        holder.kill()
        holder.communicate()
    assert becomes_true(lambda: processes_of(tmp_path) == [])


def test_a_stack_of_which_a_part_died_counts_as_ended(tmp_path: Path) -> None:
    with local_stack.running(tmp_path):
        pid = int((tmp_path / "cluster.pid").read_text(encoding="ascii"))
        os.kill(pid, signal.SIGKILL)
        assert becomes_true(lambda: not process.is_running(pid, str(tmp_path)))
        with pytest.raises(NoStackError, match=f"^cluster of .* `gatestream up --state-dir {tmp_path}`$"):
            local_stack.read(tmp_path)


def test_what_is_left_of_a_stack_that_died_does_not_hinder_the_next(tmp_path: Path) -> None:
    first = local_stack.up(tmp_path)
    try:
        pid = int((tmp_path / "ministack.pid").read_text(encoding="ascii"))
        os.kill(pid, signal.SIGKILL)
        assert becomes_true(lambda: not process.is_running(pid, str(tmp_path)))
        second = local_stack.up(tmp_path)
        assert second.endpoint_url != first.endpoint_url
        assert local_stack.read(tmp_path) == second
    finally:
        local_stack.down(tmp_path)
    assert processes_of(tmp_path) == []


def test_two_stacks_do_not_meet(stack: StackInfo, tmp_path: Path) -> None:
    with local_stack.running(tmp_path) as other:
        assert other.endpoint_url != stack.endpoint_url
        key = {"repo": {"S": "myOrg/two-stacks"}, "commit": {"S": "c" * 40}}
        other.client("dynamodb").put_item(TableName=other.gates_table, Item=key)
        assert "Item" not in stack.client("dynamodb").get_item(TableName=stack.gates_table, Key=key)
    assert call(stack, "EventForwarder") == {"batchItemFailures": []}


def test_secrets_are_for_their_owners_eyes(tmp_path: Path) -> None:
    with local_stack.running(tmp_path) as info:
        assert (tmp_path / "stack.json").stat().st_mode & 0o077 == 0
        assert info.github_secrets[0] not in (tmp_path / "stack.log").read_text(encoding="utf-8")


@pytest.mark.parametrize("name, answer", [("boto3", None), ("pynamodb", "No module named 'pynamodb'")])
def test_a_function_sees_boto3_and_what_is_packaged(stack: StackInfo, name: str, answer: str | None) -> None:
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", f"def app(event, context):\n    import {name}\n")
    functions = stack.client("lambda")
    functions.create_function(
        FunctionName=f"imports-{name}",
        Runtime="python3.11",
        Handler="app.app",
        Role="arn:aws:iam::000000000000:role/any",
        Code={"ZipFile": code.getvalue()},
        Timeout=60,
    )
    found = json.loads(functions.invoke(FunctionName=f"imports-{name}")["Payload"].read())
    assert (found and found["errorMessage"]) == answer


def test_what_a_process_starts_while_it_ends_ends_with_it(tmp_path: Path) -> None:
    pid = mother_of(LATE, tmp_path)
    process.stop(pid, str(tmp_path))
    assert state_of(int((tmp_path / "child").read_text(encoding="ascii"))) in {"gone", "Z"}


def test_what_a_process_starts_just_before_it_is_killed_ends_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = mother_of(DEAF, tmp_path)
    send = process._signal  # noqa: SLF001 - between it and the look before, nothing else is

    def late(pids: Iterable[int], number: signal.Signals) -> None:
        if number != signal.SIGTERM and not (tmp_path / "child").exists():
            os.kill(pid, signal.SIGUSR1)
            assert becomes_true((tmp_path / "child").exists)
        send(pids, number)

    monkeypatch.setattr(process, "_signal", late)
    monkeypatch.setattr(process, "_POLITE_SECONDS", 0.1)
    process.stop(pid, str(tmp_path))
    assert state_of(int((tmp_path / "child").read_text(encoding="ascii"))) in {"gone", "Z"}


def test_a_process_is_not_taken_for_one_that_had_its_id_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = mother_of(MOTHER, tmp_path)
    before = subprocess.Popen([sys.executable, "-c", ""])
    before.wait()
    monkeypatch.setitem(process._children, pid, before)  # noqa: SLF001 - the kernel does as it likes
    assert process.is_running(pid, str(tmp_path))
    process.stop(pid, str(tmp_path))
    assert state_of(pid) in {"gone", "Z"}


def test_what_a_process_that_was_killed_left_is_ended_if_it_bears_its_mark(tmp_path: Path) -> None:
    pid = mother_of(MOTHER, tmp_path)
    ours, other = (int(number) for number in (tmp_path / "children").read_text(encoding="ascii").split())
    try:
        os.kill(pid, signal.SIGKILL)
        assert becomes_true(lambda: not process.is_running(pid, str(tmp_path)))
        process.stop(pid, str(tmp_path))
        assert state_of(ours) in {"gone", "Z"}
        assert state_of(other) not in {"gone", "Z"}
    finally:
        os.kill(other, signal.SIGKILL)


def mother_of(program: str, folder: Path) -> int:
    """The id of a process that runs it, once it is ready."""
    (folder / "mother.py").write_text(program, encoding="utf-8")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    pid = process.start("mother", str(folder), log=folder / "log", environment=environment)
    assert becomes_true((folder / "ready").exists)
    return pid


def state_of(pid: int) -> str:
    """As in /proc, "Z" for a zombie; "gone"."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "gone"
