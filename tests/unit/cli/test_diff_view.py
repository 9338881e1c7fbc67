"""What would change, as people and programs are told it."""

from collections.abc import Callable

import pytest

from pipeline_state.cli.console import CommandError, make_console
from pipeline_state.cli.steering.diff_commands import trouble_is_2
from pipeline_state.cli.steering.diff_view import diff_view, to_json
from pipeline_state.cli.steering.places import Place
from pipeline_state.cli.steering.previews import Told, pick_releases
from pipeline_state.deploy.history import Revision
from pipeline_state.deploy.manifests import ResourceChange
from pipeline_state.deploy.preview import Preview, compared_with
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.model.pipelines import Cluster, Environment, Pipeline, Release

WEB = Release("web", "shop", "charts/web")
LIVE = Revision(7, "deployed", "web-0.1.0", "")
COMMIT = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
CHANGES = (
    ResourceChange("Service", "", "web", "unchanged"),
    ResourceChange("Deployment", "shop", "web", "changed", "a: 1\nb: \x1b[31m\n", "a: 2\nb: \x1b[31m\n"),
    ResourceChange("Role", "live", "web", "created", "", "kind: Role\n"),
    ResourceChange("PersistentVolumeClaim", "", "data", "kept", "kind: PersistentVolumeClaim\n", ""),
)
HOOKS = (ResourceChange("Job", "", "migrate", "removed", "kind: Job\n", ""),)
SEEN = Preview(WEB, LIVE, LIVE, "web-0.2.0", CHANGES, HOOKS)


def told(preview: Preview | None, failure: str = "") -> Told:
    return Told(WEB, Cluster(context="here"), preview, failure)


def seen_by_people(*all_told: Told, width: int = 80) -> list[str]:
    console = make_console()
    console.width = width
    with console.capture() as shown:
        console.print(diff_view(all_told, COMMIT))
    return [line.rstrip() for line in shown.get().splitlines()]


def test_a_release_is_told_with_its_revision_its_resources_and_their_lines() -> None:
    assert seen_by_people(told(SEEN)) == [
        "web in shop on here",
        "revision 7, web-0.1.0 → web-0.2.0 with 6dcb09b5b578",
        "",
        "              kind                    name",
        "─" * 49,
        "~   changed   Deployment              web",
        "+   created   Role                    web in live",
        "!   kept      PersistentVolumeClaim   data",
        "-   removed   Job (hook)              migrate",
        "1 stays as it is",
        "",
        "~ Deployment/shop/web",
        "@@ -1,2 +1,2 @@",
        "-a: 1",
        "+a: 2",
        " b: \\x1b[31m",
        "",
        "+ Role/live/web",
        "@@ -0,0 +1 @@",
        "+kind: Role",
        "",
        "! PersistentVolumeClaim/data",
        "@@ -1 +0,0 @@",
        "-kind: PersistentVolumeClaim",
        "",
        "- Job/migrate",
        "@@ -1 +0,0 @@",
        "-kind: Job",
    ]


def test_nothing_to_change_is_said_in_a_line() -> None:
    same = Preview(WEB, LIVE, LIVE, "web-0.1.0", CHANGES[:1] * 2, ())
    assert seen_by_people(told(same))[2:] == ["nothing changes", "2 stay as they are"]
    assert not told(same).has_changes


def test_a_release_that_is_not_there_is_new_even_if_nothing_is_in_it() -> None:
    empty = Preview(WEB, None, None, "web-0.1.0", (), ())
    assert seen_by_people(told(empty))[1:] == ["not there yet → web-0.1.0 with 6dcb09b5b578", "nothing is in it"]
    assert told(empty).has_changes


