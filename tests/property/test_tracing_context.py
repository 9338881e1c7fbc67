from __future__ import annotations

import string

from beeline.propagation import PropagationContext
from beeline.propagation.honeycomb import marshal_propagation_context, unmarshal_propagation_context
from beeline.propagation.w3c import unmarshal_traceparent
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.tracing import TraceContext, parse_honeycomb, parse_traceparent, trace_of
from pipeline_state.tracing.outbox import is_sampled

hexadecimal = "0123456789abcdef"
repos = st.text(string.ascii_letters + string.digits + "-_./", min_size=1)
commits = st.text(hexadecimal, min_size=40, max_size=40)
trace_ids = st.text(hexadecimal, min_size=32, max_size=32).filter(lambda text: text.strip("0"))
span_ids = st.text(hexadecimal, min_size=16, max_size=16).filter(lambda text: text.strip("0"))
contexts = st.builds(TraceContext, trace_ids, span_ids)


@given(repos, commits)
def test_a_commit_has_one_trace_however_its_repository_is_written(repo: str, commit: str) -> None:
    assert trace_of(repo.upper(), commit) == trace_of(repo.lower(), commit) == trace_of(repo, commit)


@given(st.text(), st.text())
def test_whatever_a_repository_is_called_its_trace_can_travel(repo: str, commit: str) -> None:
    context = trace_of(repo, commit)
    assert parse_traceparent(context.traceparent) == parse_honeycomb(context.honeycomb) == context


@given(repos, commits, repos, commits)
def test_different_commits_have_different_traces(repo: str, commit: str, other_repo: str, other_commit: str) -> None:
    same = (repo.lower(), commit) == (other_repo.lower(), other_commit)
    assert (trace_of(repo, commit) == trace_of(other_repo, other_commit)) is same


@given(contexts)
def test_headers_come_back_as_they_went(context: TraceContext) -> None:
    assert parse_traceparent(context.traceparent) == context
    assert parse_honeycomb(context.honeycomb) == context


@given(contexts)
def test_beeline_reads_our_headers(context: TraceContext) -> None:
    ids = (context.trace_id, context.span_id)
    assert unmarshal_traceparent(context.traceparent) == (*ids, "01")
    assert unmarshal_propagation_context(context.honeycomb) == (*ids, {})


@given(contexts, st.dictionaries(st.text(), st.text()))
def test_we_read_beelines_header_with_any_trace_fields(context: TraceContext, fields: dict[str, str]) -> None:
    header = marshal_propagation_context(PropagationContext(context.trace_id, context.span_id, fields))
    assert parse_honeycomb(header) == context


@given(st.text(alphabet=hexadecimal + "1;=,-_ tracepnidgx\n\u00e9") | st.text())
def test_what_is_no_header_is_no_context_and_no_error(text: str) -> None:
    for context in (parse_traceparent(text), parse_honeycomb(text)):
        assert context is None or context.trace_id in text


@given(trace_ids, st.integers(min_value=2, max_value=1000))
def test_a_trace_kept_at_some_rate_is_kept_at_every_denser_one(trace_id: str, sample_rate: int) -> None:
    assert is_sampled(trace_id, 1)
    if is_sampled(trace_id, sample_rate):
        assert is_sampled(trace_id, sample_rate - 1)
