"""The CloudEvents GitHub adapter as a table: which attribute of the event comes from which field of the payload.

https://github.com/cloudevents/spec/blob/main/cloudevents/adapters/github.md, read with these decisions:

- Where it says `repository.url`, the repository's page (`html_url`) is taken: `url` is the page in a push, the API's
  address in most other payloads, and a subscriber wants one source for one repository.
- Where it says "current time" and the payload does know when the thing happened, that is taken, so that a redelivery is
  the same event.
- Where it is unfinished ("+ state value ?") or a dot is missing, the pattern of its neighbours is followed.
- Events it does not know: `com.github.<event>[.<action>]`, with id and `updated_at` of the object named like the event.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pipeline_state.events.payload import Payload

_NOWHERE = "https://github.com"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row. Several paths, separated by blanks: the first that is there. `{action}` stands for the payload's action.

    kind: what follows the event's name in the type; all of its parts, dotted.
    """

    subject: str = ""
    time: str = ""
    kind: str = "action"
    source: str = "repository.html_url"


_REPOSITORY = Rule("repository.name", "repository.updated_at", source="repository.owner.url")
_INSTALLATION = Rule("installation.id", "installation.updated_at", source="installation.account.url")
_SECRET_ALERT = Rule("alert.number", "alert.updated_at alert.created_at")

_RULES = {
    "branch_protection_configuration": Rule(),
    "branch_protection_rule": Rule("rule.id", "rule.updated_at"),
    "check_run": Rule("check_run.id", "check_run.completed_at check_run.started_at"),
    "check_suite": Rule("check_suite.id", "check_suite.updated_at"),
    "code_scanning_alert": Rule("alert.number", "alert.updated_at"),
    "commit_comment": Rule("comment.id", "comment.updated_at"),
    "content_reference": Rule("content_reference.id"),
    "create": Rule("ref", kind="ref_type"),
    "custom_property": Rule("definition.property_name"),
    "custom_property_values": Rule(),
    "delete": Rule("ref", kind="ref_type"),
    "dependabot_alert": Rule("alert.id alert.number", "alert.updated_at"),
    "deploy_key": Rule("key.id", "key.deleted_at key.created_at"),
    "deployment": Rule("deployment.id", "deployment.updated_at", kind=""),
    "deployment_protection_rule": Rule("deployment.id", source="deployment.url"),
    "deployment_review": Rule("workflow_run.id", source="deployment.url"),
    "deployment_status": Rule(
        "deployment_status.url", "deployment_status.updated_at", kind="deployment_status.state", source="deployment.url"
    ),
    "discussion": Rule("discussion.id", "discussion.updated_at"),
    "discussion_comment": Rule("discussion.id", "comment.updated_at"),
    "fork": Rule("forkee.url", "forkee.created_at", kind=""),
    "github_app_authorization": Rule(kind="", source="sender.url"),
    "gollum": Rule(kind=""),
    "installation": _INSTALLATION,
    "installation_repositories": _INSTALLATION,
    "installation_target": Rule("installation.id", source="installation.account.url"),
    "issue_comment": Rule("comment.id", "comment.updated_at", source="issue.url"),
    "issues": Rule("issue.number", "issue.updated_at"),
    "label": Rule("label.name"),
    "marketplace_purchase": Rule("marketplace_purchase.account.login", "effective_date"),
    "member": Rule("member.login"),
    "membership": Rule("member.login", kind="scope action", source="team.url"),
    "merge_group": Rule("merge_group.head_ref"),
    "meta": Rule("hook_id", "hook.updated_at"),
    "milestone": Rule("milestone.number", "milestone.updated_at"),
    "org_block": Rule("blocked_user.login", source="organization.url"),
    "organization": Rule("membership.user.login", source="organization.url"),
    "package": Rule("package.id", "package.updated_at package.created_at"),
    "page_build": Rule("build.url", "build.updated_at", kind=""),
    "public": Rule("repository.name", "repository.updated_at", kind="", source="repository.owner.url"),
    "pull_request": Rule("number", "pull_request.updated_at"),
    "pull_request_review": Rule("review.id", "review.submitted_at", source="pull_request.url"),
    "pull_request_review_comment": Rule("comment.id", "pull_request.updated_at", source="pull_request.url"),
    "pull_request_review_thread": Rule("pull_request.id", source="pull_request.url"),
    "push": Rule("ref", "repository.pushed_at", kind=""),
    "registry_package": Rule("registry_package.html_url", "registry_package.updated_at"),
    "release": Rule("release.id", "release.{action}_at release.updated_at"),
    "repository": _REPOSITORY,
    "repository_advisory": Rule("repository_advisory.ghsa_id", "repository_advisory.updated_at"),
    "repository_dispatch": Rule(source="repository.owner.url"),
    "repository_import": Rule("repository.name", "repository.updated_at", kind="", source="repository.owner.url"),
    "repository_ruleset": _REPOSITORY,
    "repository_vulnerability_alert": Rule("alert.id"),
    "secret_scanning_alert": _SECRET_ALERT,
    "secret_scanning_alert_location": _SECRET_ALERT,
    "security_advisory": Rule("security_advisory.ghsa_id", "security_advisory.updated_at"),
    "security_and_analysis": Rule(kind=""),
    "sponsorship": Rule("sponsorship.sponsor.login"),
    "star": Rule(time="starred_at"),
    "status": Rule("sha", "updated_at", kind="state"),
    "team": Rule("team.id", "updated_at"),
    "team_add": Rule("team.id"),
    "watch": Rule(),
    "workflow_dispatch": Rule("workflow", kind=""),
    "workflow_job": Rule("workflow_job.name", "workflow_job.completed_at workflow_job.started_at"),
    "workflow_run": Rule("workflow.name", "workflow_run.updated_at"),
}

_SOURCES: dict[str, Callable[[Payload], str | None]] = {
    "commit_comment": lambda payload: _joined(payload.text("comment.url"), payload.text("comment.commit_id")),
    "marketplace_purchase": lambda payload: _parent(payload.text("sender.url")),
    "security_advisory": lambda _: "github.com",
}
"""The sources that are not simply a field."""


def type_of(event_name: str, payload: Payload) -> str:
    """The CloudEvents type, e.g. `com.github.check_run.completed`."""
    kinds = (payload.label(path) for path in _rule(event_name).kind.split())
    return ".".join(["com.github", event_name, *(kind for kind in kinds if kind)])


def source_of(event_name: str, payload: Payload) -> str:
    """The CloudEvents source: the adapter's, else the repository, the organisation or the sender."""
    special = _SOURCES.get(event_name)
    source = special(payload) if special else payload.text(_rule(event_name).source)
    return source or payload.text("repository.html_url", "organization.url", "sender.url") or _NOWHERE


def subject_of(event_name: str, payload: Payload) -> str | None:
    """The CloudEvents subject, where there is one."""
    return payload.label(*_rule(event_name).subject.split())


def time_of(event_name: str, payload: Payload) -> datetime | None:
    """When it happened, where the payload says so."""
    paths = _rule(event_name).time.format(action=payload.text("action"))
    return payload.moment(*paths.split())


def _rule(event_name: str) -> Rule:
    return _RULES.get(event_name) or Rule(f"{event_name}.id", f"{event_name}.updated_at")


def _joined(url: str | None, end: str | None) -> str | None:
    return f"{url}/{end}" if url and end else None


def _parent(url: str | None) -> str | None:
    return url.rpartition("/")[0] if url else None
