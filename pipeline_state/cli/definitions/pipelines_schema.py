"""The form of pipelines.yaml: what the command checks and, from the same source, what editors check."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictStr, ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, WithJsonSchema

from pipeline_state.cli.definitions.pipelines_times import Cron, Day, Duration, Soak, Zone
from pipeline_state.cli.definitions.yaml_lines import Loc, kind_of, quoted
from pipeline_state.model.gates import NAMED_ATTRIBUTES, name_problem
from pipeline_state.model.pipelines import DEPLOYED_TO, Policy

Checked = TypeVar("Checked")

LONGEST_TIMEOUT = 840
"""Seconds: Lambda ends a function after 15 minutes, and a failed release takes a minute to roll back."""

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_GATE = r"[A-Za-z0-9.\-/:][A-Za-z0-9_.\-/:]*"
_TIMEOUT = r"([1-9][0-9]*)(s|m)"


def _matching(pattern: str, longest: int, rule: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if len(value) > longest:
            raise ValueError(f"has {len(value)} characters; {longest} is the most")
        if not re.fullmatch(pattern, value):
            raise ValueError(f"{value[:80]!r} cannot be used; {rule}")
        return value

    return check


def _text(pattern: str, longest: int, rule: str) -> tuple[AfterValidator, WithJsonSchema]:
    schema = {"type": "string", "pattern": f"^{pattern}$", "maxLength": longest}
    return AfterValidator(_matching(pattern, longest, rule)), WithJsonSchema(schema)


def _gate_name(name: str) -> str:
    problem = name_problem(name)
    if problem:
        raise ValueError(problem)
    if name.startswith(DEPLOYED_TO):
        raise ValueError(f"gates that start with {DEPLOYED_TO} are written by the pipeline itself; choose another name")
    return name


def _seconds(value: object) -> object:
    """300, "300s" or "5m" as seconds; anything else is left for the type check."""
    match = re.fullmatch(_TIMEOUT, value) if isinstance(value, str) else None
    return int(match[1]) * (60 if match[2] == "m" else 1) if match else value


def _chart(value: str) -> str:
    if "://" in value and not value.startswith(("oci://", "https://")):
        raise ValueError(f"{value!r} cannot be fetched; write oci://…, https://….tgz or the bundled charts/<name>")
    if "@" in value.partition("://")[2].partition("/")[0]:
        raise ValueError("a user or password in a chart's URL is seen by everybody who sees this file; leave it out")
    if "://" not in value and (value.startswith("/") or ".." in value.split("/") or "@" in value):
        raise ValueError(f"{value!r} is not a bundled chart; write charts/<name>, without .. and a leading /")
    return value


_plain, _longest_plain = r"[^\x00-\x1f\x7f]+", 400
Text = Annotated[StrictStr, *_text(_plain, _longest_plain, "use at least one character, all on one line")]
Repo = Annotated[
    StrictStr, *_text(r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)+", 140, "write owner/name, without host, # and @")
]
PipelineName = Annotated[
    StrictStr,
    *_text(rf"{_NAME}(?:/{_NAME})*", 140, "use letters, digits and . _ - / with a letter or digit at both ends"),
]
EnvironmentName = Annotated[
    StrictStr, *_text(_NAME, 63, "use letters, digits and . _ - with a letter or digit at both ends")
]
ReleaseName = Annotated[
    StrictStr,
    *_text(
        rf"{_LABEL}(?:\.{_LABEL})*",
        53,
        "Helm takes lower-case letters, digits, - and . with a letter or digit at the ends",
    ),
]
Namespace = Annotated[
    StrictStr,
    *_text(_LABEL, 63, "Kubernetes takes lower-case letters, digits and - with a letter or digit at both ends"),
]
GateName = Annotated[
    StrictStr,
    AfterValidator(_gate_name),
    WithJsonSchema({"type": "string", "pattern": f"^(?!{DEPLOYED_TO}){_GATE}$", "maxLength": 255}),
]
EksName = Annotated[StrictStr, *_text(r"[A-Za-z0-9][A-Za-z0-9_-]*", 100, "use the EKS cluster's name, not its ARN")]
RoleArn = Annotated[
    StrictStr, *_text(r"arn:[a-z-]+:iam::[0-9]{12}:role/\S+", 2048, "write arn:aws:iam::<account>:role/<name>")
]
Region = Annotated[StrictStr, *_text(r"[a-z]{2}(?:-[a-z]+)+-[0-9]+", 30, "write a region such as eu-west-1")]
TagPath = Annotated[
    StrictStr, *_text(r"(?:[^.\\\s]|\\\.)+(?:\.(?:[^.\\\s]|\\\.)+)*", 200, "write a dotted path such as image.tag")
]
Seconds = Annotated[
    int,
    Field(strict=True, ge=1, le=LONGEST_TIMEOUT),
    BeforeValidator(_seconds),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": LONGEST_TIMEOUT},
                {"type": "string", "pattern": f"^{_TIMEOUT}$"},
            ]
        }
    ),
]
ChartRef = Annotated[Text, AfterValidator(_chart)]


class _Entry(BaseModel):
    """One mapping in the file; keys it does not have are errors."""

    model_config = ConfigDict(extra="forbid")


class GateEntry(_Entry):
    """What opens a gate: at most one CI result. Without any, a person opens it."""

    circleci_workflow: Text | None = Field(
        None, description="Name of the CircleCI workflow whose success opens the gate"
    )
    circleci_job: Text | None = Field(None, description="Name of the CircleCI job whose success opens the gate")
    github_check: Text | None = Field(None, description="Name of the GitHub check or commit status that opens the gate")
    github_check_suite: Text | None = Field(None, description="Slug of the GitHub app whose check suite opens the gate")
    github_workflow: Text | None = Field(None, description="Name of the GitHub Actions workflow that opens the gate")
    app: Text | None = Field(None, description="With github_check: slug of the only GitHub app that may report it")


class ClusterEntry(_Entry):
    """Where releases live: an EKS cluster, a secret with a kubeconfig, or a context of the local stack's kubeconfig."""

    eks: EksName | None = Field(None, description="Name of an EKS cluster")
    region: Region | None = Field(None, description="With eks: the cluster's region, unless it is the stack's own")
    role: RoleArn | None = Field(None, description="With eks: ARN of a role to assume on the way to the cluster")
    kubeconfig_secret: Text | None = Field(
        None, description="Name or ARN of a Secrets Manager secret with a kubeconfig"
    )
    context: Text | None = Field(
        None, description="With kubeconfig_secret: the context to use. Alone: one of the local stack's kubeconfig"
    )


