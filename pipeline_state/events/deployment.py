"""What promoter and installer say: promoted, withdrawn, started, applied, superseded, errored, failed, deployed.

All are CDEvents 0.5.1 documents inside CloudEvents. `service deployed`, `upgraded` and `rolledback` are CDEvents' own,
and their schema closes `subject.content`, so ours goes to `customData`; the others are custom, their content is free.
https://github.com/cdevents/spec/blob/v0.5.1/continuous-deployment.md, …/custom/README.md, …/cloudevents-binding.md
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, cast
from urllib.parse import quote

from cloudevents.core.v1.event import CloudEvent

from pipeline_state.faults import PermanentFault
from pipeline_state.model.promotion import Promotion

PROMOTED = "dev.cdeventsx.gatestream-release.promoted.0.1.0"
WITHDRAWN = "dev.cdeventsx.gatestream-release.withdrawn.0.1.0"
STARTED = "dev.cdeventsx.gatestream-release.started.0.1.0"
APPLIED = "dev.cdeventsx.gatestream-release.applied.0.1.0"
SUPERSEDED = "dev.cdeventsx.gatestream-release.superseded.0.1.0"
ERRORED = "dev.cdeventsx.gatestream-release.errored.0.1.0"
FAILED = "dev.cdeventsx.gatestream-release.failed.0.1.0"
DEPLOYED = "dev.cdevents.service.deployed.0.3.0"
UPGRADED = "dev.cdevents.service.upgraded.0.3.0"
ROLLED_BACK = "dev.cdevents.service.rolledback.0.3.0"

Action = Literal["deployed", "upgraded", "rolledback"]
Kind = Literal["started", "applied", "superseded", "errored", "failed", "deployed"]

_CDEVENTS_VERSION = "0.5.1"
_SCHEMA = 1
_ACTION_TYPES: dict[Action, str] = {"deployed": DEPLOYED, "upgraded": UPGRADED, "rolledback": ROLLED_BACK}
_KINDS: dict[str, Kind] = {
    STARTED: "started",
    APPLIED: "applied",
    SUPERSEDED: "superseded",
    ERRORED: "errored",
    FAILED: "failed",
    DEPLOYED: "deployed",
    UPGRADED: "deployed",
    ROLLED_BACK: "deployed",
}


@dataclass(frozen=True, slots=True)
class Course:
    """How an installation went. seconds: from its start to its verdict; 0 where nobody tells.

    healed: what had to be put right first, as a sentence; empty where nothing had to. changes: what became of how many
    resources in the cluster, 4 KB of JSON data at most; output: what Helm said, 4 KB at most, without secrets. Both are
    empty where nobody tells.
    """

    seconds: float = 0.0
    healed: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    output: str = ""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What the installer reports about a promotion. reason: of all but started and deployed; the others: of deployed.

    revision: the release's Helm revision. chart: name and version as Helm prints them, "web-1.2.3".
    digest: of that chart; empty where it cannot be told, and in events of older versions. course: of failed as
    well.
    """

    promotion: Promotion
    kind: Kind
    at: datetime
    reason: str = ""
    revision: int = 0
    chart: str = ""
    digest: str = ""
    course: Course = Course()


def promoted(promotion: Promotion, *, at: datetime) -> CloudEvent:
    """The fact that the commit was promoted; its id is the promotion's. at: the time of the claim, time zone aware."""
    source = _pipeline_source(promotion)
    subject = f"{promotion.repo}@{promotion.commit} → {promotion.environment}"
    content = {"schema": _SCHEMA, "promotion": promotion.to_dict()}
    return _event(promotion, PROMOTED, promotion.id, source, at, {"id": subject, "source": source, "content": content})


def withdrawn(promotion: Promotion, *, at: datetime, reason: str) -> CloudEvent:
    """The fact that a promotion no longer counts, although its release is deployed: to be rolled back."""
    source = _pipeline_source(promotion)
    subject = f"{promotion.repo}@{promotion.commit} → {promotion.environment}"
    content = {"schema": _SCHEMA, "promotion": promotion.to_dict(), "reason": reason}
    about = {"id": subject, "source": source, "content": content}
    return _event(promotion, WITHDRAWN, f"{promotion.id}-withdrawn", source, at, about)


def read_promotion(event: CloudEvent) -> Promotion:
    """The promotion of `promoted` and `withdrawn`. Raises PermanentFault when it is neither, or not whole."""
    if event.get_type() not in {PROMOTED, WITHDRAWN}:
        raise PermanentFault(f"event {event.get_id()} has type {event.get_type()}, expected {PROMOTED}")
    return _promotion(event, _ours(event))


def why_withdrawn(event: CloudEvent) -> str | None:
    """The reason of `withdrawn`; None for `promoted`. Raises PermanentFault when the event is not whole."""
    return str(_ours(event).get("reason", "")) if event.get_type() == WITHDRAWN else None


def started(promotion: Promotion, *, at: datetime) -> CloudEvent:
    """The installer has begun. at: time zone aware."""
    return _release_event(promotion, STARTED, at, {})


def applied(promotion: Promotion, *, at: datetime, reason: str, course: Course = Course()) -> CloudEvent:
    """Helm has applied the release, and whether it works is being watched. reason: what is still to come."""
    return _release_event(promotion, APPLIED, at, {"reason": reason} | _told(course))


def superseded(promotion: Promotion, *, at: datetime, by: int) -> CloudEvent:
    """The installer leaves it, because a newer promotion has claimed the environment. by: that one's generation."""
    reason = f"generation {by} of {promotion.environment} was promoted meanwhile"
    return _release_event(promotion, SUPERSEDED, at, {"reason": reason})


