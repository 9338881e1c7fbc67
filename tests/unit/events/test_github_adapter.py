"""The CloudEvents GitHub adapter, transcribed field by field, against recorded payloads of every event type."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline_state.events.github import translate

RECORDED = Path(__file__).parents[2] / "payloads" / "github"
RECEIVED = datetime(2026, 3, 2, 8, 15, tzinfo=UTC)

# event: the part of the type after its name; source; subject. As the adapter's tables have it.
ADAPTER = """
branch_protection_rule: action; repository.url; rule.id
check_run: action; repository.url; check_run.id
check_suite: action; repository.url; check_suite.id
code_scanning_alert: action; repository.url; alert.number
commit_comment: action; comment.url/comment.commit_id; comment.id
create: ref_type; repository.url; ref
delete: ref_type; repository.url; ref
dependabot_alert: action; repository.url; alert.number
deploy_key: action; repository.url; key.id
deployment: ; repository.url; deployment.id
deployment_review: action; repository.url; workflow_run.id
deployment_status: deployment_status.state; deployment.url; deployment_status.url
discussion: action; repository.url; discussion.id
discussion_comment: action; repository.url; discussion.id
fork: ; repository.url; forkee.url
github_app_authorization: ; sender.url;
gollum: ; repository.url;
installation: action; installation.account.url; installation.id
installation_repositories: action; installation.account.url; installation.id
issue_comment: action; issue.url; comment.id
issues: action; repository.url; issue.number
label: action; repository.url; label.name
member: action; repository.url; member.login
membership: scope.action; team.url; member.login
merge_group: action; repository.url; merge_group.head_ref
meta: action; repository.url; hook_id
milestone: action; repository.url; milestone.number
org_block: action; organization.url; blocked_user.login
organization: action; organization.url; membership.user.login
package: action; repository.url; package.id
page_build: ; repository.url; build.url
project: action; repository.url; project.id
project_card: action; repository.url; project_card.id
project_column: action; repository.url; project_column.id
projects_v2_item: action; organization.url; projects_v2_item.id
public: ; repository.owner.url; repository.name
pull_request: action; repository.url; number
pull_request_review: action; pull_request.url; review.id
pull_request_review_comment: action; pull_request.url; comment.id
pull_request_review_thread: action; pull_request.url; pull_request.id
push: ; repository.url; ref
release: action; repository.url; release.id
repository: action; repository.owner.url; repository.name
repository_dispatch: action; repository.owner.url;
repository_import: ; repository.owner.url; repository.name
repository_vulnerability_alert: action; repository.url; alert.id
sponsorship: action; sender.url; sponsorship.sponsor.login
star: action; repository.url;
status: state; repository.url; sha
team: action; repository.url; team.id
team_add: ; repository.url; team.id
watch: action; repository.url;
workflow_dispatch: ; repository.url; workflow
workflow_job: action; repository.url; workflow_job.name
workflow_run: action; repository.url; workflow.name
"""
ROWS = {line.partition(":")[0]: line.partition(":")[2].split(";") for line in ADAPTER.strip().splitlines()}
UNUSUAL_SOURCES = {"marketplace_purchase": "https://api.github.com/users", "security_advisory": "github.com"}


def recorded(event_name: str) -> list[dict[str, Any]]:
    payloads: list[dict[str, Any]] = json.loads((RECORDED / f"{event_name}.json").read_text())
    return payloads


def look_up(payload: dict[str, Any], path: str) -> str:
    found: Any = payload
    for name in path.strip().split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return "" if found is None else str(found)


def source(payload: dict[str, Any], path: str) -> str:
    if path.strip() == "repository.url":
        return look_up(payload, "repository.html_url")
    return "/".join(look_up(payload, part) for part in path.split("/"))


def test_every_recorded_event_is_in_the_table() -> None:
    known = ROWS.keys() | UNUSUAL_SOURCES.keys() | {"ping"}
    assert {path.stem for path in RECORDED.glob("*.json")} == known


@pytest.mark.parametrize("event_name", ROWS)
def test_a_recorded_event_has_the_adapters_type_source_and_subject(event_name: str) -> None:
    kind, source_path, subject_path = ROWS[event_name]
    for payload in recorded(event_name):
        event = translate(event_name, "delivery-1", payload, RECEIVED)
        parts = ["com.github", event_name, *(look_up(payload, part) for part in kind.split("."))]
        if event_name == "deployment_status":
            parts = ["com.github", event_name, look_up(payload, kind)]
        assert event.get_type() == ".".join(part for part in parts if part)
        if source(payload, source_path):
            assert event.get_source() == source(payload, source_path)
        assert (event.get_subject() or "") == look_up(payload, subject_path)
        assert event.get_id() == "delivery-1"


@pytest.mark.parametrize("event_name", UNUSUAL_SOURCES)
def test_a_source_that_is_no_field_of_the_payload(event_name: str) -> None:
    for payload in recorded(event_name):
        event = translate(event_name, "d", payload, RECEIVED)
        assert event.get_source() == UNUSUAL_SOURCES[event_name]
        assert event.get_type() == f"com.github.{event_name}.{payload['action']}"


@pytest.mark.parametrize("event_name", [*ROWS, *UNUSUAL_SOURCES])
def test_the_data_of_a_recorded_event_is_small_and_says_its_repository(event_name: str) -> None:
    for payload in recorded(event_name):
        data: Any = translate(event_name, "d", payload, RECEIVED).get_data()
        assert data.get("repo", "") == look_up(payload, "repository.full_name")
        assert data["schema"] == 1
        assert len(json.dumps(data)) < 1500


@pytest.mark.parametrize(
    "event_name, payload, expected",
    [
        ("team", {"organization": {"url": "https://api.github.com/orgs/o"}}, "https://api.github.com/orgs/o"),
        ("watch", {"sender": {"url": "https://api.github.com/users/u"}}, "https://api.github.com/users/u"),
        ("watch", {}, "https://github.com"),
        ("commit_comment", {"repository": {"html_url": "https://ghe.example/o/r"}}, "https://ghe.example/o/r"),
    ],
)
def test_a_source_that_is_missing_falls_back(event_name: str, payload: dict[str, Any], expected: str) -> None:
    assert translate(event_name, "d", payload, RECEIVED).get_source() == expected


@pytest.mark.parametrize(
    "event_name, payload, expected",
    [
        (
            "check_run",
            {"check_run": {"completed_at": "2019-05-15T15:21:12Z", "started_at": "2018-01-01T00:00:00Z"}},
            2019,
        ),
        ("check_run", {"check_run": {"completed_at": None, "started_at": "2018-01-01T00:00:00Z"}}, 2018),
        ("deploy_key", {"key": {"created_at": "2017-01-01T00:00:00Z"}}, 2017),
        ("installation", {"installation": {"updated_at": 1525109899}}, 2018),
        ("release", {"action": "published", "release": {"published_at": "2016-01-01T00:00:00Z"}}, 2016),
        ("release", {"action": "deleted", "release": {"published_at": "2016-01-01T00:00:00Z"}}, 2026),
        ("push", {"repository": {"pushed_at": 1557933657}}, 2019),
        ("label", {"label": {"updated_at": "2015-01-01T00:00:00Z"}}, 2026),
        ("issues", {"issue": {"updated_at": "yesterday"}}, 2026),
        ("issues", {"issue": {"updated_at": 10**30}}, 2026),
        ("issues", {"issue": {"updated_at": "0001-01-01T00:00:00+14:00"}}, 2026),
        ("newer_thing", {"newer_thing": {"updated_at": "2014-01-01T00:00:00Z"}}, 2014),
    ],
)
def test_the_time_is_the_payloads_where_it_has_one(event_name: str, payload: dict[str, Any], expected: int) -> None:
    whole = {**NEEDED.get(event_name, {}), **payload}
    if event_name in NEEDED:
        name = next(iter(payload))
        whole[name] = {**NEEDED[event_name][name], **payload[name]}
    time = translate(event_name, "d", whole, RECEIVED).get_time()
    assert time is not None
    assert time.year == expected


def test_an_event_the_adapter_does_not_know_is_named_after_itself() -> None:
    payload = {"action": "done", "newer_thing": {"id": 7}, "repository": {"html_url": "https://github.com/o/r"}}
    event = translate("newer_thing", "d", payload, RECEIVED)
    assert event.get_type() == "com.github.newer_thing.done"
    assert event.get_subject() == "7"


NEEDED: dict[str, dict[str, Any]] = {
    "check_run": {
        "repository": {"full_name": "o/r"},
        "check_run": {"head_sha": "a" * 40, "name": "n", "status": "queued"},
    },
    "push": {"repository": {"full_name": "o/r"}, "ref": "refs/heads/main", "before": "a" * 40, "after": "b" * 40},
}
