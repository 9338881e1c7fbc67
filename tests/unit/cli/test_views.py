"""Tables fit 80 columns without cutting what they say."""

from collections.abc import Mapping
from decimal import Decimal
from io import StringIO
from typing import Any, get_args

import pytest
from rich.console import Console, RenderableType

from pipeline_state.cli import matrix, views
from pipeline_state.cli.facts import Row
from pipeline_state.cli.happenings import Told, tell
from pipeline_state.model.decision import Decision, Promoted
from pipeline_state.model.pipelines import (
    Cluster,
    Environment,
    FreezeWindow,
    Pipeline,
    Policy,
    Release,
    Verification,
)

SHA = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
NAMES = ["circle_ci_build_done", "approval_from_legal", "dependency_scan_of_everything", "deployed_to_staging"]


def gate(name: str, status: str = "passed", **evidence: str) -> dict[str, Any]:
    return {"name": name, "status": status, "by": None, "at": None, "reason": None, **evidence}


def environment(name: str, decision: str = "Wait", **more: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"promoted_at": None, "deployed_at": None, "releases": []}
    return {
        "pipeline": "org/app",
        "name": name,
        "decision": decision,
        "reason": f"{decision} for reasons",
        **empty,
        **more,
    }


def release(status: str | None) -> dict[str, Any]:
    about = {"chart": "web-1.0.0", "revision": 3, "at": "2026-01-01T10:00:00Z", "reason": None}
    return {"name": "web", "namespace": "prod", "status": status, **about}


STATUS: Mapping[str, Any] = {
    "repo": "org/app",
    "commit": SHA,
    "branch": "main",
    "sequence": 1,
    "gates": [
        gate(NAMES[0], by="circleci", at="2026-01-01T10:00:00.123Z"),
        gate(NAMES[1], "pending"),
        gate(NAMES[2], "failed", by="scanner", reason="CVE-2026-1 in a dependency of a dependency, and some others"),
        gate(NAMES[3]),
    ],
    "environments": [
        environment("staging", "Promoted", releases=[release("deployed")], deployed_at="2026-01-01T10:00:00Z"),
        environment("production", "Blocked"),
    ],
    "trace_id": "0" * 32,
}


def drawn(view: RenderableType, width: int = 80, **options: Any) -> str:
    console = Console(width=width, file=StringIO(), highlight=False, **options)
    console.print(view)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 140])
def test_a_commit_is_shown_whole(width: int) -> None:
    text = drawn(views.commit_view(STATUS), width, color_system=None)
    assert all(len(line) <= width for line in text.splitlines())
    whole = " ".join(text.split())
    for said in [SHA, *NAMES, "✓ passed", "✗ failed", "· pending", "circleci · 2026-01-01 10:00:00", "and some others"]:
        assert said in whole
    assert "prod/web deployed · web-1.0.0 · revision 3" in whole


def test_states_have_colours_where_there_are_colours() -> None:
    text = drawn(views.gates_table(STATUS), force_terminal=True, color_system="standard")
    assert "\x1b[32m✓ passed" in text
    assert "\x1b[31m✗ failed" in text
    assert "\x1b[33m· pending" in text


def test_no_colour_is_used_where_none_is_wanted() -> None:
    text = drawn(views.gates_table(STATUS), force_terminal=True, no_color=True)
    assert "\x1b[3" not in text


def test_gates_head_their_columns_where_there_is_room_else_numbers_and_a_legend_do() -> None:
    rows = [Row(SHA, "2026-01-01T10:00:00Z", dict(STATUS))]
    wide, narrow = (drawn(matrix.commits_table(rows, width), width, color_system=None) for width in (160, 80))
    assert NAMES[2] in wide.splitlines()[0]
    assert NAMES[2] not in narrow.splitlines()[0]
    assert f"3 {NAMES[2]}" in " ".join(narrow.split())
    assert all("deployed" in text and "Blocked" in text for text in (wide, narrow))


DECISIONS = ["Promoted", "Superseded", "NotACandidate", "Wait", "Blocked"]


def crowded(environments: int) -> tuple[list[str], list[str]]:
    """The lines of a commit with four gates and as many environments, in 80 columns; and all names."""
    names = [f"environment-number-{number}" for number in range(1, environments + 1)]
    places = [environment(name, DECISIONS[at % 5]) for at, name in enumerate(names)]
    gates = [gate(f"gate_{letter}", status) for letter, status in zip("abcd", [*views.GATES, "passed"], strict=True)]
    row = Row(SHA, "2026-01-01T10:00:00Z", {**STATUS, "gates": gates, "environments": places})
    lines = drawn(matrix.commits_table([row], 80), color_system=None).splitlines()
    return lines, ["gate_a", "gate_b", "gate_c", "gate_d", *names]


