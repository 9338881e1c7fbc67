import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline_state.events import circleci, github
from pipeline_state.events.circleci import is_ping, repository, translate
from pipeline_state.events.payload import Payload, UnprocessableError

PAYLOADS = Path(__file__).parents[2] / "payloads"
RECEIVED = datetime(2026, 3, 2, 9, tzinfo=UTC)
COMMIT = "6dcb09b5b57875f334f61aebed695e2e4193db5e"


def sample(name: str) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads((PAYLOADS / "circleci" / f"{name}.json").read_text())
    return payload


def data_of(payload: dict[str, Any]) -> dict[str, Any]:
    data: Any = translate(payload, RECEIVED).get_data()
    return dict(data)


def test_a_workflow_of_an_oauth_project_as_an_event() -> None:
    payload = sample("workflow_github_oauth")
    event = translate(payload, RECEIVED)
    assert event.get_type() == "com.circleci.workflow-completed"
    assert event.get_id() == payload["id"]
    assert event.get_source() == "https://app.circleci.com/pipelines/github/octo-org/octo-repo"
    assert event.get_subject() == "build-test"
    assert event.get_time() == datetime(2026, 3, 2, 8, 17, 34, 317000, UTC)
    assert event.get_data() == {
        "schema": 1,
        "repo": "octo-org/octo-repo",
        "branch": "main",
        "sha": COMMIT,
        "name": "build-test",
        "app": "circleci",
        "status": "success",
        "completed_at": "2026-03-02T08:17:34.170Z",
        "url": payload["workflow"]["url"],
    }


def test_a_job_goes_by_its_own_name_status_and_time() -> None:
    event = translate(sample("job_github_app"), RECEIVED)
    data: Any = event.get_data()
    assert event.get_type() == "com.circleci.job-completed"
    assert (event.get_subject(), data["name"], data["status"]) == ("unit-tests", "unit-tests", "success")
    assert data["completed_at"] == "2026-03-02T08:17:30.002Z"


@pytest.mark.parametrize(
    "name, repo",
    [
        ("workflow_github_oauth", "octo-org/octo-repo"),
        ("workflow_fork_github_oauth", "octo-org/octo-repo"),
        ("job_github_oauth", "octo-org/octo-repo"),
        ("workflow_github_app", "octo-org/octo-repo"),
        ("workflow_github_app_newer", "octo-org/octo-repo"),
        ("workflow_gitlab", "octo-org/octo-repo"),
        ("workflow_bitbucket_data_center", "OCTO/octo-repo"),
    ],
)
def test_every_kind_of_project_names_repository_and_commit(name: str, repo: str) -> None:
    data = data_of(sample(name))
    assert (data["repo"], data["sha"]) == (repo, COMMIT)


def test_githubs_and_circlecis_events_meet_in_one_record() -> None:
    push = json.loads((PAYLOADS / "github_push" / "one_commit.json").read_text())
    pushed: Any = github.translate("push", "d", push, RECEIVED).get_data()
    built = data_of(sample("workflow_github_app"))
    assert (pushed["repo"], pushed["sha"]) == (built["repo"], built["sha"])


def test_a_failed_workflow_says_so() -> None:
    assert data_of(sample("workflow_failed_github_oauth"))["status"] == "failed"


def test_circlecis_own_slip_of_calling_a_job_a_workflow_is_seen_through() -> None:
    event = translate(sample("job_called_workflow"), RECEIVED)
    assert (event.get_type(), event.get_subject()) == ("com.circleci.job-completed", "unit-tests")


def test_the_source_is_on_the_host_of_the_projects_own_server() -> None:
    payload = sample("workflow_github_oauth")
    payload["workflow"]["url"] = "https://ci.example.com/pipelines/github/octo-org/octo-repo/130/workflows/x"
    expected = "https://ci.example.com/pipelines/github/octo-org/octo-repo"
    assert translate(payload, RECEIVED).get_source() == expected


@pytest.mark.parametrize(
    "address, repo",
    [
        ("https://github.com/myOrg/myApp", "myOrg/myApp"),
        ("https://github.com/myOrg/myApp/", "myOrg/myApp"),
        ("https://github.com/myOrg/myApp.git", "myOrg/myApp"),
        ("https://user:token@github.example.com/myOrg/myApp.git", "myOrg/myApp"),
        ("git@github.com:myOrg/myApp.git", "myOrg/myApp"),
        ("git@github.com:/myOrg/myApp.git", "myOrg/myApp"),
        ("git@github.com:myOrg/myApp.github.io", "myOrg/myApp.github.io"),
        ("ssh://git@bitbucket.example.com:7999/KEY/app.git", "KEY/app"),
        ("https://bitbucket.example.com/scm/KEY/app.git", "KEY/app"),
        ("git@gitlab.com:group/sub/app.git", "group/sub/app"),
    ],
)
def test_a_repositorys_address_becomes_its_name(address: str, repo: str) -> None:
    assert repository(Payload({"pipeline": {"vcs": {"target_repository_url": address}}})) == repo


@pytest.mark.parametrize(
    "address", ["https://github.com/", "https://github.com/onlyOrg", "octo-repo", "x" * 2049, 7, ""]
)
def test_what_is_no_address_of_a_repository_is_refused(address: object) -> None:
    with pytest.raises(UnprocessableError, match=r"pipeline\.vcs\.target_repository_url"):
        repository(Payload({"pipeline": {"vcs": {"target_repository_url": address}}}))


@pytest.mark.parametrize(
    "change, field",
    [
        ({"id": None}, "id"),
        ({"type": None}, "type"),
        ({"type": "something-else"}, "type"),
        ({"workflow": {"status": "success"}}, "workflow.name"),
        ({"workflow": {"name": "w"}}, "workflow.status"),
        ({"workflow": {"name": "w", "status": "success"}, "happened_at": 1.5}, "workflow.stopped_at"),
        ({"project": {}}, "project.slug"),
        ({"pipeline": {}}, "pipeline.vcs.target_repository_url"),
        ({"pipeline": {"vcs": {"target_repository_url": "https://github.com/o/r"}}}, "pipeline.vcs.revision"),
    ],
)
def test_a_missing_field_that_we_need_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(UnprocessableError) as raised:
        translate({**sample("workflow_github_oauth"), **change}, RECEIVED)
    assert raised.value.field == field


def test_the_test_ping_of_the_settings_page_is_known() -> None:
    assert is_ping({}, sample("ping"))
    assert not is_ping({}, sample("workflow_gitlab"))
    assert not is_ping({}, ["ping"])


def test_only_the_signed_body_counts() -> None:
    payload = sample("workflow_gitlab")
    assert circleci.read({"circleci-event-type": "ping"}, payload, RECEIVED).get_id() == payload["id"]
