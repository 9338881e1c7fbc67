"""pyhelm3's Command with a runner of our own: no shell, a time limit that reaches the children, nothing inherited.

pyhelm3 0.5.8 starts Helm through `/bin/sh -c`; stopping that shell leaves Helm running. Its Client runs a blocking
`helm version` first and turns every manifest into objects, so Command is used by itself.
"""

from __future__ import annotations

import math
import os
import re
import shlex
import shutil
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline_state import tracing
from pipeline_state.deploy import dialect, process, stored, values
from pipeline_state.deploy.clusters import Access
from pipeline_state.deploy.command import Command, errors
from pipeline_state.deploy.dialect import Major, Wish
from pipeline_state.deploy.history import Revision, RollBack, WayBack, read_history
from pipeline_state.deploy.output import Ran, output
from pipeline_state.deploy.progress import Progress, without_debug
from pipeline_state.deploy.stored import Stored
from pipeline_state.deploy.terms import Workspace
from pipeline_state.faults import TemporaryFault
from pipeline_state.model.pipelines import Release

_RETRY_SECONDS = 10.0

LOOK_UP_SECONDS = 30.0
"""How long a look-up may take; a cluster that has not answered by then is not going to."""

_SHORT_SECONDS = 5.0
"""How long the API server may be silent to us, before Helm is asked for the same."""

_ALWAYS = "--install"
"""What pyhelm3 says with every upgrade, and the dialect where it is wanted: Helm looks the release up again for it."""

_READS = ("history", "status", "get")
"""The commands that only look something up."""


Words = Callable[[Major, Wish], list[str]]

_majors: dict[str, Major] = {}
"""The major version of each executable that has turned out to be older than the newest."""


class Helm(Command):  # type: ignore[misc]  # pyhelm3 ships no types
    """Helm for one piece of work. seconds: what its processes took so far. ran: those that changed something."""

    def __init__(self, workspace: Workspace, access: Access, *, budget_seconds: float) -> None:
        path = workspace.environment.get("PATH")
        super().__init__(executable=shutil.which(workspace.helm, path=path) or workspace.helm)
        self._access = access
        self._target = [f"--kubeconfig={access.kubeconfig}"]
        self._target += [f"--kube-context={access.context}"] if access.context else []
        self._environment = environment(workspace, self._executable)
        self._margin = min(60.0, budget_seconds / 3)
        self._ends = time.monotonic() + budget_seconds
        self.seconds = 0.0
        self.ran: list[Ran] = []
        self._flags: list[str] = []
        self._keeps_secrets = not workspace.environment.get("HELM_DRIVER")
        self._stored: Stored | None = None
        self._read = b""

    async def revisions(self, release: Release) -> tuple[Revision, ...]:
        """The release's history, oldest first; empty when there is no such release. Nothing else may run meanwhile."""
        if self._keeps_secrets:
            self._stored = stored.read(self._access, release, seconds=min(_SHORT_SECONDS, self._left() / 10))
        if self._stored is not None:
            return self._stored.revisions
        try:
            return read_history(await self.history(release.name, namespace=release.namespace))
        except errors.ReleaseNotFoundError:
            return ()

    async def upgrade(
        self, release: Release, chart: str, content: Mapping[str, Any], description: str, wish: Wish
    ) -> dict[str, Any]:
        """`helm upgrade` of a chart at a path; the new revision as Helm prints it."""
        revision: dict[str, Any] = await self._in_its_words(
            dialect.upgrade,
            wish,
            lambda: self.install_or_upgrade(
                release.name,
                chart,
                content,
                namespace=release.namespace,
                create_namespace=True,
                description=description,
                timeout=self.timeout(release.timeout),
            ),
        )
        return revision

    async def go(self, way: WayBack, release: Release, *, force_conflicts: bool = False) -> str:
        """Roll back or uninstall without waiting for anything to be ready; what was done, as a sentence's end.

        What is kept of the budget for a rollback is for this.
        """
        target = {"namespace": release.namespace, "timeout": _whole(self._left() - self._grace)}
        if isinstance(way, RollBack):
            wish = Wish(force_conflicts=force_conflicts)
            await self._in_its_words(
                dialect.rollback, wish, lambda: self.rollback(release.name, way.revision, **target)
            )
            return f"rolled back to revision {way.revision}"
        await self._in_its_words(dialect.uninstall, Wish(waits=True), lambda: self.uninstall(release.name, **target))
        return "uninstalled, there being nothing to go back to"

    async def _in_its_words(self, words: Words, wish: Wish, act: Callable[[], Awaitable[Any]]) -> Any:
        """One of pyhelm3's commands with the flags that fulfil a wish, in the version of Helm that there is."""
        major = _majors.get(self._executable, dialect.NEWEST)
        try:
            self._flags = words(major, wish)
            return await act()
        except errors.Error as error:
            if not dialect.is_older(major, error.stderr):
                raise
        _majors[self._executable] = major = dialect.OLDER
        self._flags = words(major, wish)
        return await act()

    async def manifest(self, release: Release, revision: int) -> str:
        """What a revision was rendered to, as YAML; empty where Helm does not say. It may run beside another command.

        pyhelm3 would make objects of it, once somebody asks for the first.
        """
        if self._stored is not None and self._stored.live == revision:
            return self._stored.manifest
        self._read = b""
        with suppress(errors.Error, TemporaryFault):
            await self.get_resources(release.name, namespace=release.namespace, revision=revision)
        return self._read.decode(errors="replace")

    async def test(self, release: Release) -> None:
        """`helm test`; raises pyhelm3's Error where it does not pass."""
        await self.run(
            ["test", release.name, "--namespace", release.namespace, "--timeout", self.timeout(release.timeout)]
        )

    def output(self, revision: Mapping[str, Any], secrets: Iterable[str]) -> str:
        """What it said while it worked, to be kept. secrets: besides those that lead to the cluster."""
        return output(self.ran, revision, (*self._access.secrets, *secrets))

    def can_wait(self, seconds: float) -> bool:
        """Whether so long a wait, and a rollback after it, fit into the budget."""
        return seconds <= self._left() - self._margin

    def timeout(self, wanted: float) -> str:
        """Helm's --timeout: as wanted, but so that a rollback still fits into the budget."""
        return _whole(min(wanted, self._left() - self._margin))

    async def run(self, command: list[Any], input: bytes | None = None) -> bytes:  # noqa: A002 - pyhelm3's name for it
        """pyhelm3's one way to Helm; what that printed.

        Raises pyhelm3's ReleaseNotFoundError, CommandCancelledError when its time was up, otherwise Error;
        TemporaryFault when somebody else killed it (out of memory, say).
        """
        verb, *rest = [*(word for word in map(str, command) if word != _ALWAYS), *self._flags]
        self._flags = []
        if verb == "get":  # beside another command its span would hang in that one's, and its time would count twice
            ended = await self._run([verb, *rest, *self._target], input)
            self._read = ended.stdout
        else:
            since = time.monotonic()
            with tracing.span(f"helm {verb}", **{"helm.flags": _shown(rest)}), self._counted():
                progress = Progress()
                ended = await self._run([verb, *rest, *self._target], input, progress.hear)
                tracing.add_field("helm.exit_code", ended.code)
                _trace(progress)
            if verb not in _READS:
                self.ran.append(Ran(verb, ended.code, time.monotonic() - since, ended.stderr))
        if ended.code:
            raise _error(ended)
        return ended.stdout

    async def _run(
        self, arguments: list[str], stdin: bytes | None, hear: process.Hear = lambda _: None
    ) -> process.Ended:
        grace = self._grace
        left = self._left() - grace
        ended = await process.run(
            [self._executable, *arguments],
            stdin=None if stdin is None else values.as_yaml(stdin),
            environment=self._environment,
            seconds=min(LOOK_UP_SECONDS, left) if arguments[0] in _READS else left,
            grace=grace,
            hear=hear,
        )
        return replace(ended, stderr=without_debug(ended.stderr))

    @contextmanager
    def _counted(self) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds += time.monotonic() - started

    @property
    def _grace(self) -> float:
        """How long a Helm that was asked to stop has for that; with it, it is over when the budget is."""
        return max(0.0, min(self._margin, self._left()) / 2)

    def _left(self) -> float:
        return self._ends - time.monotonic()


