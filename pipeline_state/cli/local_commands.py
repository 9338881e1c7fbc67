"""`gatestream up`, `down` and `demo`: the local stack, and its show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline_state.cli.console import USAGE, CommandError
from pipeline_state.cli.options import Choice, common

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

Kubeconfig = Annotated[
    Path | None,
    typer.Option(
        help="Kubeconfig of a cluster of your own; else an embedded one.",
        envvar="KUBECONFIG",
        exists=True,
        dir_okay=False,
    ),
]
KubeContext = Annotated[str, typer.Option(help="The context of --kubeconfig to use.")]
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
) -> None:
    """Start the local stack: AWS and a cluster on this machine, with template.yaml deployed."""
    from pipeline_state.cli import stacks

    local, folder = stacks.local_package(), choice.local_dir
    info = None if kubeconfig or kube_context or charts or port else _already_on(local, folder)
    if info is None:
        charts = charts or Path(str(local.__file__)).with_name("example") / "charts"
        kubeconfig = _kubeconfig_with(kube_context, kubeconfig)
        options = local.StackOptions(kubeconfig=kubeconfig, kube_context=kube_context, charts_dir=charts, port=port)
        info = local.up(folder, options=options, progress=lambda text: choice.console.print(f"[dim]•[/] {text}"))
    choice.show(info.to_json(), lambda: _up_view(info.to_json()))


def down(choice: Choice) -> None:
    """End the local stack and everything it started."""
    from pipeline_state.cli import stacks

    was_on = stacks.local_package().down(choice.local_dir)
    choice.show({"ended": was_on}, lambda: "The local stack has ended." if was_on else "There was no local stack.")


def demo(choice: Choice, kubeconfig: Kubeconfig = None, kube_context: KubeContext = "") -> int:
    """Show the whole way on this machine: a push, a build, an approval, a Helm release."""
    from pipeline_state.cli import stacks

    local = stacks.local_package()
    from pipeline_state.cli.demo import run

    options = local.StackOptions(kubeconfig=_kubeconfig_with(kube_context, kubeconfig), kube_context=kube_context)
    folder = choice.state_dir or local.DEFAULT_STATE_DIR.with_name("demo")
    return run(state_dir=folder, options=options, console=choice.console, as_json=bool(choice.as_json))


def _kubeconfig_with(context: str, given: Path | None) -> Path | None:
    """The file a context is looked for in: kubectl's own, unless another one is given."""
    if given or not context:
        return given
    usual = Path.home() / ".kube" / "config"
    if not usual.is_file():
        raise CommandError(f"there is no {usual} to find the context {context} in; add --kubeconfig FILE", USAGE)
    return usual


def _already_on(local: Any, folder: Path) -> Any:
    try:
        return local.read(folder)
    except local.NoStackError:
        return None


def _up_view(info: Mapping[str, Any]) -> RenderableType:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name in ("endpoint_url", "github_webhook_url", "circleci_webhook_url", "gates_table", "kubeconfig", "log"):
        grid.add_row(name.replace("_", " "), str(info[name]))
    grid.add_row("", "")
    grid.add_row("next", "gatestream pipelines apply infra/local/example/pipelines.yaml")
    grid.add_row("at the end", "gatestream down")
    return grid


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (up, down, demo):
        app.command(rich_help_panel="On this machine")(common(command))
