"""The history of an environment in 80 columns and in more: what, how long, what was put right, who approved what."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from pipeline_state.cli.steering.courses import Course
from pipeline_state.cli.steering.history_view import history_table
from pipeline_state.cli.steering.promotions import Past
from pipeline_state.model.pipelines import Cluster, Release
from pipeline_state.model.promotion import Promotion
from pipeline_state.table.deployments import Deployment

NOW = datetime(2026, 7, 1, 13, tzinfo=UTC)
SHA, DIGEST = "6dcb09b5b57875f334f61aebed695e2e4193db5e", "sha256:" + "0a" * 32
WEB = Release("web", "shop", "oci://registry.example.com/charts/web", "^1", image="registry.example.com/shop/web")
API = Release("api", "shop", "charts/api", image_tag="containers.api.tag")
WENT_WELL = Course("deployed", "", "2026-07-01T12:01:00Z", 7, "web-1.2.3", DIGEST, 4321.5)
HEALED = "it was left pending-upgrade by a Helm that was killed; rolled back to revision 5"
GATES: Mapping[str, Any] = {
    "approval_from_legal": {
        "status": "TRUE",
        "by": "ann",
        "at": "2026-07-01T11:58:00Z",
        "reason": "contract is signed",
    },
    "dependency_scan": "",
}


def promotion(release: Release) -> Promotion:
    return Promotion(
        id=release.name,
        repo="org/shop",
        commit=SHA,
        branch="main",
        sequence=1,
        pipeline="shop",
        pipeline_version=4,
        environment="live",
        environment_key="live",
        generation=12,
        release=release,
        cluster=Cluster(context="local"),
        releases=("web", "api"),
    )


def past(outcome: str = "deployed", reason: str = "", **courses: Course) -> Past:
    releases = tuple(promotion(each) for each in (WEB, API) if each.name in courses)
    by, asked, why = "arn:aws:sts::123456789012:assumed-role/Deployers/mona", "redeploy", "the node pool was replaced"
    deployment = Deployment(12, "org/shop", SHA, "2026-07-01T12:00:00Z", by, asked, why, releases)
    return Past(deployment, outcome, reason, "2026-07-01T12:01:00Z", GATES, tuple(GATES), courses)


def lines(*pasts: Past, width: int = 80) -> list[str]:
    console = Console(width=width, file=StringIO(), color_system=None, highlight=False)
    console.print(history_table(pasts, NOW))
    assert isinstance(console.file, StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


SAID = "helm upgrade: done after 0.3 s"
GOOD = past(
    web=replace(WENT_WELL, healed=HEALED, changes={"changed": Decimal(2), "created": 0, "names": ["x"]}, output=SAID)
)


def test_in_80_columns_nothing_is_left_out() -> None:
    assert lines(GOOD) == [
        "#12 · 6dcb09b5b578 · promoted 2026-07-01 12:00 UTC · ✓ deployed",
        "    redeploy by assumed-role/Deployers/mona: the node pool was replaced",
        "    web                  ✓ deployed after 1 h 12 m · revision 7 · web-1.2.3",
        "                         sha256:0a0a0a0a0a0a · image",
        "                         registry.example.com/shop/web:6dcb09b5b578 · 2 changed",
        "                         put right first: it was left pending-upgrade by a Helm",
        "                         that was killed; rolled back to revision 5",
        "    approval_from_legal  passed by ann · 2026-07-01 11:58:00 · contract is",
        "                         signed",
    ]


def test_in_more_columns_each_thing_has_its_line() -> None:
    assert lines(GOOD, width=160)[2:] == [
        (
            "    web                  ✓ deployed after 1 h 12 m · revision 7 · web-1.2.3 sha256:0a0a0a0a0a0a"
            " · image registry.example.com/shop/web:6dcb09b5b578 · 2 changed"
        ),
        f"                         put right first: {HEALED}",
        "    approval_from_legal  passed by ann · 2026-07-01 11:58:00 · contract is signed",
    ]


def test_of_several_releases_each_says_how_it_went_and_why() -> None:
    failed = Course("failed", "no such image", "2026-07-01T12:01:00Z", seconds=3)
    told = lines(past("failed", "api: no such image", web=WENT_WELL, api=failed), width=160)
    assert told[0].endswith("✗ failed")
    assert [line.strip() for line in told[3:5]] == [
        f"api                  ✗ failed after 3 s · charts/api · containers.api.tag = {SHA[:12]}",
        "no such image",
    ]
    assert sum("no such image" in line for line in told) == 1


def test_what_only_the_promotion_tells_is_told_of_it() -> None:
    told = lines(past("failed", "taken back: too slow", web=WENT_WELL))
    assert told[2].strip() == "taken back: too slow"


@pytest.mark.parametrize(
    "course, head, line",
    [
        (Course("applied", "applied as revision 7", AT := "2026-07-01T12:00:00Z"), "→ under way", "→ applied · "),
        (Course("started", "", AT), "→ under way", "→ started · "),
        (Course("errored", "no cluster", AT), "→ under way", "→ errored · "),
        (Course(), "no result", "nothing told yet · "),
    ],
)
def test_what_has_no_verdict_yet_says_how_far_it_is(course: Course, head: str, line: str) -> None:
    told = lines(past("", web=course), width=160)
    assert told[0].endswith(f" · {head}")
    assert told[2].startswith(f"    web                  {line}oci://registry.example.com/charts/web ^1 · image ")


def test_json_tells_all_of_it_whole() -> None:
    (release,) = json.loads(json.dumps(GOOD.to_json(NOW), default=int))["releases"]
    assert release == {
        "name": "web",
        "namespace": "shop",
        "chart": "oci://registry.example.com/charts/web",
        "version": "^1",
        "digest": DIGEST,
        "image": "registry.example.com/shop/web",
        "image_tag": SHA,
        "outcome": "deployed",
        "reason": None,
        "at": "2026-07-01T12:01:00Z",
        "revision": 7,
        "seconds": 4321.5,
        "healed": HEALED,
        "installed_chart": "web-1.2.3",
        "changes": {"changed": 2, "created": 0, "names": ["x"]},
        "output": SAID,
    }
    assert [gate["by"] for gate in GOOD.to_json(NOW)["approvals"]] == ["ann"]


def test_what_others_wrote_controls_no_terminal_and_long_names_are_folded() -> None:
    nasty = "\x1b[2J\x07\nnext\u202eline"
    odd = past(web=Course(nasty, nasty, nasty, 7, nasty, nasty, 3, nasty, {"changed": nasty}))
    odd = replace(odd, gates={"g" * 70: {"status": "TRUE", "by": nasty, "reason": nasty}}, required=("g" * 70,))
    told = lines(odd, GOOD)
    assert max(map(len, told)) <= 80
    assert "".join(told).isprintable()
    assert "\\x1b[2J" in "".join(told)
