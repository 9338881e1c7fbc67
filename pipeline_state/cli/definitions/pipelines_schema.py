"""The form of pipelines.yaml: what the command checks and, from the same source, what editors check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr, ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from pipeline_state.cli.definitions.pipelines_releases import REFERENCES
from pipeline_state.cli.definitions.pipelines_texts import (
    ChartRef,
    ChartVersion,
    EksName,
    EnvironmentName,
    GateName,
    Namespace,
    PipelineName,
    Region,
    ReleaseName,
    Repo,
    Repository,
    RoleArn,
    TagPath,
    Text,
    Url,
)
from pipeline_state.cli.definitions.pipelines_times import Cron, Day, Duration, Soak, Timeout, Zone
from pipeline_state.cli.definitions.yaml_lines import Loc, kind_of, quoted
from pipeline_state.model.gates import NAMED_ATTRIBUTES
from pipeline_state.model.pipelines import Policy


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


class VerifyEntry(_Entry):
    """What must be so, once a release is ready, for its deployment to count; otherwise it is rolled back."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["url"]}, {"required": ["gate"]}]})

    url: Url | None = Field(None, description="A URL (http or https) that must answer with 2xx")
    gate: GateName | None = Field(
        None, description="A gate of this pipeline that must open; one that is not open before the deployment anyway"
    )
    within: Timeout = Field(
        300, description="How long it may take, from when the release is ready: seconds, or 90s, 2h"
    )


class ReleaseEntry(_Entry):
    """A Helm release."""

    name: ReleaseName = Field(description="The release's name")
    namespace: Namespace = Field(description="The namespace it is installed in")
    chart: ChartRef = Field(
        description="charts/<name> (bundled with the installer), https://….tgz, s3://<bucket>/<key>.tgz or oci://…"
    )
    version: ChartVersion | None = Field(None, description="With an oci:// chart: its version, 1.4.2; no range")
    values: dict[StrictStr, Any] = Field(
        default_factory=dict,
        description="Values for the chart; {from_secret: …, key: …} or {from_parameter: …} is a text that the "
        "installer alone reads",
    )
    image_tag: TagPath = Field("image.tag", description="Dotted path of the value that becomes the commit's hash")
    timeout: Timeout | None = Field(
        None, description="How long the release may take to be ready; unless given, as long as the environment says"
    )
    image: Repository | None = Field(
        None,
        description="The image's repository, registry.example.com/web: asked for the commit's tag before Helm starts",
    )
    registry_secret: Text | None = Field(
        None,
        description="Name or ARN of a Secrets Manager secret with a Docker config.json, to log in for chart and image",
    )
    test: StrictBool = Field(default=False, description="Whether `helm test` must pass once it is ready")
    verify: VerifyEntry | None = Field(None, description="What must be so after that, else it is rolled back")


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
    timeout: Timeout = Field(
        300, description="How long each release may take to be ready, unless it says so itself: seconds, or 5m, 2h"
    )
    releases_in_order: StrictBool = Field(
        default=False, description="Whether each release waits for the one before it; otherwise all begin at once"
    )
    rollback_together: StrictBool = Field(
        default=False, description="Whether a release that fails takes back those that were deployed with it"
    )
    force_conflicts: StrictBool = Field(
        default=False, description="Whether Helm 4 takes over fields that others manage, as after `kubectl scale`"
    )
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
    values = made["$defs"]["ReleaseEntry"]["properties"]["values"]
    values |= {"propertyNames": {"not": {"enum": list(REFERENCES)}}, "additionalProperties": _VALUE}
    made["$defs"]["Value"] = _value_schema()
    return {"$schema": GenerateJsonSchema.schema_dialect, "title": "Gatestream's pipelines.yaml", **made}


_VALUE = {"$ref": "#/$defs/Value"}


def _value_schema() -> dict[str, Any]:
    """Anything, where every map with the key of a reference is one as a whole."""
    text = {"type": "string", "pattern": r"\S"}
    references = [
        {"properties": dict.fromkeys(keys, text), "required": [kind], "additionalProperties": False}
        for kind, keys in REFERENCES.items()
    ]
    return {
        "description": "A value for the chart, or a text that the installer alone reads",
        "if": {"type": "object", "anyOf": [{"required": [kind]} for kind in REFERENCES]},
        "then": {"oneOf": references},
        "else": {"additionalProperties": _VALUE, "items": _VALUE},
    }


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
    wanted = {
        "string_type": "text",
        "list_type": "a list, one entry per line after '- '",
        "dict_type": "keys with values",
        "model_type": "keys with values",
        "bool_type": "true or false",
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
