"""What AWS and the settings give to a function that runs Helm."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline_state.deploy import Workspace
from pipeline_state.handlers.aws_edges import AwsEdges
from pipeline_state.settings import Settings
from pipeline_state.startup import Clients, aws_client


def workspace_of(settings: Settings, clients: Clients) -> Workspace:
    """The workspace of this process."""

    def client(service: str, region: str = "") -> Any:
        if region in {"", settings.aws_region}:
            return clients(service)
        return aws_client(service, replace(settings, aws_region=region))

    edges = AwsEdges(client)
    return Workspace(
        directory=Path(tempfile.gettempdir()) / "gatestream",
        charts_dir=Path(settings.charts_dir),
        local_kubeconfig=settings.local_kubeconfig,
        fetch_secret=edges.secret,
        environment=settings.helm_environment,
        fetch_parameter=edges.parameter,
        fetch_object=edges.object,
        registry_token=edges.registry_token,
    )
