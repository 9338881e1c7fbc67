"""The only reader of the environment: every setting of every function, by name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields


class MissingSettingError(Exception):
    """A setting the function cannot do without is absent; the message names the environment variable."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Each field is the environment variable of the same name in capitals; absent means empty (or the default here).

    trace_file and local_kubeconfig exist on the local stack only. sample_rate 1 keeps every trace; N keeps one in N.
    charts_dir is where bundled charts lie: "charts" beside the installer's app.py unless set.
    """

    gates_table: str = ""
    environments_table: str = ""
    journal_table: str = ""
    pipelines_table: str = ""
    github_topic_arn: str = ""
    circleci_topic_arn: str = ""
    promotion_topic_arn: str = ""
    deployment_topic_arn: str = ""
    fallback_queue_url: str = ""
    rejected_queue_url: str = ""
    dead_letter_queue_url: str = ""
    installs_queue_url: str = ""
    github_secrets_arn: str = ""
    circleci_secrets_arn: str = ""
    honeycomb_key_arn: str = ""
    honeycomb_dataset: str = "gatestream"
    honeycomb_api_host: str = "https://api.honeycomb.io"
    sample_rate: int = 1
    trace_file: str = ""
    local_kubeconfig: str = ""
    charts_dir: str = ""
    aws_region: str = "us-east-1"


def read_settings(*required: str, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process.

    Raises MissingSettingError when one of the required fields is empty, at cold start rather than in the middle of an event.
    """
    given = {name: environ[name.upper()] for name in (f.name for f in fields(Settings)) if environ.get(name.upper())}
    missing = [name.upper() for name in required if name not in given]
    if missing:
        message = f"not set: {', '.join(missing)}; template.yaml gives each function its variables, see Environment there"
        raise MissingSettingError(message)
    rate = int(given.pop("sample_rate", 1))
    task_root = environ.get("LAMBDA_TASK_ROOT", ".")
    given.setdefault("charts_dir", os.path.join(task_root, "charts"))
    return Settings(**given, sample_rate=rate)
