"""`gatestream diff`: what a promotion would change in the cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from pipeline_state.cli.console import NO, OK, USAGE, CommandError, told
from pipeline_state.cli.local_commands import Variable
from pipeline_state.cli.options import Choice, common
from pipeline_state.cli.record_commands import Commit
from pipeline_state.cli.steering.closing_commands import PANEL, EnvironmentName, PipelineName

Kubeconfig = Annotated[
    Path | None,
    typer.Option(help="Reach the cluster by this file, instead of as the pipeline says.", exists=True, dir_okay=False),
]
KubeContext = Annotated[
    str,
    typer.Option("--context", "--kube-context", help="The context to use, of --kubeconfig or of kubectl's own file."),
]
Charts = Annotated[
    Path | None,
    typer.Option(help="The folder of bundled charts; unless given, the stack's.", exists=True, file_okay=False),
]


def diff(  # noqa: PLR0913, PLR0917 - an option each
    choice: Choice,
    pipeline: PipelineName,
    environment: EnvironmentName,
    commit: Commit,
    release: Annotated[str, typer.Option(help="Only this release of the environment.")] = "",
    kubeconfig: Kubeconfig = None,
    kube_context: KubeContext = "",
    charts: Charts = None,
    variable: Variable = "",
) -> int:
    """Show what promoting a commit to an environment would change in the cluster. Nothing is written.

    It is the installer's own Helm call as a server-side dry run, by the pipeline as it is now, against what runs there;
    then kubectl asks the API server whether it would take each resource. Gates are not looked at. Contents of Secrets
    are not shown.

    Exits with 0 if nothing would change, 1 if something would, 2 if a promotion would fail or it cannot be told.
    """
    with trouble_is_2():
        from pipeline_state.cli import facts, kubeconfigs
        from pipeline_state.cli.steering import diff_view, previews
        from pipeline_state.cli.steering.places import find_place

        _use_profile(choice)
        stack = choice.open()
        place = find_place(pipeline, environment)
        releases = previews.pick_releases(place, release)
        whole = facts.find_commit(place.pipeline.repo, commit)[1]
        access = previews.Access(kubeconfigs.named(kubeconfig, kube_context, variable), kube_context, charts)
        found = previews.previews(choice, stack, place, whole, releases, access)
        data = {**place.to_json(), "commit": whole, "releases": [diff_view.to_json(each) for each in found]}
        choice.show(data, lambda: diff_view.diff_view(found, whole))
    if any(each.is_refused for each in found):
        return USAGE
    return NO if any(each.has_changes for each in found) else OK


@contextmanager
def trouble_is_2() -> Iterator[None]:
    """Whoever looks for changes must not take trouble for them: as with diff and kubectl diff, 1 is changes only."""
    try:
        yield
    except Exception as error:
        line = told(error)
        if line is None:
            raise
        raise CommandError(line[0].removeprefix(CommandError.prefix), USAGE) from error


def _use_profile(choice: Choice) -> None:
    """Let the profile also count where a cluster's token is made, which knows of no command line."""
    if choice.profile:
        os.environ["AWS_PROFILE"] = choice.profile


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=PANEL)(common(diff))