def errored(promotion: Promotion, *, at: datetime, reason: str) -> CloudEvent:
    """An attempt came to nothing, since something that has to do with neither chart nor cluster state is broken."""
    return _release_event(promotion, ERRORED, at, {"reason": reason})


def failed(promotion: Promotion, *, at: datetime, reason: str, course: Course = Course()) -> CloudEvent:
    """The installer has given up. reason: one that a person can read, Helm's own sentence where there is one."""
    return _release_event(promotion, FAILED, at, {"reason": reason} | _told(course))


def deployed(
    promotion: Promotion,
    *,
    at: datetime,
    action: Action,
    revision: int,
    chart: str,
    digest: str = "",
    course: Course = Course(),
) -> CloudEvent:
    """The release runs the commit. action: whether it is new, was changed, or went back to what it was before."""
    told = {"revision": revision, "chart": chart} | ({"digest": digest} if digest else {}) | _told(course)
    return _release_event(promotion, _ACTION_TYPES[action], at, told)


def read_deployment(event: CloudEvent) -> Deployment:
    """The inverse of the six above. Raises PermanentFault when the event is none of them, or not whole."""
    kind = _KINDS.get(event.get_type())
    if kind is None:
        raise PermanentFault(f"event {event.get_id()} has type {event.get_type()}, which no installer sends")
    ours = _ours(event)
    revision = ours.get("revision", 0)
    if not isinstance(revision, int):
        raise PermanentFault(f"event {event.get_id()}: its revision is a {type(revision).__name__}, not a whole number")
    return Deployment(
        promotion=_promotion(event, ours),
        kind=kind,
        at=cast("datetime", event.get_time()),
        reason=str(ours.get("reason", "")),
        revision=revision,
        chart=str(ours.get("chart", "")),
        digest=str(ours.get("digest", "")),
        course=_course(ours),
    )


def _told(course: Course) -> dict[str, Any]:
    """What there is to tell of it."""
    return {name: value for name, value in asdict(course).items() if value}


def _course(ours: Mapping[str, Any]) -> Course:
    seconds, changes = ours.get("seconds"), ours.get("changes")
    return Course(
        float(seconds) if isinstance(seconds, int | float) else 0.0,
        str(ours.get("healed", "")),
        changes if isinstance(changes, Mapping) else {},
        str(ours.get("output", "")),
    )


def _release_event(promotion: Promotion, type_: str, at: datetime, ours: dict[str, Any]) -> CloudEvent:
    """An event of the installer. Its id is the promotion's with the kind: a second attempt's is the same event."""
    source = f"{_pipeline_source(promotion)}/environments/{_segment(promotion.environment)}"
    subject: dict[str, Any] = {"id": promotion.release.name, "source": source}
    custom = {"schema": _SCHEMA, "promotion": promotion.to_dict()} | ours
    event_id = f"{promotion.id}-{_KINDS[type_]}"
    if type_ in (STARTED, APPLIED, SUPERSEDED, ERRORED, FAILED):
        return _event(promotion, type_, event_id, source, at, subject | {"content": custom})
    content = {"environment": {"id": promotion.environment_key}, "artifactId": _artifact(promotion)}
    return _event(promotion, type_, event_id, source, at, subject | {"content": content}, custom)


def _event(
    promotion: Promotion,
    type_: str,
    id_: str,
    source: str,
    at: datetime,
    subject: dict[str, Any],
    custom: dict[str, Any] | None = None,
) -> CloudEvent:
    """The CDEvents document inside its CloudEvent; the binding wants id, source, type, subject and time said twice."""
    context = {
        "specversion": _CDEVENTS_VERSION,
        "id": id_,
        "source": source,
        "type": type_,
        "timestamp": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }
    document = {"context": context, "subject": subject} | ({"customData": custom} if custom else {})
    attributes = {
        "id": id_,
        "source": source,
        "type": type_,
        "subject": subject["id"],
        "time": at.astimezone(UTC),
        "datacontenttype": "application/json",
    }
    if promotion.traceparent:
        attributes["traceparent"] = promotion.traceparent
    return CloudEvent(attributes, document)


def _ours(event: CloudEvent) -> dict[str, Any]:
    """The part of the CDEvents document that is Gatestream's own."""
    data: Any = event.get_data()
    try:
        ours = data["customData"] if "customData" in data else data["subject"]["content"]
    except (KeyError, TypeError) as fault:
        raise PermanentFault(f"data of event {event.get_id()} is not a CDEvents document") from fault
    if not isinstance(ours, dict):
        raise PermanentFault(f"event {event.get_id()}: our part of its data is a {type(ours).__name__}, not an object")
    return ours


def _promotion(event: CloudEvent, ours: dict[str, Any]) -> Promotion:
    try:
        return Promotion.from_dict(ours["promotion"], event.get_extension("traceparent") or "")
    except (KeyError, TypeError, ValueError) as fault:
        raise PermanentFault(f"event {event.get_id()} carries no whole promotion: {_named(fault)}") from fault


def _named(fault: Exception) -> str:
    """What is missing, by name; a value that does not fit is not quoted."""
    return f"{fault} is missing" if isinstance(fault, KeyError) else f"a value does not fit ({type(fault).__name__})"


def _pipeline_source(promotion: Promotion) -> str:
    return f"/gatestream/pipelines/{_segment(promotion.pipeline)}"


def _segment(name: str) -> str:
    return quote(name, safe="")


def _artifact(promotion: Promotion) -> str:
    """The commit as a package URL; type github is lower case by definition (package-url/purl-spec, types/github)."""
    path = "/".join(_segment(part) for part in promotion.repo.lower().split("/"))
    return f"pkg:github/{path}@{promotion.commit}"
