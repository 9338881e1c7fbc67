"""What promoter and installer say is read back as it was said; promotions' ids never meet (invariant I2)."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline_state.events.codec import decode, encode
from pipeline_state.events.deployment import (
    Deployment,
    deployed,
    failed,
    promoted,
    read_deployment,
    read_promotion,
    started,
    superseded,
)
from pipeline_state.model.pipelines import Cluster, Release
from pipeline_state.model.promotion import Promotion, promotion_id

text = st.text(st.characters(exclude_categories=["Cs"]))
name = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
counts = st.integers(0, 2**63)
times = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - given a zone
values = st.dictionaries(
    text,
    st.recursive(
        text | counts | st.booleans() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(text, inner)
    ),
)
releases = st.builds(Release, name, name, name, st.none() | text, values, name, st.integers(1, 900))
clusters = st.builds(Cluster, st.none() | name, st.none() | name, st.none() | name, st.none() | name, st.none() | name)
traceparents = st.just("") | st.from_regex(r"00-[1-9a-f]{32}-[1-9a-f]{16}-01", fullmatch=True)
promotions = st.builds(
    Promotion,
    id=name,
    repo=name,
    commit=st.from_regex(r"[0-9a-f]{40}", fullmatch=True),
    branch=text,
    sequence=counts,
    pipeline=name,
    pipeline_version=counts,
    environment=name,
    environment_key=name,
    generation=counts,
    release=releases,
    cluster=clusters,
    releases=st.lists(name).map(tuple),
    by=text,
    traceparent=traceparents,
)


def travelled(event: Any) -> Any:
    return decode(encode(event).body)


@given(promotions, times)
def test_a_promotion_arrives_as_it_left(promotion: Promotion, at: datetime) -> None:
    assert read_promotion(travelled(promoted(promotion, at=at))) == promotion


@given(promotions, times, text)
def test_start_and_failure_arrive_as_they_left(promotion: Promotion, at: datetime, reason: str) -> None:
    assert read_deployment(travelled(started(promotion, at=at))) == Deployment(promotion, "started", at)
    assert read_deployment(travelled(failed(promotion, at=at, reason=reason))) == Deployment(
        promotion, "failed", at, reason=reason
    )


@given(promotions, times, counts)
def test_giving_way_arrives_with_who_was_given_way_to(promotion: Promotion, at: datetime, by: int) -> None:
    read = read_deployment(travelled(superseded(promotion, at=at, by=by)))
    assert (read.promotion, read.kind, read.at) == (promotion, "superseded", at)
    assert str(by) in read.reason


@given(promotions, times, counts, text, text, st.sampled_from(["deployed", "upgraded", "rolledback"]))
def test_success_arrives_as_it_left(
    promotion: Promotion, at: datetime, revision: int, chart: str, digest: str, action: Any
) -> None:
    event = deployed(promotion, at=at, action=action, revision=revision, chart=chart, digest=digest)
    told = Deployment(promotion, "deployed", at, revision=revision, chart=chart, digest=digest)
    assert read_deployment(travelled(event)) == told


identities = st.tuples(text, text, text, text, st.integers(0, 20))


@given(identities, identities)
def test_different_promotions_have_different_ids(one: Any, other: Any) -> None:
    assume(one != other)
    assert promotion_id(*one) != promotion_id(*other)


@given(text, text, text, st.integers(0, 20))
def test_no_name_runs_into_its_neighbour(start: str, middle: str, end: str, generation: int) -> None:
    assume(start or end)
    one = promotion_id(start + middle, end, "e", "r", generation)
    other = promotion_id(start, middle + end, "e", "r", generation)
    assert (one == other) == (middle == "")


@given(identities)
def test_an_id_is_short_plain_and_always_the_same(identity: Any) -> None:
    assert promotion_id(*identity) == promotion_id(*identity)
    assert len(promotion_id(*identity)) == 32
    assert set(promotion_id(*identity)) <= set("0123456789abcdef")
