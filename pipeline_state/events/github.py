"""GitHub's webhooks as CloudEvents: the adapter's attributes, and data small enough to travel.

Payloads: https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from cloudevents.core.v1.event import CloudEvent

from pipeline_state.events.adapter import source_of, subject_of, time_of, type_of
from pipeline_state.events.payload import Payload, UnprocessableError, is_text, present

EVENT_HEADER = "x-github-event"
DELIVERY_HEADER = "x-github-delivery"

_SCHEMA = 1
_BRANCH = "refs/heads/"
_NO_COMMIT = "0" * 40
_EVENT_NAME = re.compile(r"[a-z0-9_]{1,64}")
_DELIVERY = re.compile(r"[!-~]{1,128}")
_LONGEST_PATHS = 64 * 1024
_MOST_COMMITS = 2048
_MOST_COMMITS_ONCE = 20
"""GitHub lists at most 2,048 commits of a push; until 2023, and so on older Enterprise Servers, 20."""


def is_ping(headers: Mapping[str, str], _content: object) -> bool:
    """Whether GitHub only asks if somebody listens. headers: names in lower case."""
    return headers.get(EVENT_HEADER) == "ping"


def read(headers: Mapping[str, str], content: object, received_at: datetime) -> CloudEvent:
    """The event in a delivery whose signature has been checked. headers: names in lower case; content: the parsed JSON.

    Raises UnprocessableError when a header or a field that we need is not there.
    """
    event_name, delivery_id = headers.get(EVENT_HEADER, ""), headers.get(DELIVERY_HEADER, "")
    if not _EVENT_NAME.fullmatch(event_name):
        raise UnprocessableError("X-GitHub-Event", "the name of a webhook event")
    if not _DELIVERY.fullmatch(delivery_id):
        raise UnprocessableError("X-GitHub-Delivery", "1 to 128 visible ASCII characters")
    return translate(event_name, delivery_id, content, received_at)


def translate(event_name: str, delivery_id: str, payload: object, received_at: datetime) -> CloudEvent:
    """The CloudEvent of a GitHub event. received_at stands in where the payload does not say when it happened.

    Raises UnprocessableError when a field that we need is not there.
    """
    fields = Payload.of(payload)
    attributes = {
        "id": delivery_id,
        "source": source_of(event_name, fields),
        "type": type_of(event_name, fields),
        "time": time_of(event_name, fields) or received_at,
        "datacontenttype": "application/json",
    }
    subject = subject_of(event_name, fields)
    if subject:
        attributes["subject"] = subject
    data = _READERS.get(event_name, _other)(event_name, fields)
    return CloudEvent(attributes, present({"schema": _SCHEMA, "who": fields.text("sender.login")} | data))


def _push(_: str, payload: Payload) -> dict[str, Any]:
    """A push to a branch is a candidate; one of a tag has no branch, one that deletes no commit, so they are none."""
    ref, after = payload.needed_text("ref"), payload.needed_commit("after")
    deleted = after == _NO_COMMIT
    branch = ref.removeprefix(_BRANCH) if ref.startswith(_BRANCH) else None
    pushed_at = payload.needed_time if branch and not deleted else payload.time
    before = payload.needed_commit("before")
    return {
        "repo": payload.needed_text("repository.full_name"),
        "ref": ref,
        "branch": branch,
        "before": before,
        "sha": None if deleted else after,
        "created": before == _NO_COMMIT,
        "deleted": deleted,
        "forced": payload.value("forced") is True,
        "pushed_at": pushed_at("repository.pushed_at"),
        "url": payload.text("compare"),
    } | _paths(payload)


def _paths(payload: Payload) -> dict[str, Any]:
    """What a push changed. It is wholly known only if every commit is listed and the branch grew by just these."""
    commits = payload.value("commits")
    listed = commits if isinstance(commits, list) else []
    changes = [_changed(commit) for commit in listed]
    paths = sorted({path for changed in changes for path in changed or ()})
    complete = (
        0 < len(listed) < _MOST_COMMITS
        and len(listed) != _MOST_COMMITS_ONCE
        and None not in changes
        and payload.value("before") != _NO_COMMIT
        and payload.value("forced") is not True
    )
    if len(json.dumps(paths)) > _LONGEST_PATHS:
        return {"paths_complete": False}
    return {"paths": paths, "paths_complete": complete}


def _changed(commit: object) -> list[str] | None:
    """The paths that a commit changed, or None when they are not wholly known."""
    lists = [commit.get(change) for change in ("added", "removed", "modified")] if isinstance(commit, dict) else [None]
    if not all(isinstance(changed, list) and all(map(is_text, changed)) for changed in lists):
        return None
    return [path for changed in lists for path in changed or ()]


def _check_run(_: str, payload: Payload) -> dict[str, Any]:
    concluded = payload.text("check_run.conclusion")
    return {
        "repo": payload.needed_text("repository.full_name"),
        "branch": payload.text("check_run.check_suite.head_branch"),
        "sha": payload.needed_commit("check_run.head_sha"),
        "name": payload.needed_text("check_run.name"),
        "app": payload.text("check_run.app.slug"),
        "status": payload.needed_text("check_run.conclusion", "check_run.status").lower(),
        "completed_at": payload.needed_time("check_run.completed_at") if concluded else None,
        "url": payload.text("check_run.html_url", "check_run.details_url"),
    }


def _check_suite(_: str, payload: Payload) -> dict[str, Any]:
    """A suite has no name of its own: there is one per app and commit, so it goes by its app's."""
    concluded = payload.text("check_suite.conclusion")
    sha, page = payload.needed_commit("check_suite.head_sha"), payload.text("repository.html_url")
    return {
        "repo": payload.needed_text("repository.full_name"),
        "branch": payload.text("check_suite.head_branch"),
        "sha": sha,
        "name": payload.text("check_suite.app.slug", "check_suite.app.name"),
        "app": payload.text("check_suite.app.slug"),
        "status": (concluded or payload.text("check_suite.status") or "requested").lower(),
        "completed_at": payload.needed_time("check_suite.updated_at") if concluded else None,
        "url": f"{page}/commit/{sha}/checks" if page else None,
    }


