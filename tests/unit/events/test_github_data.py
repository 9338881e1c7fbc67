import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline_state.events.github import read, translate
from pipeline_state.events.payload import UnprocessableError

PAYLOADS = Path(__file__).parents[2] / "payloads"
RECEIVED = datetime(2026, 3, 2, 8, 15, tzinfo=UTC)
BEFORE, AFTER, NO_COMMIT = (
    "1f0d5c9e7a3b4c2d8e6f0a1b2c3d4e5f60718293",
    "6dcb09b5b57875f334f61aebed695e2e4193db5e",
    "0" * 40,
)


def push(name: str = "one_commit") -> dict[str, Any]:
    payload: dict[str, Any] = json.loads((PAYLOADS / "github_push" / f"{name}.json").read_text())
    return payload


def recorded(event_name: str, conclusion: str | None = None) -> dict[str, Any]:
    payloads: list[dict[str, Any]] = json.loads((PAYLOADS / "github" / f"{event_name}.json").read_text())
    return next(one for one in payloads if conclusion in (None, one[event_name]["conclusion"]))


def data_of(event_name: str, payload: dict[str, Any]) -> dict[str, Any]:
    data: Any = translate(event_name, "delivery-1", payload, RECEIVED).get_data()
    return dict(data)


def without(payload: dict[str, Any], path: str) -> dict[str, Any]:
    rest = copy.deepcopy(payload)
    *parents, last = path.split(".")
    inner = rest
    for name in parents:
        inner = inner[name]
    del inner[last]
    return rest


def test_an_ordinary_push_says_all_that_a_candidate_needs() -> None:
    assert data_of("push", push()) == {
        "schema": 1,
        "repo": "octo-org/octo-repo",
        "branch": "main",
        "ref": "refs/heads/main",
        "before": BEFORE,
        "sha": AFTER,
        "pushed_at": "2026-03-02T08:15:00Z",
        "created": False,
        "deleted": False,
        "forced": False,
        "paths": ["docs/answer.md", "src/answer.py"],
        "paths_complete": True,
        "url": f"https://github.com/octo-org/octo-repo/compare/{BEFORE[:12]}...{AFTER[:12]}",
        "who": "monalisa",
    }


@pytest.mark.parametrize(
    "name, expected",
    [
        ("new_branch", {"branch": "release/2026.3", "before": NO_COMMIT, "created": True, "paths_complete": False}),
        ("deleted_branch", {"branch": "release/2026.3", "sha": None, "deleted": True, "paths_complete": False}),
        ("new_tag", {"branch": None, "ref": "refs/tags/v1.2.3", "created": True}),
        ("forced", {"forced": True, "paths": ["src/a.py"], "paths_complete": False}),
        (
            "several_commits",
            {"paths": ["README.md", "src/a.py", "src/ab.py", "src/b.py"], "paths_complete": True},
        ),
    ],
)
def test_what_a_push_did_shows_in_its_data(name: str, expected: dict[str, Any]) -> None:
    data = data_of("push", push(name))
    assert {key: data.get(key) for key in expected} == expected


def test_a_redelivered_push_is_the_same_event_at_the_same_time() -> None:
    first, again = (translate("push", "delivery-1", push(), received) for received in (RECEIVED, datetime.now(UTC)))
    assert (first.get_id(), first.get_time()) == (again.get_id(), again.get_time())


def test_hostile_names_arrive_as_they_were_sent() -> None:
    payload = push("hostile_names")
    data = data_of("push", payload)
    assert f"refs/heads/{data['branch']}" == payload["ref"]
    assert data["paths"] == sorted(payload["commits"][0]["added"])
    assert translate("push", "d", payload, RECEIVED).get_subject() == payload["ref"]


@pytest.mark.parametrize(
    "commits",
    [
        pytest.param([{"added": [], "removed": []}], id="a list is missing"),
        pytest.param([{"added": [1], "removed": [], "modified": []}], id="a path is no text"),
        pytest.param([{"added": ["\ud800"], "removed": [], "modified": []}], id="a path is not Unicode"),
        pytest.param(["6dcb09b"], id="a commit is no object"),
        pytest.param([{"added": ["a"], "removed": [], "modified": []}] * 20, id="20, the limit of old servers"),
        pytest.param([{"added": ["a"], "removed": [], "modified": []}] * 2048, id="2048, the limit"),
        pytest.param([], id="none"),
        pytest.param(None, id="no list at all"),
    ],
)
def test_paths_that_may_not_be_all_are_said_to_be_incomplete(commits: object) -> None:
    assert data_of("push", {**push(), "commits": commits})["paths_complete"] is False


def test_more_paths_than_64_kb_are_left_out() -> None:
    many = [f"src/{number:0200}.py" for number in range(400)]
    data = data_of("push", {**push(), "commits": [{"added": many, "removed": [], "modified": []}]})
    assert "paths" not in data
    assert data["paths_complete"] is False


