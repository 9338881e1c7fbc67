"""`gatestream status`, `why`, `gate set` and `events`: what is known of commits, and a person's word on them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline_state.cli.console import CommandError
from pipeline_state.cli.options import Choice, common

if TYPE_CHECKING:
    from pipeline_state.cli.happenings import Told
    from pipeline_state.cli.stacks import Stack

Repo = Annotated[str, typer.Argument(help="The repository, owner/name.")]
Commit = Annotated[str, typer.Argument(help="A commit's hash, or enough of its first digits.")]
MaybeRepo = Annotated[str, typer.Argument(metavar="[REPO", help="The repository, owner/name.", show_default=False)]
MaybeCommit = Annotated[
    str, typer.Argument(metavar="[COMMIT]]", help="A commit's hash, or enough of its first digits.", show_default=False)
]
Where = Annotated[
    str, typer.Argument(metavar="[REPO", help="The repository, owner/name, or a pipeline.", show_default=False)
]
What = Annotated[
    str,
    typer.Argument(
        metavar="[COMMIT|ENVIRONMENT]]", help="A commit's first digits, or an environment.", show_default=False
    ),
]
Last = Annotated[int, typer.Option("--last", "-n", help="How many, counted from the newest.", min=1)]


def status(choice: Choice, repo: MaybeRepo = "", commit: MaybeCommit = "", last: Last = 10) -> None:
    """Show what every environment has; or a repository's newest commits; or all about one commit."""
    from pipeline_state.cli import facts, matrix, views

    choice.open()
    if not repo:
        heads = facts.heads(_now())
        if not heads and not choice.as_json:
            raise CommandError("there are no pipelines; define some and run `gatestream pipelines apply`")
        choice.show(heads, lambda: views.heads_view(heads))
    elif not commit:
        rows = facts.recent(repo, last, _now())
        choice.show([row.status for row in rows], lambda: matrix.commits_table(rows, choice.width))
    else:
        about = facts.status_of(*facts.find_commit(repo, commit), _now())
        choice.show(about, lambda: views.commit_view(about))


def why(choice: Choice, repo: Repo, commit: Commit) -> None:
    """Say for each environment why the commit is there or not, in one sentence."""
    from pipeline_state.cli import facts, views

    choice.open()
    about = facts.status_of(*facts.find_commit(repo, commit), _now())
    shown = ("pipeline", "name", "decision", "reason")
    sentences = [{name: each[name] for name in shown} for each in about["environments"]]
    data = {"repo": about["repo"], "commit": about["commit"], "environments": sentences}
    choice.show(data, lambda: views.why_view(about))


def gate_set(
    choice: Choice,
    repo: Repo,
    commit: Commit,
    name: Annotated[str, typer.Argument(help="The gate; one that is not there is added.")],
    value: Annotated[str, typer.Argument(help="passed, failed or pending (or TRUE, FALSE).")],
    reason: Annotated[str, typer.Option(help="Why, for those who look later.")] = "",
) -> None:
    """Open, close or add a gate of a commit in your own name."""
    from pipeline_state.cli import facts, gates, views

    gates.status_given(name, value)  # before a stack is looked for
    stack = choice.open()
    spelled, sha = facts.find_commit(repo, commit)
    notice = gates.set_gate(stack.identity(), (spelled, sha), name, value, reason, _now())
    about = facts.status_of(spelled, sha, _now())
    if notice:
        choice.say(views.shown(notice, "yellow"))
    choice.show(about, lambda: views.commit_view(about))


def events(choice: Choice, where: Where = "", what: What = "", last: Last = 50) -> None:
    """Tell what happened, newest last: everywhere, in a repository, to a commit, or in an environment."""
    from pipeline_state.cli import views

    told = _events(choice.open(), where, what, last)
    if not told and not choice.as_json:
        raise CommandError("nothing has happened yet; connect a webhook, or try `gatestream webhook send`")
    choice.show([event.to_json() for event in told], lambda: views.events_table(told))


def _events(stack: Stack, where: str, what: str, last: int) -> list[Told]:
    from pipeline_state.cli import audit, story
    from pipeline_state.cli.happenings import tell
    from pipeline_state.table.listing import in_order, latest_entries

    entries: list[dict[str, Any]]
    if not where:
        entries = latest_entries(last)
    elif what:
        entries = story.of_part(where, what, last)
    else:
        entries = story.of_repo(where, last, _now())
    latest = sorted(entries, key=lambda entry: in_order(str(entry["entry"]).partition("#")[0]))[-last:]
    return [tell(entry) for entry in audit.with_callers(stack, latest)]


def _now() -> datetime:
    return datetime.now(UTC)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    panel = "Pipelines and commits"
    for command in (status, why, events):
        app.command(rich_help_panel=panel)(common(command))
    group = typer.Typer(help="Gates, set by hand.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("set")(common(gate_set))
    app.add_typer(group, name="gate", rich_help_panel=panel)