def _status(_: str, payload: Payload) -> dict[str, Any]:
    """A commit status names every branch that has the commit, so it names none."""
    return {
        "repo": payload.needed_text("repository.full_name"),
        "sha": payload.needed_commit("sha"),
        "name": payload.needed_text("context"),
        "status": payload.needed_text("state").lower(),
        "completed_at": payload.needed_time("updated_at"),
        "url": payload.text("target_url", "commit.html_url"),
    }


def _workflow_run(_: str, payload: Payload) -> dict[str, Any]:
    concluded = payload.text("workflow_run.conclusion")
    return {
        "repo": payload.needed_text("repository.full_name"),
        "branch": payload.text("workflow_run.head_branch"),
        "sha": payload.needed_commit("workflow_run.head_sha"),
        "name": payload.needed_text("workflow.name", "workflow_run.name"),
        "app": "github-actions",
        "status": payload.needed_text("workflow_run.conclusion", "workflow_run.status").lower(),
        "completed_at": payload.needed_time("workflow_run.updated_at") if concluded else None,
        "url": payload.text("workflow_run.html_url"),
    }


def _other(event_name: str, payload: Payload) -> dict[str, Any]:
    """An event that no gate waits for: what it is about, as far as it says so."""
    return {
        "repo": payload.text("repository.full_name"),
        "branch": payload.text(f"{event_name}.head_branch", "pull_request.head.ref", "workflow_run.head_branch"),
        "sha": payload.commit(
            f"{event_name}.head_sha",
            "deployment.sha",
            "pull_request.head.sha",
            "comment.commit_id",
            "build.commit",
            "commit_oid",
            "workflow_run.head_sha",
        ),
        "url": payload.text(
            f"{event_name}.html_url",
            "comment.html_url",
            "review.html_url",
            "alert.html_url",
            "issue.html_url",
            "pull_request.html_url",
            "discussion.html_url",
            "repository.html_url",
        ),
    }


_READERS: dict[str, Callable[[str, Payload], dict[str, Any]]] = {
    "push": _push,
    "check_run": _check_run,
    "check_suite": _check_suite,
    "status": _status,
    "workflow_run": _workflow_run,
}