def test_numbers_and_marks_tell_what_is_too_wide_for_80_columns() -> None:
    lines, _ = crowded(5)
    assert lines[0].split() == ["commit", "pushed", "(UTC)", *"123456789"]
    assert lines[2].split() == [SHA[:12], "2026-01-01", "10:00", *"✓✗·✓", *"→<-·!"]
    assert "→ promoted < Superseded - NotACandidate · Wait ! Blocked" in " ".join(" ".join(lines).split())


@pytest.mark.parametrize("environments", [5, 9, 40])
def test_nothing_vanishes_in_80_columns(environments: int) -> None:
    lines, names = crowded(environments)
    assert max(map(len, lines)) <= 80
    heads = [head for line in lines if line.startswith("commit") for head in line.split()[3:]]
    marks = [mark for line in lines if line.startswith(SHA[:12]) for mark in line.split()[3:]]
    assert heads == [str(number) for number, _ in enumerate(names, 1)]
    assert marks == [*"✓✗·✓", *("→<-·!" * 8)[:environments]]
    legend = " ".join(" ".join(lines).split())
    assert [name for number, name in enumerate(names, 1) if f"{number} {name}" not in legend] == []


def test_every_decision_has_a_mark_of_its_own_and_a_colour() -> None:
    kinds = [each.__name__ for each in get_args(Decision) if each is not Promoted]
    places = [environment(f"environment-number-{at}", kind) for at, kind in enumerate(kinds)]
    row = Row(SHA, "", {**STATUS, "gates": [], "environments": places})
    legend = drawn(matrix.commits_table([row], 80), color_system=None).split()[-2 * len(kinds) :]
    assert legend[1::2] == kinds
    assert len({*legend[::2]}) == len(kinds)
    assert all(map(views.decision_style, places))


def test_a_failed_release_is_told_as_failed() -> None:
    failed = {**STATUS, "environments": [environment("staging", "Promoted", releases=[release("failed")])]}
    assert "failed" in drawn(matrix.commits_table([Row(SHA, "", failed)], 80), color_system=None)


def head(state: str | None, **changes: Any) -> dict[str, Any]:
    where = {"pipeline": "a-long-organisation/some-service", "environment": "production-eu"}
    what = {"head": SHA, "branch": "main", "promoted_at": "2026-01-01T10:00:00.5Z", "state": state}
    return {**where, **what, **changes}


def test_the_fleet_tells_what_failed_and_what_is_on_its_way() -> None:
    heads = [*map(head, ["deployed", "failed", "promoted"]), head(None, head=None, branch=None, promoted_at=None)]
    text = drawn(views.heads_table(heads), color_system=None)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert all(
        said in text for said in ("✓ deployed", "✗ failed", "→ promoted", "none yet", "2026-01-01 10:00", "main")
    )
    assert text.count("production-eu") == 4
    assert "\x1b[31m✗ failed" in drawn(views.heads_table(heads), force_terminal=True, color_system="standard")


FREEZE = {"by": "ann", "until": "2026-01-02T00:00:00Z", "reason": "sale"}
HOLD = {"by": "ben", "reason": ""}
PLACE = "production-eu of a-long-organisation/some-service"
WATCHED = {"release": "web", "reason": "applied as revision 7, becoming ready until soon"}


