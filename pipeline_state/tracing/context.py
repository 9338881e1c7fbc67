"""Where a span stands: its trace and its own id, derived for a commit, and the two headers in which they travel."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")
_TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-[0-9a-f]{2}(?P<more>-.*)?"
)
_NO_TRACE_FIELDS = "e30="  # {} in base64: beeline's slot for trace-wide fields, which we leave empty


@dataclass(frozen=True, slots=True)
class TraceContext:
    """One span of one trace: 32 and 16 lower-case hex digits, neither all zeros (W3C Trace Context, §3.2.2)."""

    trace_id: str
    span_id: str

    @property
    def traceparent(self) -> str:
        """The W3C header, sampled: the value of the CloudEvents extension of the same name."""
        return f"00-{self.trace_id}-{self.span_id}-01"

    @property
    def honeycomb(self) -> str:
        """Beeline's X-Honeycomb-Trace header, version 1."""
        return f"1;trace_id={self.trace_id},parent_id={self.span_id},context={_NO_TRACE_FIELDS}"


def trace_of(repo: str, commit: str) -> TraceContext:
    """The trace of a commit and the id of its root span: the same for every event about it, whatever their order.

    repo is "owner/name" in any casing, as GitHub matches it; commit is 40 hex digits.
    """
    digest = hashlib.sha256(f"{repo.lower()}\n{commit}".encode("utf-8", "surrogatepass")).hexdigest()
    return TraceContext(trace_id=digest[:32], span_id=digest[32:48])


def derived_span_id(trace_id: str, *parts: str) -> str:
    """The id of a span that is known by what it is about: the same however often it is recorded. 16 hex."""
    return hashlib.sha256("\n".join((trace_id, *parts)).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def parse_traceparent(text: str) -> TraceContext | None:
    """The context in a W3C traceparent of any version; None if it is malformed, as that standard asks for."""
    found = _TRACEPARENT.fullmatch(text.strip())
    if found is None or (found["version"] == "00" and found["more"]):
        return None
    return _context(found["trace"], found["span"])


def parse_honeycomb(text: str) -> TraceContext | None:
    """The context in a beeline header; None if malformed, of another version, or with ids that are not W3C-sized."""
    version, _, rest = text.strip().partition(";")
    values = dict(pair.partition("=")[::2] for pair in rest.split(","))
    return _context(values.get("trace_id", ""), values.get("parent_id", "")) if version == "1" else None


def _context(trace_id: str, span_id: str) -> TraceContext | None:
    valid = _TRACE_ID.fullmatch(trace_id) and _SPAN_ID.fullmatch(span_id)
    return TraceContext(trace_id, span_id) if valid else None
