"""The `gatestream` command."""

from __future__ import annotations

from typing import Any

try:
    import typer
except ModuleNotFoundError as error:
    raise SystemExit("gatestream: the command needs some more packages: pip install 'gatestream[cli]'") from error

from pipeline_state.cli import local_commands, record_commands, webhook_commands
from pipeline_state.cli.dashboard import dashboard_command
from pipeline_state.cli.definitions import pipelines_commands
from pipeline_state.cli.delivery import delivery_commands
from pipeline_state.cli.dlq import dlq_commands
from pipeline_state.cli.options import before_the_command
from pipeline_state.cli.output import guarded_output
from pipeline_state.cli.replay import replay_commands
from pipeline_state.cli.stats import stats_commands
from pipeline_state.cli.steering import closing_commands, steering_commands
from pipeline_state.cli.traces import trace_commands


class _Application(typer.Typer):
    """All commands, and whatever typer itself prints about them."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        with guarded_output():
            return super().__call__(*arguments, **options)


app = _Application(
    name="gatestream",
    help="A commit is a row of gates: webhooks fill it, and when the last gate opens, Helm ships the commit.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
before_the_command(app)
for room in (
    local_commands,
    pipelines_commands,
    record_commands,
    replay_commands,
    trace_commands,
    dashboard_command,
    delivery_commands,
    stats_commands,
    steering_commands,
    closing_commands,
    webhook_commands,
    dlq_commands,
):
    room.register(app)
