"""pipelines.yaml: read into the model's pipelines, or refused with every reason at once; and written from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline_state.cli.console import USAGE, CommandError
from pipeline_state.cli.definitions.pipelines_rules import Home, pipeline_name, rule_problems, window_of
from pipeline_state.cli.definitions.pipelines_schema import (
    EnvironmentEntry,
    GateEntry,
    PipelineEntry,
    PipelinesFile,
    ReleaseEntry,
    VerifyEntry,
    shape_problems,
)
from pipeline_state.cli.definitions.pipelines_times import spelled
from pipeline_state.cli.definitions.raw_entries import order_of
from pipeline_state.cli.definitions.yaml_lines import Problem, read_lines, to_yaml
from pipeline_state.model.pipelines import (
    Cluster,
    Environment,
    FreezeWindow,
    GateDefinition,
    GateSource,
    Pipeline,
    Policy,
    Release,
    SourceKind,
    Verification,
)

_TIMEOUT = Release.__dataclass_fields__["timeout"].default
_NOWHERE = Home()
_WITHIN = Verification.__dataclass_fields__["within"].default


class PipelinesFileError(CommandError):
    """A file that cannot be applied. problems: all that is wrong with it, in the order of their lines."""

    prefix = ""

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        self.name = name
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        super().__init__("\n".join(self.lines), USAGE)

    @property
    def lines(self) -> list[str]:
        """One line a problem: file, line, key, what is wrong and the fix; no line where it is the whole file."""
        return [
            ": ".join(filter(None, [f"{self.name}:{each.line}" if each.line else self.name, each.key, each.text]))
            for each in self.problems
        ]


def read(path: Path, applied: Iterable[Pipeline] = (), home: Home = _NOWHERE) -> tuple[Pipeline, ...]:
    """The pipelines of a file, as `parse`. Raises PipelinesFileError, also when the file cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise PipelinesFileError(
            str(path), [Problem(0, "", f"cannot be read ({error.strerror}); name the file of definitions")]
        ) from error
    except UnicodeDecodeError as error:
        raise PipelinesFileError(str(path), [Problem(0, "", "is not UTF-8 text; save it as UTF-8")]) from error
    return parse(text, str(path), applied, home)


def parse(
    text: str, name: str = "pipelines.yaml", applied: Iterable[Pipeline] = (), home: Home = _NOWHERE
) -> tuple[Pipeline, ...]:
    """The pipelines in a text.

    name: what to call it in errors. applied: pipelines that exist already; those of its repositories are about to be
    replaced, with the others it must not clash. home: where the stack is, if there is one. Raises PipelinesFileError.
    """
    document = read_lines(text)
    data = document.data
    if document.problems and data is None:
        raise PipelinesFileError(name, document.problems)
    known = [entry_of(each) for each in _elsewhere(data, applied)]
    found = [*shape_problems(data), *rule_problems(data, known, home)]
    problems = [*document.problems, *(document.problem(loc, what) for loc, what in found)]
    if problems:
        raise PipelinesFileError(name, problems)
    return _pipelines(PipelinesFile.model_validate(data))


def to_file(pipelines: Iterable[Pipeline]) -> str:
    """The text of a file that reads back as these pipelines."""
    return to_yaml({"pipelines": [entry_of(pipeline) for pipeline in pipelines]})


def entry_of(pipeline: Pipeline) -> dict[str, Any]:
    """A pipeline as it stands in a file; what is as it would be anyway is left out."""
    entry = {
        "name": pipeline.name if pipeline.name != pipeline.repo else None,
        "repo": pipeline.repo,
        "branches": list(pipeline.branches),
        "paths": list(pipeline.paths),
        "gates": {gate.name: _source_entry(gate.source) for gate in pipeline.gates},
    }
    environments = []
    before: list[str] = []
    for environment in pipeline.environments:
        environments.append(_environment_entry(environment, before))
        before = [environment.name]
    return {**_present(entry), "environments": environments}


def _elsewhere(data: object, applied: Iterable[Pipeline]) -> list[Pipeline]:
    entries = data.get("pipelines") if isinstance(data, Mapping) else None
    mine = {
        str(entry.get("repo")).lower()
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, Mapping)
    }
    return [pipeline for pipeline in applied if pipeline.repo.lower() not in mine]


