"""`gatestream demo`: the whole way on this machine, shown as it happens and then as a summary."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from infra.local import stack as local_stack
from infra.local.kube import Kube, KubeError, current_context
from infra.local.stack_info import StackInfo, StackOptions
from pipeline_state.cli import stacks
from pipeline_state.cli.console import CommandError, print_json
from pipeline_state.cli.demo.cluster import BARE_RUNS, bare_helm_seconds, clear, deployments, helm_list, refuse_taken
from pipeline_state.cli.demo.ending import Stopped, stoppable
from pipeline_state.cli.demo.example import CHARTS, Example, prepare
from pipeline_state.cli.demo.hops import Leg, legs
from pipeline_state.cli.demo.stage import Stage
from pipeline_state.cli.demo.story import Story
from pipeline_state.cli.demo.summary import Summary
from pipeline_state.cli.demo.waiting import LateError, Trouble, wait_for
from pipeline_state.cli.traces.spans import Span
from pipeline_state.faults import PermanentFault, TemporaryFault

if TYPE_CHECKING:
    from rich.console import Console

FAILURES = (LateError, KubeError, ClientError, BotoCoreError, PermanentFault, TemporaryFault)


def run(*, state_dir: Path, options: StackOptions, console: Console, as_json: bool) -> int:
    """The exit code. What it started has ended when it returns, however it ends.

    state_dir: where the demo's own stack keeps its files. console: beside JSON, standard error. Raises CommandError.
    """
    stage = Stage(console)
    stage.title("Gatestream: a push, a build, an approval, a Helm release, all on this machine")
    try:
        with stoppable():
            summary = _perform(stage, state_dir, options)
    except KubeError as error:
        raise CommandError(str(error)) from error
    except Stopped as stopped:
        stage.say(f"Stopped by {stopped}; everything it started has ended.", "yellow")
        return 128 + stopped.number
    if as_json:
        print_json(summary.to_json())
    else:
        console.print(summary.shown(), highlight=False)
        stage.title(f"{summary.seconds:.1f} seconds. Log and traces stay in {_shortest(state_dir)}")
    return 0


def _perform(stage: Stage, state_dir: Path, options: StackOptions) -> Summary:
    started = time.monotonic()
    own = options.kubeconfig is not None
    with _stack(stage, state_dir, options) as info:
        kube = _kube(info, state_dir)
        shown = prepare(kube.context, datetime.now(UTC), own=own)
        stage.say(f"cluster: {kube.context}{'' if own else ', in memory, for demo and tests only'}")
        with _cluster(stage, kube, shown, own=own), _explained(stage, info, shown):
            stack = stacks.local_from(info)
            stack.connect()
            story = Story(stage, stack, stack.client("dynamodb"), kube, shown)
            story.tell()
            return _summary(stage, story, started)


@contextmanager
def _stack(stage: Stage, state_dir: Path, options: StackOptions) -> Iterator[StackInfo]:
    """A stack of the demo's own. Raises CommandError when it does not start."""
    stage.chapter("The local stack")
    with ExitStack() as until_the_end:
        try:
            with stage.steps() as begin:
                options = replace(options, charts_dir=CHARTS, keeps_traces=False)  # its commit is always the same
                running = local_stack.running(state_dir, options=options, progress=begin)
                info = until_the_end.enter_context(running)
        except local_stack.OnAlreadyError as error:
            folder = "wait for its end, or give this one a folder of its own: --state-dir DIR"
            raise CommandError(f"another demo is running in {_shortest(state_dir)}; {folder}") from error
        except local_stack.StackError as error:
            raise CommandError(str(error)) from error
        try:
            yield info
        finally:
            with stage.step("everything it started has ended"):
                until_the_end.close()


@contextmanager
def _cluster(stage: Stage, kube: Kube, shown: Example, *, own: bool) -> Iterator[None]:
    """The cluster as it was before, once the block is left; the embedded one goes anyway."""
    if not own:
        yield
        return
    with stage.step(f"{kube.context} has no namespace of the demo yet"):
        refuse_taken(kube, shown)
    try:
        yield
    finally:
        with stage.step(f"namespaces of the demo deleted from {kube.context}"):
            clear(kube, shown.namespaces)


@contextmanager
def _explained(stage: Stage, info: StackInfo, shown: Example) -> Iterator[None]:
    """Raises CommandError for what failed, after showing what the stack can tell about it, while it is still there."""
    try:
        yield
    except (*FAILURES, CommandError) as error:
        stage.chapter("Where things stand")
        for line in Trouble(info, shown.repo, shown.commit).lines():
            stage.say(line, "default")
        raise CommandError(f"{error}\nThe whole log is {info.log}") from error


def _kube(info: StackInfo, state_dir: Path) -> Kube:
    folder, kubeconfig = Path(info.helm).parent, Path(info.kubeconfig)
    context = info.kube_context or current_context(folder, kubeconfig)
    return Kube(folder, kubeconfig, context, state_dir.absolute() / "tmp" / "kube")


def _summary(stage: Stage, story: Story, started: float) -> Summary:
    """Everything there is to show; the stack is still on. Raises LateError, KubeError."""
    shown, kube = story.example, story.kube
    stage.chapter("The measure")
    with stage.step(f"a bare helm upgrade --install --wait of {shown.releases[-1].chart}, {BARE_RUNS} times"):
        bare = bare_helm_seconds(kube, shown.releases[-1], shown.commit)
    with stage.step("the trace, whole"):
        found = wait_for("the whole trace", lambda: _whole(story.spans(), shown.environments))
    return Summary(
        status=story.status(),
        waited=story.waited,
        helm=helm_list(kube, shown.namespaces),
        deployments=deployments(kube, shown.namespaces),
        spans=story.spans(),
        legs=found,
        bare=bare,
        seconds=time.monotonic() - started,
    )


def _whole(spans: Sequence[Span], environments: Sequence[str]) -> list[Leg] | None:
    """The legs of the way, once the last function has written its spans."""
    found = legs(spans, environments)
    return found if len(found) == 2 + len(environments) else None


def _shortest(folder: Path) -> Path:
    """As a person standing in the checkout would name it."""
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