@pytest.mark.parametrize(
    "closed, notes",
    [
        ({"frozen": FREEZE}, ["is frozen by ann until 2026-01-02T00:00:00Z: sale"]),
        ({"frozen": {**FREEZE, "until": None}, "ready": 1}, ["is frozen by ann: sale; one commit is ready"]),
        ({"frozen": FREEZE, "held": HOLD}, ["is frozen by ann until 2026-01-02T00:00:00Z: sale, and held by ben"]),
        ({"held": HOLD, "ready": 3}, ["is held by ben; 3 commits are ready"]),
        ({"held": HOLD, "parked": ["web"]}, ["is held by ben; web is promoted and to be installed once it is free"]),
        (
            {"ready": 0, "parked": ["api", "web"]},
            ["has more to come: api, web are promoted and to be installed once it"],
        ),
        ({"stopped": FREEZE}, ["everything is stopped by ann until 2026-01-02T00:00:00Z: sale"]),
        ({"rollouts": [WATCHED]}, [f"{PLACE}: web is applied as revision 7, becoming ready until soon"]),
        ({"held": HOLD, "rollouts": [WATCHED]}, ["is held by ben", f"{PLACE}: web is applied as revision 7"]),
        ({"stopped": FREEZE, "held": HOLD}, ["everything is stopped by ann", "is held by ben"]),
    ],
)
def test_below_the_fleet_is_told_what_closes_which_environment(closed: Mapping[str, Any], notes: list[str]) -> None:
    text = drawn(views.heads_view([head("deployed", **closed)]), 200, color_system=None)
    lines = [line for line in text.splitlines()[3:] if line.strip()]
    assert len(lines) == len(notes)
    for line, note in zip(lines, notes, strict=True):
        name = "" if note.startswith(("everything", PLACE)) else f"{PLACE} "
        assert line.startswith(name + note)


def test_nothing_is_told_below_a_fleet_that_is_open() -> None:
    heads = [head("deployed", frozen=None, held=None, stopped=None, parked=[], ready=0)]
    assert drawn(views.heads_view(heads)) == drawn(views.heads_table(heads))


def test_a_stop_is_told_once_for_all_environments() -> None:
    heads = [head("deployed", stopped=FREEZE), head("deployed", environment="qa", stopped=FREEZE)]
    assert drawn(views.heads_view(heads), color_system=None).count("everything is stopped by ann") == 1


def steered(kind: str, record: str = "shop#production", **what: Any) -> Told:
    entry = {"record": record, "entry": "2026-01-01T10:00:00Z#id#/gatestream/command", "kind": kind, "by": "ann"}
    about = {"repo": "org/app", "pipeline": "shop", "environment": "production"} if record[0] == "s" else {}
    return tell({**entry, "verified": True, "what": {**about, **what}})


@pytest.mark.parametrize(
    "event, about, text",
    [
        (steered("frozen", until="", reason="sale"), "shop production", "production frozen: sale"),
        (
            steered("frozen", until="2026-01-02T00:00:00Z"),
            "shop production",
            "production frozen until 2026-01-02T00:00:0",
        ),
        (steered("unfrozen"), "shop production", "production unfrozen"),
        (steered("unfrozen", reason="it is over"), "shop production", "production unfrozen: it is over"),
        (steered("held", reason="demo"), "shop production", "production held: demo"),
        (steered("released"), "shop production", "production released"),
        (steered("released", reason="shown"), "shop production", "production released: shown"),
        (steered("stopped", "#everything#stop", until="", reason="fire"), "everything", "everything stopped: fire"),
        (steered("started", "#everything#stop"), "everything", "everything started"),
        (steered("applied", "org/app#pipelines", version=3), "app pipelines", "pipelines applied, version 3"),
    ],
)
def test_what_happens_to_no_commit_is_told_with_its_place(event: Told, about: str, text: str) -> None:
    table = drawn(views.events_table([event, told("claimed")]), 160, color_system=None)
    (line,) = [line for line in table.splitlines() if about in line]
    assert f"{about}  " in line
    assert event.text.startswith(text)
    assert (event.commit, event.by) == ("", "ann")
    assert event.repo == ("" if about == "everything" else "org/app")


@pytest.mark.parametrize(
    "action, text",
    [
        ("rollback", "promoted by rollback to prod, generation 2: too slow"),
        ("redeploy", "redeployed to prod, generation 2: too slow"),
        ("override", "promoted by override to prod, generation 2: too slow"),
    ],
)
def test_a_promotion_that_somebody_asked_for_is_told_with_why(action: str, text: str) -> None:
    event = told("claimed", by="ann", environment="prod", generation=2, action=action, reason="too slow")
    assert (event.text, event.by) == (text, "ann")


def test_a_dead_letter_that_was_sent_back_is_told_with_where_and_why() -> None:
    event = told("dead letter sent back", by="ann", queue="GateEventsDeadLetters", to="GateEvents", reason="mended")
    assert event.text == "dead letter of GateEventsDeadLetters sent back to GateEvents: mended"


def test_names_that_look_like_markup_are_shown_as_they_are() -> None:
    odd = {**STATUS, "gates": [gate("ok", reason="[red]not[/red] [bold")]}
    assert "[red]not[/red] [bold" in drawn(views.gates_table(odd), color_system=None)


