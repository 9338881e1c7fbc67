"""The whole way, from signed webhooks to running releases, on the local stack with the real Helm."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from infra.local.stack import StackInfo
from pipeline_state.cli.stacks import local_from
from pipeline_state.cli.traces.spans import spans_of
from pipeline_state.model.pipelines import Cluster, GateDefinition, GateSource, SourceKind
from tests.e2e.way import Way, commit, eventually, unswept
from tests.span_tree import tree

BUILD = GateDefinition("circle_ci_build_done", GateSource(SourceKind.CIRCLECI_WORKFLOW, "build"))


WHOLE_WAY = """\
commit
  DynamoDB stream × 5
  GitHub → API Gateway
  check for promotion × 3
  check for promotion
    claim
    note hand edit
    send event
      SNS FIFO → SQS FIFO
      install
        chart
        compare manifests
        give lease back
        helm upgrade
          wait until ready
        release look-up
        send event × 2
          SNS → SQS
          record gates
            write record
        take lease
  check for promotion
    claim
    send event
      SNS FIFO → SQS FIFO
      install
        chart
        compare manifests
        give lease back
        helm upgrade
          wait until ready
        release look-up
        send event × 2
          SNS → SQS
          record gates
            write record
        take lease
  waiting for circle_ci_build_done
  waiting for deployed_to_staging
  waiting for legal
  webhook circleci
    make event
    send event
      SNS → SQS
      record gates
        write record
    verify signature
  webhook github
    make event
    send event
      SNS → SQS
      record gates
        write record
    verify signature"""


@pytest.fixture
def way(stack: StackInfo) -> Way:
    return Way(stack)


def test_a_push_and_a_green_build_and_an_approval_end_as_releases_in_both_environments(way: Way) -> None:
    way.define(
        way.environment("staging", "circle_ci_build_done"),
        way.environment("production", "approval_from_legal", after=("staging",)),
        gates=(BUILD, GateDefinition("approval_from_legal")),
    )
    sha = commit()
    way.push(sha)
    way.build(sha)
    way.deployed(sha, "staging")
    assert "deployed_to_production" not in way.item(sha)
    way.column(sha, "approval_from_legal", "TRUE")
    production = way.deployed(sha, "production")
    assert production["releases"]["production"]["revision"] == 1
    assert {release["name"] for release in way.helm("list")} == {"staging", "production"}
    assert way.helm("get", "values", "production")["image"]["tag"] == sha


@pytest.fixture
def unswept_way(way: Way) -> Iterator[Way]:
    """Where the sweeper does not come by, whose own looks would be spans as well."""
    with unswept(way.stack):
        yield way


def test_all_spans_of_a_commit_are_one_tree_under_its_root(unswept_way: Way) -> None:
    way = unswept_way
    way.define(
        way.environment("staging", "circle_ci_build_done"),
        way.environment("production", "legal", after=("staging",)),
        gates=(BUILD, GateDefinition("legal")),
    )
    sha = commit()
    way.clock -= 60  # GitHub took a while to tell
    way.push(sha)
    way.looked_at(sha)  # before the build could be seen by it
    way.build(sha)
    way.deployed(sha, "staging")
    way.looked_at(sha, times=3)  # the last at the deployment, before the approval could be seen by it
    way.column(sha, "legal", "TRUE")
    way.deployed(sha, "production")

    def told() -> list[dict[str, Any]]:
        """What a stack that is short of breath waits for besides, or takes twice, is left out."""
        slow = ("waiting for promotion to", "waiting for staging to be free", "waiting for production to be free")
        spans = [dict(span.fields) for span in spans_of(local_from(way.stack), way.repo, sha)]
        again = [span for span in spans if span["name"] == "record gates" and span.get("repeated")]
        messages = {span["messaging.message.id"] for span in again[:1]}  # more than one are more than bad luck
        beside = {
            span["trace.span_id"]
            for span in spans
            if span["name"].startswith(slow) or span.get("messaging.message.id") in messages
        }
        return [span for span in spans if not beside & {span["trace.span_id"], span.get("trace.parent_id")}]

    def is_whole() -> bool:
        with suppress(AssertionError, ValueError):  # spans whose parents are still to come
            return tree(told()) == WHOLE_WAY
        return False

    with suppress(AssertionError):  # the tree tells more of what is missing
        eventually(is_whole, "the last span")
    assert tree(told()) == WHOLE_WAY


def test_a_column_that_somebody_adds_is_waited_for_until_it_is_passed(way: Way) -> None:
    way.define(way.environment("staging", "circle_ci_build_done"), gates=(BUILD,))
    sha = commit()
    way.push(sha)
    way.recorded(sha)
    way.column(sha, "dependency_scan", "")
    way.build(sha)
    way.recorded(sha, "_set_circle_ci_build_done")
    way.column(sha, "dependency_scan", 42)
    way.recorded(sha, "_set_dependency_scan")
    assert "_claim_staging" not in way.item(sha)
    way.column(sha, "dependency_scan", value=True)
    way.deployed(sha, "staging")
    assert way.item(sha)["dependency_scan"] is True


def test_a_build_of_the_same_repository_in_another_casing_meets_the_push(way: Way) -> None:
    way.define(way.environment("staging", "circle_ci_build_done"), gates=(BUILD,))
    sha = commit()
    way.push(sha)
    way.build(sha, repo=way.repo.lower())
    way.deployed(sha, "staging")


def test_a_push_that_arrives_after_its_build_is_deployed(way: Way) -> None:
    way.define(way.environment("staging", "circle_ci_build_done"), gates=(BUILD,))
    sha = commit()
    way.build(sha)
    way.recorded(sha, "circle_ci_build_done")
    assert "_claim_staging" not in way.item(sha)
    way.push(sha)
    way.deployed(sha, "staging")


def test_a_commit_whose_push_never_came_is_known_from_the_next_and_deployed(way: Way) -> None:
    way.define(way.environment("staging", "circle_ci_build_done"), gates=(BUILD,))
    lost, following = commit(), commit()
    way.build(lost)
    way.push(following, before=lost)
    way.deployed(lost, "staging")


def test_an_older_commit_never_follows_a_newer_one(way: Way) -> None:
    way.define(way.environment("staging", "circle_ci_build_done"), gates=(BUILD,))
    older, newer = commit(), commit()
    way.push(older)
    way.push(newer, before=older)
    way.build(newer)
    way.deployed(newer, "staging")
    way.build(older)
    way.recorded(older, "_set_circle_ci_build_done")
    newest = commit()
    way.push(newest, before=newer)
    way.build(newest)
    way.deployed(newest, "staging")
    assert "_claim_staging" not in way.item(older)
    assert [revision["revision"] for revision in way.helm("history", "staging")] == [1, 2]


def test_a_chart_that_does_not_exist_fails_with_helms_sentence_and_holds_up_nobody(way: Way) -> None:
    missing = way.release("staging", chart="charts/missing")
    way.define(way.environment("staging", "circle_ci_build_done", releases=(missing,)), gates=(BUILD,))
    first, second = commit(), commit()
    way.push(first)
    way.build(first)
    assert "charts/missing" in way.deployed(first, "staging", "FALSE")["reason"]
    way.define(way.environment("staging", "circle_ci_build_done"), gates=(BUILD,))
    way.push(second, before=first)
    way.build(second)
    way.deployed(second, "staging")


def test_a_cluster_that_does_not_exist_fails_and_says_which(way: Way) -> None:
    nowhere = way.environment("staging", "circle_ci_build_done", cluster=Cluster(context="nowhere"))
    way.define(nowhere, gates=(BUILD,))
    sha = commit()
    way.push(sha)
    way.build(sha)
    assert "nowhere" in way.deployed(sha, "staging", "FALSE")["reason"]


def test_a_commit_of_an_unknown_repository_is_recorded_and_never_promoted(way: Way) -> None:
    sha = commit()
    way.push(sha)
    way.build(sha)
    record = way.recorded(sha)
    assert record["branch"] == "main"
    assert not [name for name in record if name.startswith("_claim_")]


@pytest.mark.parametrize(
    "branch",
    ['release/it\'s "quoted", and=so on', "release/--set image.tag=evil", "release/🚀", "release/../../etc"],
    ids=["quotes", "options", "emoji", "dots"],
)
def test_a_branch_by_any_name_is_only_data(way: Way, branch: str) -> None:
    way.define(way.environment("staging"), branches=("release/*",))
    sha = commit()
    way.push(sha, branch=branch)
    way.deployed(sha, "staging")
    assert way.item(sha)["branch"] == branch
    assert way.helm("get", "values", "staging")["image"]["tag"] == sha


def test_a_check_counts_only_from_the_app_that_the_pipeline_names(way: Way) -> None:
    scan = GateDefinition("scan", GateSource(SourceKind.GITHUB_CHECK, "scan", app="trusted"))
    way.define(way.environment("staging", "scan"), gates=(scan,))
    sha = commit()
    way.push(sha)
    way.recorded(sha)
    for app in ("somebody-else", "trusted"):
        assert "_claim_staging" not in way.item(sha)
        check = {
            "id": 1,
            "name": "scan",
            "head_sha": sha,
            "status": "completed",
            "conclusion": "success",
            "completed_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "html_url": "https://example.com/1",
            "app": {"slug": app},
            "check_suite": {"head_branch": "main", "head_sha": sha},
        }
        repository = {"full_name": way.repo, "html_url": f"https://github.com/{way.repo}"}
        told = {"action": "completed", "check_run": check, "repository": repository, "sender": {"login": app}}
        assert way.github("check_run", told)[0] == 202
    assert way.deployed(sha, "staging")
    assert way.item(sha)["scan"]["by"] == "trusted"


def test_a_red_build_blocks_and_a_later_green_one_opens(way: Way) -> None:
    way.define(way.environment("staging", "circle_ci_build_done"), gates=(BUILD,))
    sha = commit()
    way.push(sha)
    way.build(sha, "failed", at="2026-01-01T10:00:00Z")
    assert way.recorded(sha, "_set_circle_ci_build_done")["circle_ci_build_done"]["status"] == "FALSE"
    way.build(sha, "success", at="2026-01-01T10:05:00Z")
    way.deployed(sha, "staging")