@pytest.mark.parametrize(
    "live, last, line",
    [
        (LIVE, Revision(8, "failed", "web-0.2.0", ""), "its latest revision, 8, is failed"),
        (Revision(1, "pending-install", "web-0.1.0", ""), None, "that revision is pending-install"),
    ],
)
def test_a_release_that_is_not_well_is_said_to_be_so(live: Revision, last: Revision | None, line: str) -> None:
    assert line in seen_by_people(told(Preview(WEB, live, last or live, "web-0.2.0", (), ())))


def test_what_would_fail_is_told_and_is_no_mere_change() -> None:
    refused = Preview(WEB, LIVE, LIVE, "web-0.2.0", (), (), ("exceeded quota",), ("a note",))
    lines = seen_by_people(told(refused), told(None, "no such chart"))
    assert {"✗ it would fail: exceeded quota", "a note", "✗ no such chart"} <= set(lines)
    assert told(refused).is_refused
    assert told(None, "no such chart").is_refused
    assert not told(SEEN).is_refused


def test_long_lines_go_on_below_in_80_columns() -> None:
    long = ResourceChange("ConfigMap", "", "web", "created", "", f"a: {'x' * 200}\n")
    lines = seen_by_people(told(Preview(WEB, LIVE, LIVE, "web-0.2.0", (long,), ())))
    assert max(map(len, lines)) == 80
    assert "".join(lines).count("x") == 200


def test_programs_get_an_object_a_release() -> None:
    data = to_json(told(SEEN))
    assert data["live"] == {"revision": 7, "status": "deployed", "chart": "web-0.1.0"}
    assert (data["has_changes"], data["failure"], data["summary"]["kept"]) == (True, None, 1)
    assert data["changes"][1] == {
        "kind": "Deployment",
        "namespace": "shop",
        "name": "web",
        "action": "changed",
        "diff": "@@ -1,2 +1,2 @@\n-a: 1\n+a: 2\n b: \x1b[31m",
    }
    broken = to_json(told(None, "no such chart"))
    assert (broken["failure"], broken["has_changes"], broken["changes"]) == ("no such chart", None, [])
    assert data.keys() == broken.keys()


def test_one_release_or_all_and_a_slip_is_told() -> None:
    api = Release("api", "shop", "charts/api")
    place = Place(Pipeline("shop", "org/app"), Environment("staging", releases=(WEB, api)))
    assert pick_releases(place, "") == (WEB, api)
    assert pick_releases(place, "api") == (api,)
    with pytest.raises(CommandError, match="staging of shop has no release wbe; there is web, api") as refusal:
        pick_releases(place, "wbe")
    assert refusal.value.code == 2


def raised(error: Exception) -> Callable[[], None]:
    def work() -> None:
        with trouble_is_2():
            raise error

    return work


@pytest.mark.parametrize(
    "error, line",
    [
        (CommandError("no such place"), "no such place"),
        (PermanentFault("no such cluster"), "no such cluster"),
        (TemporaryFault("nobody answers", 5), "nobody answers; try again"),
    ],
)
def test_trouble_is_not_taken_for_changes(error: Exception, line: str) -> None:
    with pytest.raises(CommandError) as told_as:
        raised(error)()
    assert (str(told_as.value), told_as.value.code) == (line, 2)


def test_a_bug_stays_one() -> None:
    with pytest.raises(ZeroDivisionError):
        raised(ZeroDivisionError())()


@pytest.mark.parametrize(
    "statuses, number",
    [
        ([], None),
        (["deployed"], 1),
        (["superseded", "deployed"], 2),
        (["deployed", "failed"], 1),
        (["superseded", "failed", "deployed", "pending-upgrade"], 3),
        (["failed"], 1),
        (["pending-install"], 1),
        (["superseded", "uninstalled"], 1),
        (["uninstalled"], None),
    ],
)
def test_it_is_compared_with_what_helm_goes_on_from(statuses: list[str], number: int | None) -> None:
    found = compared_with([Revision(at, status, "web-1", "") for at, status in enumerate(statuses, 1)])
    assert (found.number if found else None) == number