def test_a_check_run_says_who_reported_what_about_which_commit() -> None:
    payload = recorded("check_run", "failure")
    run = payload["check_run"]
    assert data_of("check_run", payload) == {
        "schema": 1,
        "repo": payload["repository"]["full_name"],
        "branch": run["check_suite"]["head_branch"],
        "sha": run["head_sha"],
        "name": run["name"],
        "app": "github-actions",
        "status": "failure",
        "completed_at": run["completed_at"],
        "url": run["html_url"],
        "who": payload["sender"]["login"],
    }


def test_a_check_suite_goes_by_its_app() -> None:
    payload = recorded("check_suite", "success")
    payload["check_suite"]["app"]["slug"] = "github-actions"
    data = data_of("check_suite", payload)
    assert (data["name"], data["app"], data["status"]) == ("github-actions", "github-actions", "success")
    assert data["completed_at"] == payload["check_suite"]["updated_at"]


def test_a_commit_status_goes_by_its_context() -> None:
    payload = json.loads((PAYLOADS / "github" / "status.json").read_text())[0]
    data = data_of("status", payload)
    assert (data["name"], data["status"], data["sha"]) == (payload["context"], "success", payload["sha"])
    assert data["completed_at"] == "2019-05-15T15:20:55Z"
    assert "branch" not in data


def test_a_workflow_run_of_a_fork_counts_for_the_repository_it_ran_in() -> None:
    payload = recorded("workflow_run", "success")
    payload["workflow_run"]["head_repository"] = {"full_name": "stranger/fork"}
    data = data_of("workflow_run", payload)
    assert data["repo"] == payload["repository"]["full_name"]
    assert (data["name"], data["app"], data["status"]) == (payload["workflow"]["name"], "github-actions", "success")
    assert "stranger" not in json.dumps(data)


@pytest.mark.parametrize("event_name", ["check_run", "check_suite", "workflow_run"])
def test_a_check_without_a_conclusion_has_not_completed(event_name: str) -> None:
    payload = recorded(event_name, "success")
    payload[event_name] |= {"conclusion": None, "status": "in_progress"}
    data = data_of(event_name, payload)
    assert data["status"] == "in_progress"
    assert "completed_at" not in data


@pytest.mark.parametrize(
    "event_name, path",
    [
        ("push", "ref"),
        ("push", "before"),
        ("push", "after"),
        ("push", "repository"),
        ("push", "repository.full_name"),
        ("push", "repository.pushed_at"),
        ("check_run", "check_run"),
        ("check_run", "check_run.head_sha"),
        ("check_run", "check_run.name"),
        ("check_run", "check_run.completed_at"),
        ("check_run", "repository.full_name"),
        ("check_suite", "check_suite.head_sha"),
        ("check_suite", "check_suite.updated_at"),
        ("status", "sha"),
        ("status", "context"),
        ("status", "state"),
        ("status", "updated_at"),
        ("workflow_run", "workflow_run.head_sha"),
        ("workflow_run", "repository.full_name"),
    ],
)
def test_a_missing_field_that_we_need_is_named(event_name: str, path: str) -> None:
    if event_name == "push":
        payload = push()
    elif event_name == "status":
        payload = json.loads((PAYLOADS / "github" / "status.json").read_text())[0]
    else:
        payload = recorded(event_name, "success")
    with pytest.raises(UnprocessableError) as raised:
        translate(event_name, "d", without(payload, path), RECEIVED)
    assert raised.value.field.startswith(path) or path == "check_run"
    assert raised.value.field in raised.value.reason


@pytest.mark.parametrize("sha", ["", "main", "A" * 40, "a" * 39, "a" * 41, 7, None, {"sha": "a" * 40}])
def test_a_commit_is_40_hexadecimal_digits_and_nothing_else(sha: object) -> None:
    with pytest.raises(UnprocessableError, match="after: expected a commit"):
        translate("push", "d", {**push(), "after": sha}, RECEIVED)


@pytest.mark.parametrize("ref", ["", "\ud800", "x" * 2049, 7, None, ["refs/heads/main"]])
def test_a_ref_that_could_not_travel_is_refused(ref: object) -> None:
    with pytest.raises(UnprocessableError, match="ref: expected text"):
        translate("push", "d", {**push(), "ref": ref}, RECEIVED)


@pytest.mark.parametrize(
    "headers, field",
    [
        ({"x-github-delivery": "d"}, "X-GitHub-Event"),
        ({"x-github-delivery": "d", "x-github-event": "Push\nx"}, "X-GitHub-Event"),
        ({"x-github-event": "push"}, "X-GitHub-Delivery"),
        ({"x-github-event": "push", "x-github-delivery": "ä"}, "X-GitHub-Delivery"),
        ({"x-github-event": "push", "x-github-delivery": "d" * 129}, "X-GitHub-Delivery"),
    ],
)
def test_a_header_that_we_need_is_named(headers: dict[str, str], field: str) -> None:
    with pytest.raises(UnprocessableError) as raised:
        read(headers, push(), RECEIVED)
    assert raised.value.field == field


@pytest.mark.parametrize("payload", [[], "text", 7, None])
def test_json_that_is_no_object_is_refused(payload: object) -> None:
    with pytest.raises(UnprocessableError, match="payload: expected a JSON object"):
        translate("push", "d", payload, RECEIVED)
