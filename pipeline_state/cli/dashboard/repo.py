"""A repository: its commits and their gates, and what each environment has of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline_state.cli import facts
from pipeline_state.cli.dashboard.fleet_memory import row_of
from pipeline_state.cli.dashboard.fleet_rows import Row
from pipeline_state.cli.dashboard.fleet_running import Runs
from pipeline_state.cli.dashboard.repo_view import PAGE, WITHOUT_PUSH, Standing, Wanted, branches_of, grid_of
from pipeline_state.cli.steering.places import Place
from pipeline_state.table import listing, waiting
from pipeline_state.table.definitions import load_definitions
from pipeline_state.table.delivered import items_of
from pipeline_state.table.snapshot import EVERYTHING, Snapshot

if TYPE_CHECKING:
    from pipeline_state.cli.dashboard.board import Board

TOPIC = "repo"


def routes(board: Board) -> list[Route]:
    """The page, and its grid alone, which takes another look with every change."""
    board.live.looks[TOPIC] = look
    runs = Runs()

    def page(request: Request) -> Response:
        live = board.live.url(TOPIC, _repo(request))
        return board.page(request, "repo.html", live=live, **_context(board, runs, request))

    def grid(request: Request) -> Response:
        return board.page(request, "repo_grid.html", **_context(board, runs, request))

    return [Route("/repo/{owner}/{name}", page), Route("/repo/{owner}/{name}/grid", grid)]


def look(repo: str) -> str:
    """What changes with its environments, with what waits for them, and with the commits that are on their way.

    Three reads, and one of each of these commits. Commits that are settled are not looked at: what somebody edits
    there is seen when the page takes its next look, a minute later. Raises TemporaryFault and PermanentFault.
    """
    definitions = load_definitions(repo)
    keys = [(pipeline.name, each.name) for pipeline in definitions.pipelines for each in pipeline.environments]
    environments = listing.environments_at([*keys, EVERYTHING])
    waits = waiting.of_repo(definitions.repo)
    commits = items_of((each.repo, each.commit) for each in waits)
    read = [definitions.version, [each.mark for each in waits], *environments.items(), *commits.items()]
    return hashlib.sha256(json.dumps(read, default=str).encode()).hexdigest()[:16]


def _repo(request: Request) -> str:
    return "{owner}/{name}".format(**request.path_params)


def _context(board: Board, runs: Runs, request: Request) -> Mapping[str, Any]:
    """Raises HTTPException for a repository that nothing is known of."""
    definitions = load_definitions(_repo(request))
    wanted = Wanted.from_query(definitions.repo, request.query_params)
    found = listing.newest(definitions.repo, PAGE, wanted.after, wanted.branch)
    is_narrowed = wanted.branch or wanted.after
    if not found.passed and not is_narrowed and not definitions.pipelines:
        told = f"There is no record of {definitions.repo}: no webhook has told of it, or it is spelled differently."
        raise HTTPException(404, told)
    snapshot = facts.snapshot_of(definitions.repo, found.listed)
    places = _places(snapshot, board)
    runs.read(places)
    records = {each.commit: snapshot.of(each.commit).record for each in found.listed}
    running = {row.key: each for row in places if (each := runs.of(row))}
    heads = {row.key: row.head["head"] for row in places}
    standing = Standing(heads, {key: each.commit for key, each in running.items()})
    return {
        "repo": definitions.repo,
        "wanted": wanted,
        "found": found,
        "is_full": len(found.listed) == PAGE,
        "branches": branches_of(definitions.pipelines, found.listed, wanted),
        "without_push": WITHOUT_PUSH,
        "places": places,
        "running": running,
        "grid": grid_of(facts.rows(snapshot, found.listed, board.now()), standing, records),
    }


def _places(snapshot: Snapshot, board: Board) -> list[Row]:
    """The environments, as the fleet shows them."""
    declared, environments = snapshot.definitions.declared, snapshot.environments
    places = [Place(pipeline, environment, declared) for pipeline, environment in snapshot.places]
    return [row_of(place, environments.get(place.key, {}), environments, board.now()) for place in places]
