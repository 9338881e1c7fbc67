from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline_state.deploy import stored
from pipeline_state.deploy.clusters import Access
from pipeline_state.deploy.history import Revision
from pipeline_state.deploy.stored import Stored
from pipeline_state.model.pipelines import Release


def secret(number: int, status: str = "superseded", **record: Any) -> dict[str, Any]:
    """As Helm writes one: its record in JSON, gzip and base64, in what the API makes of that."""
    whole = {
        "name": "web",
        "info": {"status": status, "description": f"d{number}"},
        "chart": {"metadata": {"name": "web", "version": "1.2.3"}, "templates": []},
        "manifest": f"m{number}",
        "version": number,
    }
    packed = base64.b64encode(gzip.compress(json.dumps(whole | record).encode()))
    return {"data": {"release": base64.b64encode(packed).decode()}}


def test_revisions_come_oldest_first_whatever_their_names_are() -> None:
    found = stored.stored([secret(10, "deployed"), secret(9), secret(2, "failed")])
    assert found.revisions == (
        Revision(2, "failed", "web-1.2.3", "d2"),
        Revision(9, "superseded", "web-1.2.3", "d9"),
        Revision(10, "deployed", "web-1.2.3", "d10"),
    )


@pytest.mark.parametrize(
    "statuses,live",
    [
        (("deployed",), 1),
        (("superseded", "deployed"), 2),
        (("deployed", "failed"), 1),
        (("superseded", "superseded", "pending-upgrade"), 2),
        (("failed", "pending-install"), 0),
        ((), 0),
    ],
)
def test_the_manifest_is_that_of_the_latest_that_helm_has_carried_out(statuses: tuple[str, ...], live: int) -> None:
    found = stored.stored(secret(number, status) for number, status in enumerate(statuses, start=1))
    assert (found.live, found.manifest) == (live, f"m{live}" if live else "")


def test_a_revision_need_not_have_a_description() -> None:
    assert stored.stored([secret(1, info={"status": "deployed"})]).revisions[0].description == ""


def test_where_there_is_no_release_there_is_nothing() -> None:
    assert stored.stored([]) == Stored(())


@pytest.mark.parametrize("content", [None, "", "text", json.dumps({"clusters": []})])
def test_without_a_kubeconfig_that_is_understood_helm_is_asked(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    assert stored.read(Access(path, None), Release("web", "shop", "charts/web"), seconds=1) is None
