"""What Helm's stderr means: the business said no, or the machine broke. And its sentence, fit to be shown.

Helm has no error codes; these are the words of Helm 4.3 and 3.19, client-go and the container registries. Whatever is
not known to pass by itself counts as failed: a person sees it at once, and a new commit or a redeploy tries again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline_state.faults import PermanentFault, TemporaryFault

MAX_BYTES = 1024

_NO = re.compile(
    r"request is too large|Request entity too large"  # etcd's and the API server's word for a release over 1 MB
    r"|cluster unreachable: (?:context|stat|error loading|invalid configuration|open )"
    r"|certificate signed by unknown authority|certificate has expired"
    r"|would exceed context deadline",  # Helm 3: a wait that ended with --timeout
    re.IGNORECASE,
)
_PASSES: tuple[tuple[float, re.Pattern[str]], ...] = tuple(
    (delay, re.compile(words, re.IGNORECASE))
    for delay, words in (
        # Nobody answers, or the line broke.
        (30.0, r"connection refused|connection reset by peer|broken pipe|no such host|server misbehaving"),
        (
            30.0,
            r"network is unreachable|no route to host|i/o timeout|TLS handshake timeout|http2: |unexpected EOF|: EOF$",
        ),
        (30.0, r"timeout awaiting response headers|request canceled while waiting for connection|cluster unreachable"),
        # The API server answers that it cannot just now.
        (30.0, r"etcdserver: |the server is currently unable to handle|apiserver is shutting down|InternalError"),
        (30.0, r"Internal error occurred|the server was unable to return a response|storage is \(re\)initializing"),
        (60.0, r"too many requests|toomanyrequests|rate exceeded|throttl"),
        # A registry's 5xx.
        (30.0, r"(?:status code|unexpected status\b.*|response status code) ?:? ?5\d\d\b"),
        # The token ran out between two requests; the next try makes a new one.
        (5.0, r"provide credentials|: Unauthorized|must be logged in|ExpiredToken|token (?:has|is) expired"),
        # Somebody else's change came in between.
        (10.0, r"the object has been modified; please apply your changes|another operation \(.*\) is in progress"),
    )
)

_NOISE = re.compile(r"^(?:WARNING: |Flag --\S+ has been deprecated|time=|level=|[IWE]\d{4} |walk\.go)")
_TOKEN = re.compile(r"(k8s-aws-v1\.|Bearer |Basic |eyJ)[A-Za-z0-9._~+/=-]+")
_USERINFO = re.compile(r"://[^/\s:@]*:[^/\s@]*@")


def fault(stderr: bytes, secrets: Iterable[str] = ()) -> PermanentFault | TemporaryFault:
    """The fault Helm's stderr stands for; its reason is Helm's own sentence, at most 1 KB, scrubbed."""
    reason = sentence(stderr, secrets)
    if _NO.search(reason):
        return PermanentFault(reason)
    delay = next((delay for delay, words in _PASSES if words.search(reason)), None)
    return PermanentFault(reason) if delay is None else TemporaryFault(reason, delay)


def sentence(stderr: bytes, secrets: Iterable[str] = ()) -> str:
    """Helm's last "Error: …" and what follows it, without log lines, warnings and secrets."""
    lines = [line.rstrip() for line in stderr.decode(errors="replace").splitlines()]
    told = "\n".join(line for line in lines if line and not _NOISE.match(line))
    said = told[told.rfind("\nError: ") + 1 :].removeprefix("Error: ")
    scrubbed = scrub(said, secrets) or "Helm ended without a word"
    return scrubbed.encode()[:MAX_BYTES].decode(errors="ignore")


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with the given secrets, bearer tokens and passwords in URLs blotted out."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return _USERINFO.sub("://***@", _TOKEN.sub(r"\1***", text))