def environment(workspace: Workspace, helm: str) -> dict[str, str]:
    """All that the Helm process knows: its caches below the workspace and what the workspace adds.

    GOGC and GOMEMLIMIT: Helm lives a second and rarely needs its garbage collected (15 % faster), up to a bound.
    """
    home = workspace.directory
    return {
        "PATH": os.pathsep.join([str(Path(helm).parent), os.defpath]),
        "HOME": str(home),
        "KUBECACHEDIR": str(home / "kube"),
        "HELM_CACHE_HOME": str(home / "helm" / "cache"),
        "HELM_CONFIG_HOME": str(home / "helm" / "config"),
        "HELM_DATA_HOME": str(home / "helm" / "data"),
        "GOGC": "off",
        "GOMEMLIMIT": "384MiB",
        **workspace.environment,
    }


def _trace(progress: Progress) -> None:
    """The wait for the release as a span of its own, where there was one."""
    parent = tracing.current()
    if parent and progress.began:
        seconds = (progress.ended or time.time()) - progress.began
        start = datetime.fromtimestamp(progress.began, UTC)
        tracing.finished_span("wait until ready", parent=parent, start=start, duration=timedelta(seconds=seconds))


def _whole(seconds: float) -> str:
    return f"{max(1, math.floor(seconds))}s"


def _shown(flags: list[str]) -> str:
    """Flags for a span. A fingerprint of values is left out: a short secret among them could be guessed by it."""
    return re.sub(r"values:[0-9a-f]{32}", "values:…", shlex.join(flags))


def _error(ended: process.Ended) -> Exception:
    if ended.code < 0 and not ended.stopped:
        return TemporaryFault(f"Helm was ended from outside, by signal {-ended.code}", _RETRY_SECONDS)
    kind = errors.ReleaseNotFoundError if b"release: not found" in ended.stderr else errors.Error
    if ended.stopped:
        kind = errors.CommandCancelledError
    error: Exception = kind(ended.code, ended.stdout, ended.stderr)
    return error