def _pipelines(file: PipelinesFile) -> tuple[Pipeline, ...]:
    many = Counter(entry.repo for entry in file.pipelines)
    return tuple(_pipeline(entry, shared=many[entry.repo] > 1) for entry in file.pipelines)


def _pipeline(entry: PipelineEntry, *, shared: bool) -> Pipeline:
    raws = [environment.model_dump(exclude_unset=True, exclude_none=True) for environment in entry.environments]
    return Pipeline(
        name=pipeline_name(entry.model_dump()),
        repo=entry.repo,
        branches=tuple(entry.branches),
        paths=tuple(entry.paths),
        gates=tuple(GateDefinition(name, _source(opens)) for name, opens in entry.gates.items()),
        environments=tuple(map(_environment, entry.environments, order_of(raws))),
        shared=shared,
    )


def _source(opens: GateEntry | None) -> GateSource | None:
    named = opens.model_dump(exclude_none=True) if opens else {}
    kind = next((kind for kind in SourceKind if kind.value in named), None)
    return GateSource(kind, named[kind.value], named.get("app")) if kind else None


def _environment(entry: EnvironmentEntry, after: Sequence[str]) -> Environment:
    return Environment(
        name=entry.name,
        gates=tuple(entry.gates),
        after=tuple(after),
        releases=tuple(_release(release, entry.timeout) for release in entry.releases),
        cluster=Cluster(**entry.cluster.model_dump()),
        policy=entry.policy,
        soak=entry.soak,
        freezes=tuple(map(window_of, entry.freezes)),
        in_order=entry.releases_in_order,
        rollback_together=entry.rollback_together,
        force_conflicts=entry.force_conflicts,
    )


def _release(entry: ReleaseEntry, timeout: int) -> Release:
    return Release(
        name=entry.name,
        namespace=entry.namespace,
        chart=entry.chart,
        version=entry.version,
        values=entry.values,
        image_tag=entry.image_tag,
        timeout=entry.timeout or timeout,
        image=entry.image or "",
        registry_secret=entry.registry_secret or "",
        test=entry.test,
        verify=_verification(entry.verify) if entry.verify else None,
    )


def _verification(entry: VerifyEntry) -> Verification:
    return Verification(entry.url or "", entry.gate or "", entry.within)


def _source_entry(source: GateSource | None) -> dict[str, str]:
    return _present({source.kind.value: source.name, "app": source.app}) if source else {}


def _environment_entry(environment: Environment, before: list[str]) -> dict[str, Any]:
    after = list(environment.after)
    cluster = environment.cluster
    keys = ("eks", "region", "role", "kubeconfig_secret", "context")
    return {
        "name": environment.name,
        **({"after": after} if after != before else {}),
        **_present(
            {
                "gates": list(environment.gates),
                "policy": environment.policy.value if environment.policy != Policy.NEWEST else None,
                "soak": spelled(environment.soak) if environment.soak else None,
                "freezes": [_freeze_entry(window) for window in environment.freezes],
                "releases_in_order": environment.in_order or None,
                "rollback_together": environment.rollback_together or None,
                "force_conflicts": environment.force_conflicts or None,
            }
        ),
        "cluster": _present({key: getattr(cluster, key) for key in keys}),
        "releases": [_release_entry(release) for release in environment.releases],
    }


def _freeze_entry(window: FreezeWindow) -> dict[str, Any]:
    entry = {
        "cron": window.cron,
        "duration": spelled(window.minutes * 60),
        "timezone": window.timezone if window.timezone != "UTC" else None,
        "exclude": list(window.exclude),
        "reason": window.reason or None,
    }
    return _present(entry)


def _release_entry(release: Release) -> dict[str, Any]:
    entry = {
        "name": release.name,
        "namespace": release.namespace,
        "chart": release.chart,
        "version": release.version,
        "registry_secret": release.registry_secret or None,
        "image": release.image or None,
        "image_tag": release.image_tag if release.image_tag != "image.tag" else None,
        "timeout": spelled(release.timeout) if release.timeout != _TIMEOUT else None,
        "test": release.test or None,
        "verify": _verify_entry(release.verify) if release.verify else None,
        "values": dict(release.values),
    }
    return _present(entry)


def _verify_entry(verify: Verification) -> dict[str, Any]:
    within = spelled(verify.within) if verify.within != _WITHIN else None
    return _present({"url": verify.url or None, "gate": verify.gate or None, "within": within})


def _present(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value not in (None, [], {})}
