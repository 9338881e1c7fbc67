from __future__ import annotations

import pytest

from pipeline_state.tracing import TraceContext, parse_honeycomb, parse_traceparent, trace_of

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


def test_the_derivation_never_changes_since_traces_outlive_releases() -> None:
    assert trace_of("myOrg/myApp", "a" * 40) == TraceContext("4494cbc005a841af81c9d9ec3b96d48b", "779bccd16b6f5039")


@pytest.mark.parametrize(
    "text",
    [
        f"00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-00",
        f" 00-{TRACE}-{SPAN}-01\t",
        pytest.param(f"cc-{TRACE}-{SPAN}-01-more", id="a later version may say more"),
    ],
)
def test_traceparents_of_the_standard_are_read(text: str) -> None:
    assert parse_traceparent(text) == TraceContext(TRACE, SPAN)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
    ],
)
def test_other_traceparents_are_no_context(text: str) -> None:
    assert parse_traceparent(text) is None


@pytest.mark.parametrize(
    "text",
    [
        f"1;trace_id={TRACE},parent_id={SPAN},context=e30=",
        f"1;dataset=my%20set,trace_id={TRACE},parent_id={SPAN},context=e30=",
        f"1;parent_id={SPAN},trace_id={TRACE}",
    ],
)
def test_honeycomb_headers_are_read(text: str) -> None:
    assert parse_honeycomb(text) == TraceContext(TRACE, SPAN)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1;",
        "approved by hand",
        f"2;trace_id={TRACE},parent_id={SPAN}",
        f"1;trace_id={TRACE}",
        f"1;trace_id={TRACE},parent_id=",
        f"1;trace_id=b4d1c0de-uuid,parent_id={SPAN},context=e30=",
    ],
)
def test_other_honeycomb_headers_are_no_context(text: str) -> None:
    assert parse_honeycomb(text) is None
