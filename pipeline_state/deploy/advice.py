"""The next step after a sentence of Helm's, where one is known: what a person woken at night would have to look up.

The sentences are those of tests/payloads/helm; where Helm 3 and Helm 4 differ, a pattern has what they share.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

MAX_BYTES = 400
"""No piece of advice is longer, whatever the names in it."""

_ACCESS = "infra/cluster-access/README.md"
_ROLES = "infra/cluster-access/installer.yaml"
_MOST_FIELDS = 3


def next_step(sentence: str) -> str:
    """What to do about it, as a sentence of at most MAX_BYTES; empty where nothing beyond Helm's words is known."""
    for when, step in _TABLE:
        if match := re.search(when, sentence, re.MULTILINE | re.IGNORECASE):  # compiled once something has failed
            known = {"namespace": _namespace(sentence), **match.groupdict(default="")}
            told = step(sentence) if callable(step) else step.format_map(known)
            return told.encode()[:MAX_BYTES].decode(errors="ignore")
    return ""


_PLACES = re.compile(
    r'in the namespace "(?P<forbidden>[^"]+)"|in namespace "(?P<quoted>[^"]+)"|in namespace (?P<ending>\S+) because'
    r"|applying object (?P<conflict>[^/\s]+)/|for object (?P<applied>[^/\s]+)/|resource \w+/(?P<awaited>[^/\s]+)/"
)


def _namespace(sentence: str) -> str:
    """The namespace that the sentence tells of; Helm 3 often tells of none."""
    match = _PLACES.search(sentence)
    return next((name for name in match.groups() if name), "NAMESPACE") if match else "NAMESPACE"


# How the API server words it:
# https://github.com/kubernetes/apimachinery/blob/v0.35.0/pkg/util/managedfields/internal/conflict.go
_OWNER = re.compile(
    r'conflicts? with "(?P<name>[^"]+)"(?: with subresource "(?P<part>[^"]+)")?[^:\n]*:'
    r"(?P<fields> \.[^\s:;]+|(?:\n\s*- \.[^\s;]+)+)"
)
_FIELD = re.compile(r"\.[^\s:;]+")


def _conflict(sentence: str) -> str:
    owners: dict[str, dict[str, None]] = {}
    for found in _OWNER.finditer(sentence):
        owner = found["name"] + (f" ({found['part']})" if found["part"] else "")
        owners.setdefault(owner, {}).update(dict.fromkeys(_FIELD.findall(found["fields"])))
    told = "; ".join(f"{owner} owns {_listed(fields)}" for owner, fields in owners.items())
    told = told or "somebody else owns a field"
    return f"{told}. Take over with force_conflicts: true in pipelines.yaml, or leave that out of the chart."


def _listed(fields: Iterable[str]) -> str:
    first = list(fields)
    more = f" and {len(first) - _MOST_FIELDS} more" if len(first) > _MOST_FIELDS else ""
    return ", ".join(first[:_MOST_FIELDS]) + more


_EVENTS = (
    "kubectl get events -n {namespace} tells for an hour: an image that cannot be pulled, a probe, no node with room"
)