class ReleaseEntry(_Entry):
    """A Helm release."""

    name: ReleaseName = Field(description="The release's name")
    namespace: Namespace = Field(description="The namespace it is installed in")
    chart: ChartRef = Field(description="charts/<name> (bundled with the installer), https://….tgz or oci://…")
    version: Text | None = Field(None, description="With an oci:// chart: its version")
    values: dict[StrictStr, Any] = Field(default_factory=dict, description="Values for the chart")
    image_tag: TagPath = Field("image.tag", description="Dotted path of the value that becomes the commit's hash")
    timeout: Seconds = Field(300, description="How long the release may take to be ready: seconds, or 90s, 5m")


class FreezeEntry(_Entry):
    """A time that comes again and again, in which nothing is promoted to the environment."""

    cron: Cron = Field(description='When it begins: minute, hour, day-of-month, month, day-of-week, "0 17 * * FRI"')
    duration: Duration = Field(description="How long it lasts: 30m, 12h, 2d")
    timezone: Zone = Field("UTC", description="The IANA name of the time zone that cron and exclude are meant in")
    exclude: list[Day] = Field(default_factory=list, description="Days on which it does not begin: 2026-12-24")
    reason: Text | None = Field(None, description="What to tell those who have to wait")


class EnvironmentEntry(_Entry):
    """One place that commits are deployed to."""

    name: EnvironmentName = Field(description="Its name; the gate deployed_to_<name> tells of it")
    gates: list[GateName] = Field(default_factory=list, description="Gates of this pipeline it needs")
    after: list[EnvironmentName] | None = Field(
        None, description="Environments that must have the commit first; unless given, the one before it in this list"
    )
    policy: Policy = Field(
        Policy.NEWEST,
        description="newest: of several commits that are ready, the newest alone. every: each of them, in their order",
    )
    soak: Soak = Field(
        0,
        description="How long a commit must have been in each environment before without failure: seconds, or 30m, 2h",
    )
    freezes: list[FreezeEntry] = Field(default_factory=list, description="When nothing is promoted to it")
    cluster: ClusterEntry = Field(description="The cluster its releases live in")
    releases: Annotated[list[ReleaseEntry], Field(min_length=1)] = Field(description="What is installed there")


