"""What stands on the page of a commit, made from its record, its journal and its promotions alone."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from pipeline_state.cli.dashboard.commit_view import CommitView, PlaceView, commit_view
from pipeline_state.cli.dashboard.gate_view import GateView, safe_url
from pipeline_state.cli.dashboard.past_view import changed_told
from pipeline_state.model.entries import Doer
from pipeline_state.model.past import Former
from pipeline_state.model.pipelines import (
    Cluster,
    Environment,
    GateDefinition,
    GateSource,
    Pipeline,
    Release,
    SourceKind,
)
from pipeline_state.model.promotion import Promotion
from pipeline_state.table.deployments import Deployment
from pipeline_state.table.models import to_raw
from pipeline_state.table.snapshot import Definitions, Snapshot

NOW = datetime(2026, 7, 1, 13, tzinfo=UTC)
REPO, SHA, OTHER = "org/shop", "a" * 40, "b" * 40
PUSHED, BUILT, CLAIMED = "2026-07-01T12:00:00Z", "2026-07-01T12:05:00Z", "2026-07-01T12:05:01Z"
WEB = Release("web", "shop", "charts/web", image="registry.example.com/web")
STAGING = Environment("staging", ("build",), (), (WEB,), Cluster(context="local"))
BUILD = GateDefinition("build", GateSource(SourceKind.CIRCLECI_WORKFLOW, "build-test"))
SHOP = Pipeline("shop", REPO, gates=(BUILD, GateDefinition("legal")), environments=(STAGING,))
PASSED = {"status": "TRUE", "by": "circleci", "at": BUILT}
PLACE = {"main": {"sequence": Decimal(1), "pushed_at": PUSHED, "before": "0" * 40}}
PUSH = {"kind": "com.github.push", "by": "mona", "what": {"branch": "main"}}


LEGAL = {"status": "TRUE", "by": "ann", "at": BUILT}


def noted(value: Mapping[str, Any]) -> dict[str, Any]:
    return {"value": value, "at": value["at"], "by": value["by"]}


def entry(time: str, **told: Any) -> dict[str, Any]:
    return {
        "record": f"{REPO}#{SHA}",
        "entry": f"{time}#{told['kind']}#source",
        "verified": True,
        "written_at": time,
        "what": {},
        **told,
    }


def edit(time: str = BUILT, by: str = "ann", *, verified: bool = False) -> dict[str, Any]:
    return entry(time, kind="edited by hand", by=by, verified=verified, what={"legal": LEGAL})


def set_by_ann(time: str = BUILT, **changes: Any) -> dict[str, Any]:
    """By the command or the board."""
    return entry(time, kind="gate set", by="ann", what={"gate": "legal", **LEGAL, **changes})


def built(**changes: Any) -> dict[str, Any]:
    told = {"name": "build-test", "app": "circleci", "status": "success", "completed_at": BUILT}
    return entry(BUILT, kind="com.circleci.workflow-completed", by="", what={**told, **changes})


def view(
    *entries: Mapping[str, Any],
    pipelines: tuple[Pipeline, ...] = (SHOP,),
    state: Mapping[str, Any] | None = None,
    deployments: Iterable[Deployment] = (),
    former: tuple[Former, ...] = (),
    **columns: Any,
) -> CommitView:
    item = {"repo": REPO, "commit": SHA, "branch": "main", "_branches": PLACE, "build": "", "legal": "", **columns}
    raw = {name: to_raw(value) for name, value in item.items() if value is not None}
    states = {("shop", "staging"): {name: to_raw(value) for name, value in (state or {}).items()}}
    snapshot = Snapshot(REPO, SHA, {SHA: raw}, Definitions(REPO, 1, pipelines), states)
    return commit_view(snapshot, [entry(PUSHED, **PUSH), *entries], deployments, NOW, former)


def gate(name: str, *entries: Mapping[str, Any], **columns: Any) -> GateView:
    (found,) = [each for each in view(*entries, **columns).gates if each.name == name]
    return found


def promotion(generation: int = 1, release: Release = WEB) -> Promotion:
    return Promotion(
        id=f"{generation}",
        repo=REPO,
        commit=SHA,
        branch="main",
        sequence=1,
        pipeline="shop",
        pipeline_version=1,
        environment="staging",
        environment_key="staging",
        generation=generation,
        release=release,
        cluster=Cluster(context="local"),
        releases=("web",),
    )


def deployment(generation: int = 1, **changes: Any) -> Deployment:
    return replace(
        Deployment(generation, REPO, SHA, CLAIMED, "gatestream", "promote", "", (promotion(generation),)), **changes
    )


def told(outcome: str, generation: int = 1, **what: Any) -> dict[str, Any]:
    known = {"pipeline": "shop", "environment": "staging", "release": "web", "generation": Decimal(generation)}
    return entry("2026-07-01T12:06:00Z", kind=outcome, what={**known, "outcome": outcome, **what})


def standing(*entries: Mapping[str, Any], **given: Any) -> PlaceView:
    (place,) = view(*entries, **given).places
    return place


def labels(place: PlaceView) -> list[str]:
    return [offer.label for offer in place.offers]


# who pushed it


def test_the_push_tells_who_and_when() -> None:
    found = view()
    assert (found.branch, found.pushed_by, found.pushed_known, found.pushed_at) == ("main", "mona", "verified", PUSHED)


def test_of_a_commit_that_no_push_told_of_nobody_is_made_up() -> None:
    raw = {name: to_raw(value) for name, value in {"repo": REPO, "commit": SHA, "build": PASSED}.items()}
    snapshot = Snapshot(REPO, SHA, {SHA: raw}, Definitions(REPO, 1, (SHOP,)))
    found = commit_view(snapshot, [], [], NOW)
    assert (found.branch, found.pushed_by, found.pushed_known, found.pushed_at) == ("", "", "", "")
    assert found.places[0].sentence == "not a candidate: no push has put it on a branch yet"


def test_what_an_edit_has_broken_is_told() -> None:
    assert view(_claim_staging="x").problems == (
        "_claim_staging is not a claim; restore it from the journal or remove it",
    )


# gates


def test_a_pending_gate_tells_how_long_it_is_waited_for_and_who_can_open_it() -> None:
    build, legal = gate("build"), gate("legal")
    assert (build.mark.word, build.awaited, build.opener) == ("pending", "1 h", "CircleCI workflow build-test")
    assert (legal.awaited, legal.opener, legal.known) == ("", "a person", "")


def test_nothing_is_waited_for_once_a_newer_commit_came_first() -> None:
    overtaken = view(state={"head": OTHER, "generation": Decimal(1), "sequence": Decimal(2)})
    assert overtaken.places[0].mark.word == "superseded"
    assert [each.awaited for each in overtaken.gates if each.name == "build"] == [""]


def test_a_gate_has_been_awaited_since_somebody_declared_it() -> None:
    before = Former((replace(SHOP, environments=(replace(STAGING, gates=()),)),), NOW - timedelta(minutes=5), Doer())
    assert [each.awaited for each in view(former=(before,)).gates if each.name == "build"] == ["5 m"]


def test_a_value_that_the_journal_tells_of_is_verified() -> None:
    found = gate("build", built(), build=PASSED, _set_build=noted(PASSED))
    assert (found.by, found.known, found.at, found.awaited) == ("circleci", "verified", BUILT, "")
    assert gate("legal", set_by_ann(), legal=LEGAL, _set_legal=noted(LEGAL)).known == "verified"


@pytest.mark.parametrize(
    "columns, entries, by, known",
    [
        ({"legal": LEGAL}, [], "ann", "claimed"),
        ({"legal": "TRUE"}, [], "", "unknown"),
        ({"legal": LEGAL, "_set_legal": noted(LEGAL)}, [], "ann", "claimed"),
        ({"legal": LEGAL, "_set_legal": noted(LEGAL)}, [edit()], "ann", "claimed"),
        ({"legal": LEGAL, "_set_legal": noted(LEGAL)}, [edit(by="arn:aws:iam::1:user/eve", verified=True)], "user/eve",
         "verified"),
        ({"legal": LEGAL, "_set_legal": {"value": "", "at": BUILT, "by": ""}}, [set_by_ann(status="")], "ann",
         "claimed"),
        ({"legal": LEGAL, "_set_legal": noted(LEGAL)}, [edit("2026-07-01T12:01:00Z"), set_by_ann()], "ann", "verified"),
    ],
    ids=["not noted yet", "a bare value", "no more than a note", "noted as an edit", "known by the trail",
         "changed since", "set after it"],
)  # fmt: skip
def test_whoever_wrote_it_with_a_tool_of_their_own_has_only_claimed_to_be(
    columns: Mapping[str, Any], entries: list[dict[str, Any]], by: str, known: str
) -> None:
    found = gate("legal", *entries, **columns)
    assert (found.by, found.known) == (by, known)


def test_evidence_is_shown_as_far_as_there_is_any() -> None:
    value = {**LEGAL, "reason": "signed", "url": "https://example.com/1", "expires_at": "2026-08-01T00:00:00Z"}
    found = gate("legal", legal=value)
    assert (found.reason, found.url, found.expires_at) == ("signed", "https://example.com/1", "2026-08-01T00:00:00Z")


def test_a_value_that_means_nothing_says_so() -> None:
    assert gate("legal", legal="maybe").reason == "unrecognised value 'maybe'; use TRUE, FALSE or an empty string"


@pytest.mark.parametrize(
    "url, shown",
    [
        ("https://example.com/a?b#c", True),
        ("http://example.com", True),
        ("HTTPS://example.com", True),
        ("javascript:alert(1)", False),
        (" javascript:alert(1)", False),
        ("java\nscript:alert(1)", False),
        ("data:text/html,x", False),
        ("//example.com", False),
        ("https:example.com", False),
        ("http://[::1", False),
        ("/relative", False),
        ("", False),
        (None, False),
    ],
)
def test_only_what_leads_to_a_web_page_becomes_a_link(url: str | None, *, shown: bool) -> None:
    assert safe_url(url) == (url if shown else "")


def test_a_column_that_somebody_added_and_a_deployments_gate_tell_what_they_are() -> None:
    added = gate("recall", recall="")
    assert added.opener == "a person; somebody added it to this commit"
    assert [offer.label for offer in added.offers] == ["Open", "Fail"]
    deployed = gate("deployed_to_staging", deployed_to_staging={"status": "", "by": "gatestream", "at": BUILT})
    assert (deployed.opener, deployed.offers) == ("a deployment", ())


# where it stands


def test_a_commit_that_waits_says_for_what() -> None:
    place = standing()
    assert (place.title, place.mark.word, place.sentence) == ("staging", "wait", "waits for build")
    assert (place.is_head, place.closed, place.pasts, labels(place)) == (False, (), (), ["Freeze", "Hold"])


def test_environments_of_several_pipelines_bear_their_names() -> None:
    docs = replace(SHOP, name="docs", shared=True)
    assert [each.title for each in view(pipelines=(SHOP, docs)).places] == ["shop staging", "docs staging"]


def test_without_a_pipeline_there_is_one_place_with_what_to_do() -> None:
    place = standing(pipelines=())
    assert (place.title, place.mark.word) == ("every environment", "no pipeline")
    assert "gatestream pipelines apply" in place.sentence


def test_what_closes_an_environment_is_told_and_can_be_ended() -> None:
    state = {"frozen_by": "ben", "frozen_reason": "sale", "held_by": "zoe"}
    place = standing(state=state, build=PASSED, _set_build=noted(PASSED))
    assert place.closed == ("staging of shop is frozen by ben: sale", "staging of shop is held by zoe")
    assert labels(place) == ["Promote all the same", "Unfreeze", "Release"]


CLAIM = {"generation": Decimal(1), "at": CLAIMED, "promotions": {"web": "1"}, "published": True}
GATE = {"status": "TRUE", "at": "2026-07-01T12:06:00Z", "by": "gatestream", "generation": Decimal(1)}
BUILT_AND_CLAIMED = {"build": PASSED, "_claim_staging": CLAIM}
HEAD = {"head": SHA, "generation": Decimal(1), "sequence": Decimal(1), "releases": ["web"]}


def test_a_head_can_be_installed_again_and_where_nothing_was_before_it_that_is_why_it_is_not_rolled_back() -> None:
    place = standing(
        told("deployed"), state=HEAD, deployments=[deployment()], deployed_to_staging=GATE, **BUILT_AND_CLAIMED
    )
    assert (place.is_head, place.mark.word, place.mark.tone) == (True, "deployed", "good")
    assert labels(place) == ["Redeploy", "Roll back", "Freeze", "Hold"]
    assert [offer.why for offer in place.offers if not offer.action] == ["nothing was in staging before it"]


def test_a_head_that_is_on_its_way_is_marked_as_waiting() -> None:
    place = standing(told("started"), state=HEAD, deployments=[deployment()], **BUILT_AND_CLAIMED)
    assert (place.mark.word, place.mark.tone) == ("promoted", "wait")
    assert place.pasts[0].mark.word == "under way"


LATER = {**HEAD, "head": OTHER, "newest": OTHER, "generation": Decimal(2), "sequence": Decimal(2)}


@pytest.mark.parametrize(
    "outcome, status, offer, why",
    [("deployed", "TRUE", "rollback", ""), ("failed", "FALSE", "", "its promotion to staging failed")],
)
def test_what_was_there_before_the_head_can_be_gone_back_to_if_it_went_well(
    outcome: str, status: str, offer: str, why: str
) -> None:
    kept = {**GATE, "status": status, "releases": {"web": {"status": status}}}
    place = standing(
        told(outcome), state=LATER, deployments=[deployment()], deployed_to_staging=kept, **BUILT_AND_CLAIMED
    )
    back = place.offers[0]
    assert (back.label, back.action, back.why) == ("Go back to this commit", offer, why)
    assert back.given == ({"pipeline": "shop", "environment": "staging", "to": SHA} if offer else {})


def test_a_commit_that_was_taken_back_is_marked_so() -> None:
    taken = {**GATE, "status": "FALSE", "reason": "taken back: too slow"}
    place = standing(state=LATER, deployments=[deployment()], deployed_to_staging=taken, **BUILT_AND_CLAIMED)
    assert (place.mark.word, place.mark.tone) == ("taken back", "closed")


def test_where_somebodys_edit_broke_the_environment_nothing_is_moved() -> None:
    place = standing(state={**HEAD, "generation": "two"}, **BUILT_AND_CLAIMED)
    assert labels(place) == ["Freeze", "Hold"]


# what was installed


def test_a_promotion_tells_its_releases_and_what_became_of_them() -> None:
    changes = {"created": Decimal(1), "unchanged": Decimal(2), "names": ["+ Deployment/web"], "unnamed": Decimal(0)}
    facts: dict[str, Any] = {
        "revision": Decimal(7),
        "chart": "web-1.2.3",
        "digest": "sha256:" + "0a" * 32,
        "seconds": Decimal("12.4"),
    }
    ended = told("deployed", changes=changes, output="helm upgrade: done after 3.0 s", **facts)
    (past,) = standing(ended, state=HEAD, deployments=[deployment()], **BUILT_AND_CLAIMED).pasts
    assert (past.generation, past.mark.word, past.asked, past.at) == (1, "deployed", "promoted by gatestream", CLAIMED)
    (release,) = past.releases
    assert (release.mark.word, release.took, release.revision) == ("deployed", "12 s", 7)
    assert (release.chart, release.short_digest) == ("web-1.2.3", "sha256:0a0a0a0a0a0a")
    assert (release.image, release.cluster) == (f"registry.example.com/web:{SHA[:12]}", "local")
    assert (release.changed, release.names) == ("1 created, 2 as they were", ("+ Deployment/web",))
    assert release.output == "helm upgrade: done after 3.0 s"
    assert [(gate.name, gate.mark.word, gate.by) for gate in past.approvals] == [("build", "passed", "circleci")]


def test_promotions_stand_newest_first_and_those_of_other_environments_elsewhere() -> None:
    elsewhere = deployment(9, promotions=(replace(promotion(9), environment="production"),))
    asked = deployment(3, by="ann", action="redeploy", reason="once more")
    pasts = standing(deployments=[deployment(1), asked, elsewhere], **BUILT_AND_CLAIMED).pasts
    assert [(past.generation, past.asked) for past in pasts] == [
        (3, "redeploy by ann: once more"),
        (1, "promoted by gatestream"),
    ]


def test_a_reason_is_told_once() -> None:
    (past,) = standing(told("failed", reason="no image"), deployments=[deployment()], **BUILT_AND_CLAIMED).pasts
    assert (past.reason, past.releases[0].reason, past.releases[0].mark.tone) == ("", "no image", "bad")


def test_changes_that_anybody_may_have_written_break_nothing() -> None:
    assert changed_told({"created": "many", "changed": None, "removed": Decimal(3)}) == "3 removed"
    (past,) = standing(
        told("deployed", changes={"names": "x", "unnamed": "y"}, output=Decimal(1)),
        deployments=[deployment()],
        **BUILT_AND_CLAIMED,
    ).pasts
    assert (past.releases[0].names, past.releases[0].unnamed, past.releases[0].output) == ((), 0, "")


# what happened


def test_events_stand_in_order_with_their_time_after_the_push() -> None:
    set_by_hand = entry("2026-07-01T12:03:20Z", kind="gate set", by="ann", what={"gate": "legal", "status": "TRUE"})
    found = view(edit("2026-07-01T12:10:00Z"), set_by_hand).events
    assert [(each.text.partition(":")[0], each.by, each.known, each.after) for each in found] == [
        ("pushed to main", "mona", "verified", 0.0),
        ("gate legal set to passed", "ann", "verified", 200.0),
        ("edited by hand", "ann", "claimed", 600.0),
    ]
