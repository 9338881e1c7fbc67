"""What stands on the page of a commit, as plain values made from what was read. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from pipeline_state.cli import facts
from pipeline_state.cli.dashboard.gate_view import GateView, gate_views
from pipeline_state.cli.dashboard.marks import TAKEN_BACK, Mark, decision_mark
from pipeline_state.cli.dashboard.offers import Offer, place_offers
from pipeline_state.cli.dashboard.past_view import PastView, past_view
from pipeline_state.cli.happenings import Told, tell
from pipeline_state.cli.steering.closures import closures_of
from pipeline_state.cli.steering.places import Place
from pipeline_state.cli.steering.promotions import told_of
from pipeline_state.cli.views import who
from pipeline_state.model import decision as decisions
from pipeline_state.model.decision import Decision, Promoted
from pipeline_state.model.entries import PUSHED, Known, doer_of
from pipeline_state.model.past import Former
from pipeline_state.model.pipelines import Pipeline
from pipeline_state.model.times import parse_time
from pipeline_state.table.deployments import Deployment
from pipeline_state.table.listing import in_order
from pipeline_state.table.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class PlaceView:
    """Where the commit stands in one environment. closed: what closes that, a sentence each. pasts: newest first."""

    title: str
    mark: Mark
    sentence: str
    is_head: bool
    closed: tuple[str, ...]
    offers: tuple[Offer, ...]
    pasts: tuple[PastView, ...]


@dataclass(frozen=True, slots=True)
class EventView:
    """Something that happened. after: seconds since the push; negative before it, None where there was none."""

    time: str
    text: str
    by: str
    known: Known
    after: float | None


@dataclass(frozen=True, slots=True)
class CommitView:
    """The whole page but its trace. pushed_by, pushed_known, pushed_at: empty while no push has told of the commit."""

    repo: str
    commit: str
    branch: str
    pushed_by: str
    pushed_known: Known
    pushed_at: str
    problems: tuple[str, ...]
    gates: tuple[GateView, ...]
    places: tuple[PlaceView, ...]
    events: tuple[EventView, ...]


def commit_view(
    snapshot: Snapshot,
    entries: Sequence[Mapping[str, Any]],
    deployments: Iterable[Deployment],
    now: datetime,
    former: tuple[Former, ...] = (),
) -> CommitView:
    """The page of the snapshot's commit.

    entries: its journal, oldest first. deployments: its promotions, by any environment. former: its pipelines since.
    """
    return _Page(snapshot, entries, tuple(deployments), now, former).view()


@dataclass(frozen=True)
class _Page:
    snapshot: Snapshot
    entries: Sequence[Mapping[str, Any]]
    deployments: Sequence[Deployment]
    now: datetime
    former: tuple[Former, ...]

    def view(self) -> CommitView:
        record = self.snapshot.record
        branch = max(record.branches.items(), key=lambda item: item[1].sequence, default=("", None))[0]
        push = next((event for event in self.told if event.kind == PUSHED), None)
        pushed = doer_of(push.by, push.verified) if push else None
        return CommitView(
            repo=self.snapshot.repo,
            commit=self.snapshot.commit,
            branch=branch,
            pushed_by=pushed.by if pushed else "",
            pushed_known=pushed.known if pushed else "",
            pushed_at=push.time if push else "",
            problems=record.problems,
            gates=gate_views(self.snapshot, self.entries, self.now, self.former),
            places=tuple(self.places()),
            events=tuple(self.events(parse_time(push.time) if push else None)),
        )

    @cached_property
    def told(self) -> list[Told]:
        return sorted(map(tell, self.entries), key=lambda event: in_order(event.time))

    def places(self) -> Iterator[PlaceView]:
        status = facts.status(self.snapshot, self.now)["environments"]
        several = len(self.snapshot.definitions.pipelines) > 1
        for (pipeline, decision), told in zip(facts.decisions_of(self.snapshot, self.now), status, strict=True):
            yield self.place(pipeline, decision, told, several=several)

    def place(
        self, pipeline: Pipeline | None, decision: Decision, told: Mapping[str, Any], *, several: bool
    ) -> PlaceView:
        environment = pipeline.environment(decision.environment) if pipeline else None
        if pipeline is None or environment is None:
            return PlaceView("every environment", decision_mark(told), decision.sentence, False, (), (), ())  # noqa: FBT003
        place = Place(pipeline, environment, self.snapshot.definitions.declared)
        closures = closures_of(place, self.snapshot.environments, self.now)
        state = self.snapshot.state(pipeline, environment, self.now)
        mine = [each for each in self.deployments if _is_to(each, place)]
        newest_first = sorted(mine, key=lambda each: each.generation, reverse=True)
        pasts = told_of(place, newest_first, self.snapshot.record.gates, self.entries)
        was_good = any(past.outcome in {"deployed", ""} for past in pasts)
        return PlaceView(
            title=f"{pipeline.name} {environment.name}" if several else environment.name,
            mark=TAKEN_BACK if _is_taken_back(decision) else decision_mark(told),
            sentence=decision.sentence,
            is_head=state.head == self.snapshot.commit,
            closed=tuple(closures.sentences),
            offers=place_offers(decision, state, closures, self.snapshot.commit, was_good=was_good),
            pasts=tuple(past_view(past, self.now) for past in pasts),
        )

    def events(self, pushed: datetime | None) -> Iterator[EventView]:
        for event in self.told:
            time = parse_time(event.time)
            after = (time - pushed).total_seconds() if time and pushed else None
            doer = doer_of(event.by, event.verified) if event.by else None
            yield EventView(
                time=event.time,
                text=event.text,
                by=who(doer.by) or "" if doer else "",
                known=doer.known if doer else "",
                after=after,
            )


def _is_taken_back(decision: Decision) -> bool:
    gate = decision.deployed if isinstance(decision, Promoted) else None
    return gate is not None and (gate.reason or "").startswith(decisions.TAKEN_BACK)


def _is_to(deployment: Deployment, place: Place) -> bool:
    first = deployment.promotions[0] if deployment.promotions else None
    return first is not None and (first.pipeline, first.environment) == place.key