class PipelineEntry(_Entry):
    """How the commits of one repository travel through its environments."""

    name: PipelineName | None = Field(None, description="The pipeline's name; the repository's, unless given")
    repo: Repo = Field(description="The repository, owner/name")
    branches: Annotated[list[Text], Field(min_length=1)] = Field(
        default=["main"], description="Patterns of the branches whose commits are taken: main, release/*"
    )
    paths: list[Text] = Field(
        default_factory=list, description="For monorepos: patterns of the paths that a commit must touch, api/*"
    )
    gates: dict[GateName, GateEntry | None] = Field(
        default_factory=dict, description="Its gates by name, each with what opens it; nothing for a manual one"
    )
    environments: Annotated[list[EnvironmentEntry], Field(min_length=1)] = Field(description="In their order")


class PipelinesFile(_Entry):
    """pipelines.yaml."""

    pipelines: Annotated[list[PipelineEntry], Field(min_length=1)] = Field(description="The pipelines")


class _Schema(GenerateJsonSchema):
    """Without pydantic's titles, and without null where leaving a key out means the same."""

    def nullable_schema(self, schema: Any) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        made = super().default_schema(schema)
        return {key: value for key, value in made.items() if (key, value) != ("default", None)}

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False


def json_schema() -> dict[str, Any]:
    """The JSON Schema of pipelines.yaml."""
    made = PipelinesFile.model_json_schema(schema_generator=_Schema)
    gates = made["$defs"]["PipelineEntry"]["properties"]["gates"]
    ((names, entry),) = gates.pop("patternProperties").items()
    gates["propertyNames"] |= {"pattern": names, "not": {"enum": sorted(NAMED_ATTRIBUTES)}}
    gates["additionalProperties"] = {"anyOf": [entry, {"type": "null"}]}
    return {"$schema": GenerateJsonSchema.schema_dialect, "title": "Gatestream's pipelines.yaml", **made}


def shape_problems(data: object) -> Iterator[tuple[Loc, str]]:
    """Everything that is not in the form of pipelines.yaml: where, and what to do about it."""
    try:
        PipelinesFile.model_validate(data)
    except ValidationError as error:
        schema = json_schema()
        for problem in error.errors(include_url=False):
            loc = tuple(part for part in problem["loc"] if part != "[key]")
            yield loc, _sentence(problem["type"], loc, problem, schema)


def _sentence(  # noqa: PLR0911 - one return for each kind of mistake
    kind: str, loc: Loc, problem: Mapping[str, Any], schema: Mapping[str, Any]
) -> str:
    given, limits = problem["input"], problem.get("ctx", {})
    match kind:
        case "missing":
            about = _properties(loc[:-1], schema)[str(loc[-1])]["description"]
            return f"is missing; add `{loc[-1]}: …` ({about})"
        case "extra_forbidden":
            return _unknown_key(loc, schema)
        case "value_error":
            return str(limits["error"])
        case "string_type" if isinstance(given, bool | int | float):
            return f"is {kind_of(given)}, not text; put it in quotes"
        case "enum":
            return f"{quoted(given)} cannot be used; write {str(limits['expected']).replace(chr(39), '')}"
        case "too_short":
            return "is empty; it needs at least one entry"
        case "greater_than_equal" | "less_than_equal":
            return f"is {given}; give 1 to {LONGEST_TIMEOUT} seconds, or as 90s or 5m"
    wanted = {
        "string_type": "text",
        "list_type": "a list, one entry per line after '- '",
        "dict_type": "keys with values",
        "model_type": "keys with values",
        "int_type": "whole seconds, or text as 90s or 5m",
    }
    return f"is {kind_of(given)}; it must be {wanted.get(kind, problem['msg'])}"


def _unknown_key(loc: Loc, schema: Mapping[str, Any]) -> str:
    known = list(_properties(loc[:-1], schema))
    if len(loc) == 1 and loc[0] in _properties(("pipelines", 0), schema):
        return "is not known here; it belongs to an entry of `pipelines:`"
    near = get_close_matches(str(loc[-1]), known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the keys here are {', '.join(known)}"
    return f"is not known; {hint}"


def _properties(loc: Loc, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The keys that may stand in the mapping at a place, with their schemas."""
    here = schema
    for part in loc:
        inner = here["items"] if isinstance(part, int) else here.get("properties", {}).get(part)
        here = _resolved(inner or here["additionalProperties"], schema)
    properties: Mapping[str, Any] = here["properties"]
    return properties


def _resolved(here: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    first = here["anyOf"][0] if "anyOf" in here else here
    return schema["$defs"][first["$ref"].rpartition("/")[2]] if "$ref" in first else first
