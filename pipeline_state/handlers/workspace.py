"""What AWS and the settings give to a function that runs Helm."""

from __future__ import annotations

import tempfile
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from pipeline_state.deploy import Workspace
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.settings import Settings
from pipeline_state.startup import Clients


def workspace_of(settings: Settings, clients: Clients) -> Workspace:
    """The workspace of this process."""

    def fetch(secret: str) -> str:
        try:
            return str(clients("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in {"ResourceNotFoundException", "AccessDeniedException", "InvalidRequestException"}:
                raise PermanentFault(f"the kubeconfig secret {secret!r} cannot be read: {code}") from error
            raise TemporaryFault(f"Secrets Manager did not answer: {code}", 5) from error
        except BotoCoreError as error:
            raise TemporaryFault(f"Secrets Manager was not reached: {type(error).__name__}", 5) from error

    return Workspace(
        directory=Path(tempfile.gettempdir()) / "gatestream",
        charts_dir=Path(settings.charts_dir),
        local_kubeconfig=settings.local_kubeconfig,
        fetch_secret=fetch,
        environment=settings.helm_environment,
    )