def told(kind: str, source: str = "https://github.com/org/app", by: str = "", **what: Any) -> Told:
    entry = {"record": f"org/app#{SHA}", "entry": f"2026-01-01T10:00:00Z#id#{source}", "kind": kind, "by": by}
    return tell({**entry, "verified": True, "what": what})


def release_told(outcome: str, **what: Any) -> Told:
    """The installer's word about a release."""
    source, about = "/gatestream/pipelines/org%2Fapp/environments/prod", {"release": "web", "environment": "prod"}
    return told(f"dev.cdeventsx.gatestream-release.{outcome}.0.1.0", source, outcome=outcome, **about, **what)


@pytest.mark.parametrize(
    "event, by, text",
    [
        (told("com.github.push", by="mona", branch="main", forced=False), "mona", "pushed to main"),
        (told("com.github.push", branch="main", forced=True), "GitHub", "pushed to main by force"),
        (
            told("com.circleci.workflow-completed", name="build", status="success"),
            "CircleCI",
            "CircleCI workflow build: success",
        ),
        (
            told("com.github.check_run.completed", name="lint", status="failure"),
            "GitHub",
            "GitHub check run lint: failure",
        ),
        (
            told("claimed", by="gatestream", environment="prod", generation=2),
            "gatestream",
            "promoted to prod, generation 2",
        ),
        (told("edited by hand", legal=""), "", "edited by hand: legal = empty"),
        (told("gate set", by="mona", gate="legal", status="TRUE", reason="ok"), "mona", "gate legal set to passed: ok"),
        (
            told(
                "dev.cdeventsx.gatestream-release.failed.0.1.0",
                "/gatestream/pipelines/org%2Fapp/environments/prod",
                release="web",
                outcome="failed",
                environment="prod",
                reason="no such chart",
            ),
            "gatestream",
            "web failed in prod: no such chart",
        ),
        (
            release_told("applied", reason="applied as revision 7, becoming ready until 2026-01-01T12:00:00Z"),
            "gatestream",
            "web in prod applied as revision 7, becoming ready until 2026-01-01T12:00:00Z",
        ),
        (
            release_told("deployed", seconds=Decimal("4321.5"), revision=Decimal(7), chart="web-1.2.3"),
            "gatestream",
            "web deployed in prod after 1 h 12 m (revision 7, web-1.2.3)",
        ),
        (
            release_told("deployed", seconds=Decimal(42), revision=Decimal(7), healed="it was left pending-upgrade"),
            "gatestream",
            "web deployed in prod after 42 s (revision 7); put right first: it was left pending-upgrade",
        ),
        (
            release_told("failed", reason="not ready within 4h; rolled back to revision 6", seconds=Decimal(14401)),
            "gatestream",
            "web failed in prod after 4 h: not ready within 4h; rolled back to revision 6",
        ),
        (
            release_told("failed", reason="taken back, since api failed; rolled back to revision 6"),
            "gatestream",
            "web in prod taken back, since api failed; rolled back to revision 6",
        ),
        (
            release_told("failed", reason="not begun, since api failed"),
            "gatestream",
            "web in prod not begun, since api failed",
        ),
        (release_told("deployed", seconds="soon"), "gatestream", "web deployed in prod"),
        (release_told("started"), "gatestream", "web started in prod"),
        (told("something.new", size=3), "", "something.new size = 3"),
        (
            told(
                "edited by hand", legal={"status": "TRUE", "level": Decimal("1.50")}, key=b"\0", done=True, tags={"b"}
            ),
            "",
            'edited by hand: legal = {"status": "TRUE", "level": 1.5}, key = "AA==", done = true, tags = ["b"]',
        ),
    ],
)
def test_an_entry_of_the_journal_is_a_sentence(event: Told, by: str, text: str) -> None:
    assert (event.by, event.text) == (by, text)
    assert (event.repo, event.commit, event.time) == ("org/app", SHA, "2026-01-01T10:00:00Z")


def test_who_only_claims_to_be_somebody_is_marked() -> None:
    entry = {"record": f"org/app#{SHA}", "entry": "2026-01-01T10:00:00Z#id#x", "kind": "edited by hand", "by": "eve"}
    assert "by eve (claimed)" in drawn(views.events_table([tell(entry)]), color_system=None)


NASTY = "\x1b[2J\x1b]0;title\a\r\nnext\u202eline"
ESCAPED = r"\x1b[2J\x1b]0;title\x07\r\nnext\u202eline"


