"""What the commands tell of a deployment from its first step to its verdict, with real Helm."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

from rich.console import Console

from infra.local.control_plane.furnish import until
from pipeline_state.cli import facts, story, views
from pipeline_state.cli.happenings import tell
from pipeline_state.cli.steering import history_view, promotions
from pipeline_state.cli.steering.places import find_place
from pipeline_state.model.pipelines import Cluster, Environment, Verification
from pipeline_state.model.promotion import Promotion
from pipeline_state.model.times import from_epoch
from tests.contract.shop import Shop
from tests.contract.table_room import WEB, A, B, pipeline

FAILS = {"annotations": {"cluster.gatestream.dev/ready": "fail"}}
HOUR = 3600


def define(shop: Shop, *releases: str, values: dict[str, Any] | None = None, **changes: Any) -> None:
    """An environment with these releases; the last one has the values, and what else is given."""
    made = [replace(WEB, name=name, namespace=shop.namespace, timeout=30) for name in releases]
    made[-1] = replace(made[-1], values=values or {}, **changes)
    cluster = Cluster(context="gatestream-embedded")
    staging = Environment("staging", ("build",), (), tuple(made), cluster, in_order=True, rollback_together=True)
    shop.functions.tables.define(pipeline(staging))


def now() -> datetime:
    return datetime.now(UTC)


def settle(shop: Shop) -> None:
    """Until nobody has anything to do."""
    shop.install()
    while shop.mapping.drain():
        shop.functions.settle()


def why(shop: Shop, commit: str) -> str:
    (environment,) = facts.status_of(shop.functions.repo, commit, now())["environments"]
    return str(environment["reason"])


def head(shop: Shop) -> dict[str, Any]:
    (found,) = [each for each in facts.heads(now()) if each["repo"] == shop.functions.repo]
    return found


def observed(shop: Shop, promotion: Promotion) -> dict[str, Any]:
    """The rollout after one more look."""
    shop.observe(promotion)
    (rollout,) = head(shop)["rollouts"]
    return dict(rollout)


def history(shop: Shop) -> list[dict[str, Any]]:
    place = find_place(shop.functions.tables.pipeline_name, "staging")
    return [past.to_json(now()) for past in promotions.latest(place, 10)]


def events(shop: Shop, commit: str) -> list[str]:
    return [tell(entry).text for entry in story.of_part(shop.functions.repo, commit, 50)]


def drawn(view: Any) -> str:
    console = Console(width=400, file=StringIO(), color_system=None, highlight=False)
    with console.capture() as shown:
        console.print(view)
    return shown.get()


def test_while_it_is_watched_status_and_why_say_which_phase_until_when_and_what_else(shop: Shop) -> None:
    gate = Verification(gate="legal", within=2 * HOUR)
    define(shop, "database", "web", timeout=4 * HOUR, verify=gate)
    shop.promote(A)
    settle(shop)
    (rollout,) = head(shop)["rollouts"]
    assert (rollout["release"], rollout["phase"], rollout["revision"], rollout["generation"]) == ("web", "ready", 1, 1)
    assert json.dumps(rollout)
    told = f"applied as revision 1, becoming ready until {rollout['until']} at the latest, or else uninstalled"
    assert f"not deployed yet: web: {told} · database is deployed" in why(shop, A)
    assert f"staging of {shop.functions.tables.pipeline_name}: web is {told}" in drawn(views.heads_view([head(shop)]))
    (past,) = history(shop)
    assert [(each["name"], each["outcome"]) for each in past["releases"]] == [
        ("database", "deployed"),
        ("web", "applied"),
    ]


def test_once_it_is_ready_why_says_which_gate_it_waits_for(shop: Shop) -> None:
    define(shop, "web", timeout=4 * HOUR, verify=Verification(gate="legal", within=2 * HOUR))
    promotion = shop.promote(A)
    settle(shop)
    until(lambda: observed(shop, promotion)["phase"] == "verify", "Pods that are ready", lambda: None)
    (rollout,) = head(shop)["rollouts"]
    assert f"web: applied as revision 1, to be verified by the gate legal until {rollout['until']}" in why(shop, A)
    shop.functions.tables.edit(A, legal="TRUE")
    shop.observe(promotion)
    assert head(shop)["rollouts"] == []
    assert why(shop, A).startswith("deployed to staging at ")


def test_the_history_tells_revision_chart_digest_image_and_how_long_it_took(shop: Shop) -> None:
    define(shop, "web")
    shop.promote(A)
    settle(shop)
    (past,) = history(shop)
    (release,) = past["releases"]
    assert (release["outcome"], release["revision"], release["image_tag"]) == ("deployed", 1, A)
    assert release["installed_chart"].startswith("web-")
    assert release["digest"].startswith("sha256:")
    assert 0 < release["seconds"] < timedelta(minutes=5).total_seconds()
    place = find_place(shop.functions.tables.pipeline_name, "staging")
    line = drawn(history_view.history_table(promotions.latest(place, 1), now())).splitlines()[2]
    assert "✓ deployed after " in line
    assert f"revision 1 · {release['installed_chart']} {release['digest'][:19]} · image.tag = {A[:12]}" in line


def test_of_releases_that_fall_together_each_says_what_became_of_it(shop: Shop) -> None:
    define(shop, "database", "web")
    shop.promote(A)
    settle(shop)
    define(shop, "database", "web", values=FAILS)
    shop.promote(B, A, 100)
    settle(shop)
    reason = why(shop, B)
    assert "but the deployment failed: web: " in reason
    assert "database: taken back, since web failed; rolled back to revision 1 · push a commit, or try" in reason
    told = events(shop, B)
    assert "database in staging taken back, since web failed; rolled back to revision 1" in told
    assert [line for line in told if line.startswith("web failed in staging after ")]
    last, first = history(shop)
    assert [(each["outcome"], each["revision"]) for each in first["releases"]] == [("deployed", 1), ("deployed", 1)]
    assert [each["outcome"] for each in last["releases"]] == ["failed", "failed"]
    assert last["releases"][0]["reason"] == "taken back, since web failed; rolled back to revision 1"


def test_who_approved_what_is_told_with_it(shop: Shop) -> None:
    define(shop, "web")
    shop.promote(A)
    settle(shop)
    shop.functions.tables.edit(A, added={"status": "TRUE", "by": "ann", "at": "2026-07-01T12:00:00Z"})
    (past,) = history(shop)
    assert {gate["name"]: gate["by"] for gate in past["approvals"]} == {"build": "circleci", "added": "ann"}


def test_a_newer_commit_says_until_when_it_waits_for_the_one_before(shop: Shop) -> None:
    define(shop, "web", timeout=4 * HOUR)
    shop.promote(A)
    settle(shop)
    shop.promote(B, A, 100)
    settle(shop)
    until = from_epoch(int(shop.functions.tables.environment()["lease_until:web"]))
    told = f"not deployed yet: web: waits until what came before it is done, {until} at the latest"
    assert why(shop, B).endswith(told)
    (rollout,) = head(shop)["rollouts"]
    assert (rollout["generation"], head(shop)["generation"], head(shop)["head"]) == (1, 2, B)