# Helm's words, and the step: a text with the pattern's groups in it and {namespace}, or what makes one of the sentence.
# The more special before the more general.
_TABLE: tuple[tuple[str, str | Callable[[str], str]], ...] = (
    (r"Apply failed with \d+ conflict", _conflict),
    (
        r"exceeded quota: (?P<quota>[^,\s]+)",
        "free some of the ResourceQuota, or raise it: kubectl describe resourcequota {quota} -n {namespace}.",
    ),
    (
        r"failed quota: (?P<quota>[^:\s]+): must specify (?P<what>\S+)",
        "the ResourceQuota {quota} wants every container to state {what}: set it in the chart's values.",
    ),
    (
        r'violates PodSecurity "(?P<level>[^:"]+)',
        "set that in the chart's securityContext; the namespace's label pod-security.kubernetes.io/enforce is {level}.",
    ),
    (
        r'no matches for kind "(?P<kind>[^"]+)" in version "(?P<version>[^"]+)"',
        "the cluster does not serve {kind} of {version}: install its definition, or see kubectl api-resources.",
    ),
    (
        r'User "system:anonymous"',
        "no credentials were shown: see the user in the kubeconfig, or " + _ACCESS + ", step 3.",
    ),
    (
        r'cannot \w+ resource "secrets" .*in the namespace "(?P<where>[^"]+)"',
        "bind the ClusterRole gatestream-installer in the namespace {where}: " + _ACCESS + ", step 2.",
    ),
    (
        r'cannot \w+ resource "namespaces"',
        "the ClusterRole gatestream-namespaces allows it; or make the namespace yourself: " + _ACCESS + ", Namespaces.",
    ),
    (
        r'cannot \w+ resource "(?P<resource>[^"]+)" in API group "[^"]*" at the cluster scope',
        _ROLES + " gives no right to what the whole cluster shares: add one for {resource}, or install that apart.",
    ),
    (
        r'cannot (?P<verb>\w+) resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"',
        "add it to " + _ROLES + ': apiGroups ["{group}"], resources [{resource}], verbs [{verb}].',
    ),
    (
        r'failed calling webhook "(?P<name>[^"]+)"',
        "the admission webhook {name} does not answer: kubectl get validatingwebhookconfigurations tells its service.",
    ),
    (
        r"field is immutable|updates to statefulset spec for fields other than",
        "Kubernetes never changes that: delete the object first (what it runs ends), or name it anew in the chart.",
    ),
    (
        r"may not be more than 1048576 bytes|(?:entity|request is) too large",
        "Helm keeps chart and values in one Secret of at most 1 MiB: keep large files out of the chart (.helmignore).",
    ),
    (
        r"invalid ownership metadata",
        "it was there before: delete it, hand it over with kubectl label and annotate as said, or name it anew.",
    ),
    (
        r"because it is being terminated",
        "somebody is deleting the namespace; kubectl get namespace {namespace} -o yaml tells what still holds it.",
    ),
    (
        r"failed (?:pre|post)-\w+: (?:.*\n)?.*?(?:Job/[^/\s]+/|job )(?P<job>[\w.-]*\w)",
        "the hook's log is kubectl logs -n {namespace} job/{job}, unless its hook-delete-policy has removed it.",
    ),
    (
        r"CrashLoop state: (?P<container>[\w.-]*\w)",
        "the container {container} ends again and again; its last words are where the cluster keeps its logs.",
    ),
    (
        r"(?P<kind>Job|Pod)/[^/\s]+/(?P<name>\S+) not ready\. status: Failed|\* (?P<kind_3>pod) (?P<name_3>\S+) failed",
        "its log, if it is still there: kubectl logs -n {namespace} {kind}{kind_3}/{name}{name_3}.",
    ),
    (
        r"not ready\. status: Unknown",
        "Helm could not see it while it waited: the API server did not answer, or the installer may not list it.",
    ),
    (r"not ready\. status:", "why: " + _EVENTS + "."),
    (
        r'(?:^|(?<!"): |\* )(?:context deadline exceeded|timed out waiting)',  # not of one request, by its URL
        "Helm does not say what was not ready; " + _EVENTS + ".",
    ),
    (r"getting credentials: exec", "the installer runs no program of a kubeconfig's: " + _ACCESS + ", Other clusters."),
    (
        r"cluster unreachable: .*signed by unknown authority",
        "the kubeconfig's certificate-authority-data is not that of this cluster.",
    ),
    (r"cluster unreachable: unknown", "the cluster does not even tell its version: bind system:discovery to the user."),
    (
        r"status code:? 40[13]|credential not found",
        "registry_secret in pipelines.yaml names the login for the registry; may that pull this?",
    ),
    (
        r"provide credentials|(?:^|: |\* )Unauthorized(?:$|[;:])",
        "if it stays so, the cluster does not know the installer's role: " + _ACCESS + ", step 3.",
    ),
    (
        r"cluster unreachable: .*(?:connection refused|i/o timeout|no such host)",
        "if it stays so, the function cannot reach the endpoint: a private one wants VpcSubnetIds in template.yaml.",
    ),
)