def test_what_others_wrote_controls_no_terminal() -> None:
    about = {**STATUS, "branch": NASTY, "gates": [gate(NASTY, by=NASTY, at=NASTY, reason=NASTY)]}
    about["environments"] = [environment(NASTY, reason=NASTY, releases=[{**release("failed"), "chart": NASTY}])]
    row = {"pipeline": NASTY, "environment": NASTY, "head": NASTY, "branch": NASTY, "promoted_at": NASTY, "state": None}
    events = [
        told("edited by hand", by=NASTY, **{NASTY: NASTY}),
        Told(NASTY, NASTY, NASTY, "", NASTY, NASTY, verified=True, what={}),
    ]
    views_of_it = [
        views.commit_view(about),
        views.why_view(about),
        matrix.commits_table([Row(SHA, "", about)], 80),
        views.heads_table([row]),
        views.events_table(events[:1]),
        views.events_table(events),
    ]
    for view in views_of_it:
        text = drawn(view, 2000, color_system=None)
        assert ESCAPED in text
        assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    "view",
    [
        views.gates_table(STATUS),
        views.environments_table(STATUS),
        views.heads_table([head("deployed")]),
        views.events_table([told("claimed")]),
        matrix.commits_table([Row(SHA, "2026-01-01T10:00:00Z", dict(STATUS))], 80),
    ],
)
def test_times_are_said_to_be_utc_once_at_the_head(view: RenderableType) -> None:
    first, *others = drawn(view, color_system=None).splitlines()
    assert "UTC" in first
    assert "UTC" not in " ".join(others)


def test_an_arn_is_shown_by_its_last_part() -> None:
    assert views.who("arn:aws:sts::123456789012:assumed-role/Deployers/mona") == "assumed-role/Deployers/mona"
    assert views.who("mona") == "mona"


@pytest.mark.parametrize("name", ["[/x]", "[bold]x[/]", "[red]"])
def test_what_people_write_is_shown_as_it_is(name: str) -> None:
    about = {**STATUS, "branch": name, "gates": [gate(name, by=name, at=name, reason=name)]}
    head = {"pipeline": name, "environment": name, "head": SHA, "branch": name, "promoted_at": name, "state": None}
    told = Told(name, "org/app", SHA, "kind", name, name, verified=False, what={})
    other = Told(name, "org/app", "0" * 40, "kind", name, name, verified=False, what={})
    tables = [
        views.commit_view(about),
        views.why_view({**about, "environments": [environment(name, reason=name)]}),
        matrix.commits_table([Row(SHA, name, about)], 140),
        views.heads_table([head]),
        views.events_table([told, other]),
    ]
    assert all(name in drawn(table, 140) for table in tables)


def test_what_holds_an_environment_up_is_told_below_what_it_installs() -> None:
    weekend = FreezeWindow("0 17 * * FRI", 63 * 60, "Europe/Berlin")
    held = Environment("prod", cluster=Cluster(eks="k"), policy=Policy.EVERY, soak=1800, freezes=(weekend,))
    text = drawn(views.environments_of(Pipeline("p", "org/app", environments=(Environment("dev"), held))))
    assert [line.strip() for line in text.splitlines()[3:]] == [
        "prod                          on k",
        "every commit, in their order",
        "after a soak of 30m",
        'frozen at "0 17 * * FRI" (Europe/Berlin) for 63h',
    ]


def test_how_an_environment_installs_is_told_with_its_releases() -> None:
    web = Release("web", "shop", "charts/web", test=True, verify=Verification(gate="smoke_test", within=1800))
    api = Release("api", "shop", "charts/api", verify=Verification(url="https://shop.example/health"))
    how: dict[str, Any] = {"in_order": True, "rollback_together": True, "force_conflicts": True}
    environments = (Environment("prod", releases=(web, api), cluster=Cluster(eks="k"), **how),)
    text = drawn(views.environments_of(Pipeline("p", "org/app", environments=environments)), 140)
    assert [line.removeprefix("prod").strip() for line in text.splitlines()[2:]] == [
        "shop/web from charts/web",
        "tested by helm test",
        "verified within 30m by the gate smoke_test",
        "shop/api from charts/api",
        "verified within 5m by https://shop.example/health",
        "on k",
        "one release after the other",
        "one that fails takes back the others",
        "takes over fields that others manage",
    ]
