"""`gatestream up`, `down` and `demo`: the local stack, and its show."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline_state.cli.console import CommandError
from pipeline_state.cli.options import Choice, common

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.console import RenderableType

Kubeconfig = Annotated[
    Path | None,
    typer.Option(help="Kubeconfig of a cluster of your own; else an embedded one.", exists=True, dir_okay=False),
]
Variable = Annotated[str, typer.Option("--kubeconfig-variable", envvar="KUBECONFIG", hidden=True)]
"""What the environment says, apart from what was asked for in so many words."""
KubeContext = Annotated[str, typer.Option(help="The context to use, of --kubeconfig or of kubectl's own file.")]
Charts = Annotated[
    Path | None,
    typer.Option(help="The folder of bundled charts; unless given, the example's.", exists=True, file_okay=False),
]
Port = Annotated[int, typer.Option(help="Port of the local AWS; 0 takes a free one.", min=0, max=65535)]


def up(
    choice: Choice,
    kubeconfig: Kubeconfig = None,
    kube_context: KubeContext = "",
    charts: Charts = None,
    port: Port = 0,
    variable: Variable = "",
) -> None:
    """Start the local stack: AWS and a cluster on this machine, with template.yaml deployed."""
    from pipeline_state.cli import kubeconfigs, stacks

    local, folder = stacks.local_package(), choice.local_dir
    info = None if kubeconfig or kube_context or charts or port else _already_on(local, folder)
    if info is None:
        charts = charts or Path(str(local.__file__)).with_name("example") / "charts"
        kubeconfig = kubeconfigs.named(kubeconfig, kube_context, variable)
        options = local.StackOptions(kubeconfig=kubeconfig, kube_context=kube_context, charts_dir=charts, port=port)
        info = local.up(folder, options=options, progress=lambda text: choice.console.print(f"[dim]•[/] {text}"))
    choice.show(info.to_json(), lambda: _up_view(info.to_json(), partial(local.command, state_dir=folder)))


def down(choice: Choice) -> None:
    """End the local stack and everything it started."""
    from pipeline_state.cli import stacks

    was_on = stacks.local_package().down(choice.local_dir)
    choice.show({"ended": was_on}, lambda: "The local stack has ended." if was_on else "There was no local stack.")


def demo(choice: Choice, kubeconfig: Kubeconfig = None, kube_context: KubeContext = "", variable: Variable = "") -> int:
    """Show the whole way on this machine: a push, a build, an approval, a Helm release.

    With KUBECONFIG set it is shown on the cluster of that file; on a terminal you are asked first.
    """
    from pipeline_state.cli import kubeconfigs, stacks

    local = stacks.local_package()
    from pipeline_state.cli.demo import run

    cluster = kubeconfigs.named(kubeconfig, kube_context, variable)
    cluster = cluster or kubeconfigs.proposed(variable, _is_wanted if sys.stdin.isatty() else None)
    options = local.StackOptions(kubeconfig=cluster, kube_context=kube_context)
    folder = choice.state_dir or local.DEFAULT_STATE_DIR.with_name("demo")
    return run(state_dir=folder, options=options, console=choice.console, as_json=bool(choice.as_json))


def _is_wanted(kubeconfig: Path) -> bool:
    from infra.local import kube, tools

    try:
        name = kube.current_context(tools.helm_and_kubectl(), kubeconfig)
    except (kube.KubeError, tools.ToolError) as error:
        raise CommandError(str(error)) from error
    return typer.confirm(f"KUBECONFIG names cluster {name}: install the demo there?", err=True)


def _already_on(local: Any, folder: Path) -> Any:
    try:
        return local.read(folder)
    except local.NoStackError:
        return None


def _up_view(info: Mapping[str, Any], command: Callable[[str], str]) -> RenderableType:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name in ("endpoint_url", "github_webhook_url", "circleci_webhook_url", "gates_table", "kubeconfig", "log"):
        grid.add_row(name.replace("_", " "), str(info[name]))
    grid.add_row("", "")
    grid.add_row("next", command("pipelines apply infra/local/example/pipelines.yaml"))
    grid.add_row("at the end", command("down"))
    return grid


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (up, down, demo):
        app.command(rich_help_panel="On this machine")(common(command))
