"""CircleCI's webhooks as CloudEvents, from projects of both kinds.

GitHub OAuth and Bitbucket Cloud projects say what was built in `pipeline.vcs`; GitHub App, GitLab and Bitbucket Data
Center projects in `pipeline.trigger_parameters`, of which CircleCI has announced to replace parts by `pipeline.git`.
https://circleci.com/docs/reference/outbound-webhooks-reference/
https://circleci.com/changelog/eol-notice-for-some-pipeline-values-starting-with-pipeline/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from cloudevents.core.v1.event import CloudEvent

from pipeline_state.events.payload import Payload, UnprocessableError, present

_SCHEMA = 1
_WORKFLOW, _JOB = "workflow-completed", "job-completed"
_APP = "https://app.circleci.com"
_PIPELINES = "/pipelines/"
_VCS = "pipeline.vcs"
_GIT = ("pipeline.trigger_parameters.git", "pipeline.git")
_TRIGGERS = tuple(f"pipeline.trigger_parameters.{trigger}" for trigger in ("github_app", "gitlab", "bitbucket_dc"))
_REPOSITORY = re.compile(r"(?:[a-z+]+://[^/]+/|[^/@]+@[^/:]+:/*)(?:scm/)?(?P<path>[^/].*?)(?:\.git)?/*")
"""https://host/owner/name, ssh://git@host:port/owner/name.git, git@host:owner/name.git, https://host/scm/KEY/name.git."""


def _each(field: str, *parents: str) -> tuple[str, ...]:
    return tuple(f"{parent}.{field}" for parent in parents)


_COMMITS = (f"{_VCS}.revision", *_each("checkout_sha", *_GIT, *_TRIGGERS), "pipeline.git.revision")
_ADDRESSES = (
    f"{_VCS}.target_repository_url",
    *_each("repo_url", *_GIT, *_TRIGGERS),
    *_each("checkout_url", *_GIT),
    *_each("web_url", *_TRIGGERS),
)


def is_ping(_headers: Mapping[str, str], content: object) -> bool:
    """Whether this is the test ping of a project's settings."""
    return isinstance(content, Mapping) and content.get("type") == "ping"


def read(_headers: Mapping[str, str], content: object, received_at: datetime) -> CloudEvent:
    """The event in a webhook whose signature has been checked; everything that counts is in the signed body."""
    return translate(content, received_at)


def translate(payload: object, received_at: datetime) -> CloudEvent:
    """The CloudEvent of a CircleCI event. received_at stands in where the payload does not say when it happened.

    Raises UnprocessableError when a field that we need is not there.
    """
    fields = Payload.of(payload)
    type_ = _type(fields)
    entity = "job" if type_ == _JOB else "workflow"
    name = fields.needed_text(f"{entity}.name")
    attributes = {
        "id": fields.needed_text("id"),
        "source": _source(fields),
        "type": f"com.circleci.{type_}",
        "subject": name,
        "time": fields.moment("happened_at") or received_at,
        "datacontenttype": "application/json",
    }
    data = {
        "schema": _SCHEMA,
        "repo": repository(fields),
        "branch": fields.text(f"{_VCS}.branch", *_each("branch", *_GIT, *_TRIGGERS)),
        "sha": fields.needed_commit(*_COMMITS),
        "name": name,
        "app": "circleci",
        "status": fields.needed_text(f"{entity}.status").lower(),
        "completed_at": fields.needed_time(f"{entity}.stopped_at", "happened_at"),
        "url": fields.text("workflow.url"),
        "who": fields.text(*_each("user_username", *_TRIGGERS)),
    }
    return CloudEvent(attributes, present(data))


def repository(payload: Payload) -> str:
    """The repository as GitHub names it, "owner/name": the host and what only a URL needs are left out.

    A mirror on another host meets its original in one record. That is safe, since a record is of one commit, and equal
    hashes are equal commits. Raises UnprocessableError when the payload names no repository.
    """
    full_name = payload.text(*_each("repo_full_name", *_GIT, *_TRIGGERS))
    if full_name:
        return full_name
    owner, name = payload.text(*_each("repo_owner", *_GIT)), payload.text(*_each("repo_name", *_GIT))
    if owner and name:
        return f"{owner}/{name}"
    match = _REPOSITORY.fullmatch(payload.needed_text(*_ADDRESSES))
    if match is None or "/" not in match["path"]:
        raise UnprocessableError(next(path for path in _ADDRESSES if payload.text(path)), "the address of a repository")
    return match["path"]


def _type(payload: Payload) -> str:
    """The kind of event. CircleCI's own sample of a job's event calls itself a workflow's; what it holds decides."""
    type_ = payload.needed_text("type")
    if type_ not in (_WORKFLOW, _JOB):
        raise UnprocessableError("type", f"{_WORKFLOW} or {_JOB}")
    holds_job_only = payload.value("job") is not None and payload.value("workflow") is None
    return _JOB if holds_job_only else type_


def _source(payload: Payload) -> str:
    """The project's page: below the host of the workflow's page, since CircleCI Server has hosts of its own."""
    host, found, _ = (payload.text("workflow.url") or "").partition(_PIPELINES)
    return f"{host if found else _APP}{_PIPELINES}{payload.needed_text('project.slug')}"
