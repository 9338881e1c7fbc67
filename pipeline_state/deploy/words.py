"""What Helm's stderr means: the business said no, or the machine broke. And its sentence, fit to be shown.

Helm has no error codes; these are the words of Helm 4.3 and 3.19, client-go and the container registries. Whatever is
not known to pass by itself counts as failed: a person sees it at once, and a new commit or a redeploy tries again.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable

from pipeline_state.deploy import advice
from pipeline_state.faults import PermanentFault, TemporaryFault

MAX_BYTES = 1024

_NEXT = "\nNext: "
_MOST_WEIGHED = 1 << 13
"""How much of a long sentence is looked at: patterns take their time."""

_FINAL = re.compile(
    # A wait that ended, in Helm 4 and in Helm 3.
    r"not ready\. status:(?! Unknown)|(?:being set|FAILED|failed (?:pre|post)-\w+): client rate limiter Wait"
    # The chart, its values, or an object of it: what follows are their names and texts, which may be anything.
    r"|parse error (?:at \(|on )|execution error at \(|don't meet the specifications of the schema"
    r"|\" is invalid: |failed to create typed patch object|field not declared in schema|unknown field \""
    r"|denied (?:the )?request|request is too large"  # admission; etcd about a release of over 1 MB
    r"|cluster unreachable: (?:context|stat|open|error loading|invalid configuration|unknown)|getting credentials: exec"
    r"|x509: |first record does not look like a TLS handshake|server gave HTTP response to HTTPS client"
    r"|status code:? 40[13](?!.*token has expired)",  # a registry's; that of the API server has words of its own
    re.IGNORECASE,
)
# An API server that has just begun knows nobody's rights yet, and refuses even what everybody may ask; one that does so
# from the first request on does not know us. https://kubernetes.io/docs/reference/using-api/health-checks/
_JUST_BEGUN = re.compile(r"original upgrade error: .*is forbidden: .*cluster unreachable: unknown", re.DOTALL)
_PASSING: tuple[tuple[float, str], ...] = (
    # The token ran out between two requests; the next try makes a new one.
    (5.0, r"provide credentials|Unauthorized(?:$|[;:])|must be logged in|ExpiredToken|token (?:has|is) expired"),
    # Somebody else's change came in between; another Helm made the same revision, a moment before.
    (10.0, r"the object has been modified; please apply your changes|another operation \(.*\) is in progress"),
    # Somebody has made the release, or uninstalled it, since it was looked up.
    (10.0, r"release: already exists|\" has no deployed releases"),
    # Of the API server, registries, and AWS, whose code it is as written here: a chart may have a "throttler".
    (60.0, r"too many requests|toomanyrequests|rate exceeded|(?-i:\bThrottling(?:Exception)?\b)"),
    # Nobody answers, or the line broke.
    (
        30.0,
        r"connection refused|connection reset by peer|broken pipe|no such host|server misbehaving|: EOF(?:$|[;:])",
    ),
    (30.0, r"network is unreachable|no route to host|i/o timeout|TLS handshake timeout|connection timed out"),
    (30.0, r"timeout awaiting response headers|request canceled while waiting for connection|cluster unreachable"),
    (30.0, r"failure in name resolution|Client\.Timeout|stream error: stream ID \d|client rate limiter Wait"),
    # What Go says of a request that got no answer, and of an answer that broke off: https://pkg.go.dev/net/url#Error
    (30.0, r'(?-i:Get|Head|Post|Put|Patch|Delete) "https?://[^"]*": (?:net/)?http2?: '),
    (30.0, r'(?-i:Get|Head|Post|Put|Patch|Delete) "https?://[^"]*": (?:unexpected EOF|context deadline exceeded)'),
    (30.0, r"Please retry\. Original error: |failed to read response body: unexpected EOF"),
    # An API that another server answers for, which is not there yet, or not any more.
    (30.0, r"stale GroupVersion discovery"),
    # Helm waited without ever seeing the workload: what it asked was not answered.
    (30.0, r"not ready\. status: Unknown"),
    # The API server says that it cannot just now; a registry's 5xx.
    (30.0, r"etcdserver: |the server is currently unable|the server was unable to return a response"),
    (30.0, r"Internal error occurred|an error on the server|apiserver is shutting down|request did not complete"),
    (30.0, r"status code:? 5\d\d\b|unexpected status from .*: 5\d\d\b"),
    # What is left of "etcdserver: leader changed": Helm asks again by itself, but with a body that it has sent.
    # https://github.com/helm/helm/blob/v4.0.0/pkg/kube/roundtripper.go
    (30.0, r"http: ContentLength=\d+ with Body length 0"),
    # Somebody deletes the namespace; once it is gone, Helm makes it anew.
    (30.0, r"because it is being terminated"),
)

_NOISE = re.compile(r"^(?:WARNING: |Flag --\S+ has been deprecated|time=|level=|[IWE]\d{4} )")
_TOKEN = re.compile(r"(k8s-aws-v1\.|Bearer |Basic |eyJ)[A-Za-z0-9._~+/=-]+")
_USERINFO = re.compile(r"://[^/\s:@]*:[^/\s@]*@")


def fault_of(stderr: bytes, secrets: Iterable[str] = ()) -> PermanentFault | TemporaryFault:
    """The fault that Helm's stderr stands for. Its reason is `sentence`, and the next step, where one is known."""
    said = _told(stderr, secrets)
    reason = _advised(said)
    passing = re.IGNORECASE | re.MULTILINE  # compiled once something has failed
    delay = next((delay for delay, words in _PASSING if re.search(words, said, passing)), None)
    if delay is None or (_FINAL.search(said) and not _JUST_BEGUN.search(said)):
        return PermanentFault(reason)
    return TemporaryFault(reason, delay)


def sentence(stderr: bytes, secrets: Iterable[str] = ()) -> str:
    """Helm's last "Error: …" and what follows it, at most 1 KB, without log lines, warnings and secrets."""
    return _cut(_told(stderr, secrets), MAX_BYTES)


def _advised(said: str) -> str:
    step = advice.next_step(said)
    end = f"{_NEXT}{step}" if step else ""
    return _cut(said, MAX_BYTES - len(end.encode())) + end


def _told(stderr: bytes, secrets: Iterable[str]) -> str:
    lines = stderr.decode(errors="replace").splitlines()
    told = "\n" + "\n".join(line.rstrip() for line in lines if line.strip() and not _NOISE.match(line))
    said = told.rpartition("\nError:")[2].strip() or "Helm ended without a word"
    return _cut(_once(scrub(said, secrets)), _MOST_WEIGHED)


def _once(said: str) -> str:
    """Where the rollback fails just as the upgrade did, Helm says so in the same words once more: they are left out."""
    before, marker, both = said.partition("original upgrade error: ")
    first = both[: len(both) // 2 - 1]
    return f"{before}{marker}{first}; the rollback failed alike" if both and both == f"{first}: {first}" else said


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore")


def added(reason: str, more: str) -> str:
    """A reason with something more to tell, before its next step if it has one."""
    told, mark, step = reason.partition(_NEXT)
    return f"{told}; {more}{mark}{step}"


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with secrets, as they are or as a Secret has them, bearer tokens and passwords in URLs blotted out."""
    shapes = (shape for secret in secrets if secret for shape in (secret, _encoded(secret)))
    for shape in sorted(shapes, key=len, reverse=True):
        text = text.replace(shape, "***")
    return _USERINFO.sub("://***@", _TOKEN.sub(r"\1***", text))


def _encoded(secret: str) -> str:
    return b64encode(secret.encode(errors="replace")).decode()
