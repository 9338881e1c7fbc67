"""Names and references in pipelines.yaml, checked, and as a JSON Schema from one source."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, StrictStr
from pydantic.json_schema import WithJsonSchema

from pipeline_state.model.gates import name_problem
from pipeline_state.model.pipelines import DEPLOYED_TO

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_GATE = r"[A-Za-z0-9.\-/:][A-Za-z0-9_.\-/:]*"

# https://semver.org/#backusnaur-form-grammar-for-valid-semver-versions, and the v that Helm takes before it.
_NUMBER = r"(?:0|[1-9][0-9]*)"
_BEFORE_RELEASE = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_BUILD = r"[0-9A-Za-z-]+"
_VERSION = (
    rf"v?{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_BEFORE_RELEASE}(?:\.{_BEFORE_RELEASE})*)?(?:\+{_BUILD}(?:\.{_BUILD})*)?"
)

# https://github.com/distribution/reference/blob/main/reference.go
_HOST_PART = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"(?:{_HOST_PART}(?:\.{_HOST_PART})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_PATH_PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_REPOSITORY = rf"(?:{_HOST}/)?{_PATH_PART}(?:/{_PATH_PART})*"

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_S3_CHART = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.*[^/]\.tgz"

_LOGIN_SHOWN = "a user or password in {} URL is seen by everybody who sees this file; leave it out"


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


def _chart(value: str) -> str:
    if "://" in value and not value.startswith(("oci://", "https://", "s3://")):
        known = "oci://…, https://….tgz, s3://<bucket>/<key>.tgz"
        raise ValueError(f"{value!r} cannot be fetched; write {known} or the bundled charts/<name>")
    if "@" in value.partition("://")[2].partition("/")[0]:
        raise ValueError(_LOGIN_SHOWN.format("a chart's"))
    if value.startswith("s3://") and not re.fullmatch(_S3_CHART, value):
        raise ValueError(f"{value!r} is no chart in a bucket; write s3://<bucket>/<key>.tgz")
    if "://" not in value and (value.startswith("/") or ".." in value.split("/") or "@" in value):
        raise ValueError(f"{value!r} is not a bundled chart; write charts/<name>, without .. and a leading /")
    return value


def _url(value: str) -> str:
    if "@" in re.split(r"[/?#]", value.partition("://")[2], maxsplit=1)[0]:
        raise ValueError(_LOGIN_SHOWN.format("a"))
    if not (re.fullmatch(_URL, value) and _has_host(value)):
        raise ValueError(f"{value[:80]!r} cannot be asked; write a URL such as https://shop.example.com/health")
    return value


_URL = r"https?://[^\s/?#@]+(?:[/?#]\S*)?"


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an address, a port that is none
        return False


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
ChartRef = Annotated[Text, AfterValidator(_chart)]
ChartVersion = Annotated[
    StrictStr,
    *_text(_VERSION, 128, "write one version, as 1.4.2; of a range nobody could tell what is promoted"),
]
Repository = Annotated[
    StrictStr,
    *_text(
        _REPOSITORY,
        255,
        "write the repository without https://, tag and digest, as registry.example.com/web; the tag is the commit",
    ),
]
Url = Annotated[
    StrictStr, AfterValidator(_url), WithJsonSchema({"type": "string", "pattern": f"^{_URL}$", "maxLength": 2000})
]
