"""The only reader of the environment: every setting of every function, by name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


class MissingSettingError(Exception):
    """A setting the function cannot do without is absent; the message names the environment variable."""


_NUMBERS = ("sample_rate", "install_attempts", "receive_attempts", "retention_days")
_FOR_HELM = ("PATH", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, slots=True)
class Settings:
    """Each field is the environment variable of the same name in capitals; absent means empty (or the default here).

    trace_file and local_kubeconfig exist on the local stack only. sample_rate 1 keeps every trace; N keeps one in N.
    metrics_namespace is where CloudWatch files what the function counts; without it nothing is counted.
    span_summaries is "true" where summaries of spans are kept in the journal.
    install_attempts is how often a promotion is tried while AWS or the cluster cannot be reached.
    receive_attempts is how often the function's queue hands out a message before it gives up; 0 for a stream.
    retention_days is how long records and journal are kept that nothing needs any more; 0 keeps them for good.
    helm_environment is what a Helm process inherits; the rest of the environment is not its business.
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
    gate_events_queue_url: str = ""
    installs_queue_url: str = ""
    rollouts_queue_url: str = ""
    github_secrets_arn: str = ""
    circleci_secrets_arn: str = ""
    github_redelivery_arn: str = ""
    honeycomb_key_arn: str = ""
    honeycomb_dataset: str = "gatestream"
    honeycomb_api_host: str = "https://api.honeycomb.io"
    otlp_endpoint: str = ""
    otlp_headers_arn: str = ""
    sample_rate: int = 1
    metrics_namespace: str = ""
    install_attempts: int = 10
    receive_attempts: int = 0
    retention_days: int = 0
    trace_file: str = ""
    span_summaries: str = ""
    local_kubeconfig: str = ""
    charts_dir: str = ""
    aws_region: str = "us-east-1"
    helm_environment: Mapping[str, str] = field(default_factory=dict)


def read_settings(*required: str, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process.

    Raises MissingSettingError when one of the required fields is empty: at cold start, not in the middle of an event.
    """
    given: dict[str, Any] = {
        name: environ[name.upper()] for name in (f.name for f in fields(Settings)) if environ.get(name.upper())
    }
    missing = [name.upper() for name in required if name not in given]
    if missing:
        message = (
            f"not set: {', '.join(missing)}; template.yaml gives each function its variables, see Environment there"
        )
        raise MissingSettingError(message)
    given |= {name: int(given[name]) for name in _NUMBERS if name in given}
    given.setdefault("charts_dir", f"{environ.get('LAMBDA_TASK_ROOT', '.')}/charts")
    inherited = {name: environ[name] for name in _FOR_HELM if name in environ}
    return Settings(**given, helm_environment=inherited)
