"""Ways to a cluster: which kubeconfig Helm gets, who may read it, and that it is gone afterwards."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline_state.deploy import Workspace
from pipeline_state.deploy.clusters import access
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.model.pipelines import Cluster

KUBECONFIG = """\
users:
- name: a
  user:
    token: "hush-token"
    client-key-data: aHVzaA==
- {name: b, user: {username: me, password: 'hush-password'}}
"""


def workspace(tmp_path: Path, **secrets: str) -> Workspace:
    return Workspace(tmp_path, tmp_path, fetch_secret=lambda name: secrets[name])


def test_a_kubeconfig_from_a_secret_is_readable_by_us_alone_and_gone_afterwards(tmp_path: Path) -> None:
    with access(Cluster(kubeconfig_secret="prod"), workspace(tmp_path, prod=KUBECONFIG)) as found:
        assert found.kubeconfig.read_text() == KUBECONFIG
        assert stat.S_IMODE(found.kubeconfig.stat().st_mode) == stat.S_IRUSR | stat.S_IWUSR
        assert found.kubeconfig.parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_it_is_gone_after_a_failure_too(tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        access(Cluster(kubeconfig_secret="prod"), workspace(tmp_path, prod=KUBECONFIG)),
    ):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from pipeline_state.deploy import Workspace
from pipeline_state.deploy.clusters import access
from pipeline_state.model.pipelines import Cluster

place = Path(sys.argv[1])
with access(Cluster(kubeconfig_secret="prod"), Workspace(place, place, fetch_secret=lambda _: "hush")):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_has_left_is_gone_at_the_next_install(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    (left,) = tmp_path.iterdir()
    assert left.read_text() == "hush"
    with access(Cluster(kubeconfig_secret="prod"), workspace(tmp_path, prod=KUBECONFIG)) as found:
        assert list(tmp_path.iterdir()) == [found.kubeconfig]


def test_what_another_process_uses_stays(tmp_path: Path) -> None:
    place = workspace(tmp_path, prod=KUBECONFIG, stage=KUBECONFIG)
    (tmp_path / "kubeconfig-just-made").touch()
    (tmp_path / "charts").mkdir()
    with (
        access(Cluster(kubeconfig_secret="prod"), place) as found,
        access(Cluster(kubeconfig_secret="stage"), place) as other,
    ):
        assert found.kubeconfig.read_text() == other.kubeconfig.read_text() == KUBECONFIG
    assert {path.name for path in tmp_path.iterdir()} == {"kubeconfig-just-made", "charts"}


def test_what_must_never_be_shown_is_known(tmp_path: Path) -> None:
    with access(Cluster(kubeconfig_secret="prod"), workspace(tmp_path, prod=KUBECONFIG)) as found:
        assert found.secrets == ("hush-token", "aHVzaA==", "hush-password")


@pytest.mark.parametrize("cluster", [Cluster(kubeconfig_secret="prod", context="blue"), Cluster(context="blue")])
def test_the_context_is_passed_on(cluster: Cluster, tmp_path: Path) -> None:
    place = Workspace(tmp_path, tmp_path, str(tmp_path / "local"), lambda _: KUBECONFIG)
    with access(cluster, place) as found:
        assert found.context == "blue"


def test_the_local_kubeconfig_is_used_in_place(tmp_path: Path) -> None:
    local = tmp_path / "local"
    local.write_text(KUBECONFIG)
    with access(Cluster(), Workspace(tmp_path, tmp_path, str(local))) as found:
        assert (found.kubeconfig, found.context) == (local, None)
    assert local.exists()


def test_a_context_without_a_local_kubeconfig_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(PermanentFault, match="cluster 'blue': a context alone is for the local stack"),
        access(Cluster(context="blue"), Workspace(tmp_path, tmp_path)),
    ):
        pass


@pytest.mark.parametrize("fault", [PermanentFault("no such secret"), TemporaryFault("throttled", 3)])
def test_a_secret_that_cannot_be_read_is_its_readers_fault(
    fault: PermanentFault | TemporaryFault, tmp_path: Path
) -> None:
    def refuse(_: str) -> str:
        raise fault

    with pytest.raises(type(fault)), access(Cluster(kubeconfig_secret="x"), Workspace(tmp_path, tmp_path, "", refuse)):
        pass
