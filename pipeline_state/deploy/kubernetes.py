"""The Kubernetes API without Helm: a request takes a few milliseconds, and a Helm process fifty.

Only for a kubeconfig that says all by itself; what takes a program, a file or a detour is left to Helm.
https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

import base64
import ssl
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from pipeline_state.deploy import web
from pipeline_state.deploy.web import Answer, Bounds

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_CLUSTER = frozenset({"server", "certificate-authority-data"})
_USER = frozenset({"token", "client-certificate-data", "client-key-data"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the API is, and what lets us in; the last three are empty where there is none.

    server: its URL. authority: who vouches for it, in PEM, instead of those whom the system trusts. certificate: ours
    with its key, in PEM.
    """

    server: str
    authority: str = ""
    token: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)

    def get(self, path: str, what: str, bounds: Bounds) -> Answer:
        """As `web.ask`, with its faults."""
        return web.ask(
            f"{self.server.rstrip('/')}{path}",
            what,
            bounds,
            headers={"Accept": "application/json"},
            authorization=f"Bearer {self.token}" if self.token else "",
            trust=_trust(self.authority, self.certificate) if self.authority or self.certificate else None,
        )


def endpoint(kubeconfig: str, context: str | None = None) -> Endpoint | None:
    """The endpoint of a context, or else of the current one; None where more is said than an Endpoint holds."""
    try:
        config = yaml.load(kubeconfig, Loader=_Loader)  # noqa: S506 - a safe loader, in C where there is one
        names = _named(config["contexts"], context or config["current-context"])["context"]
        cluster = _named(config["clusters"], names["cluster"])["cluster"]
        user = _named(config["users"], names["user"])["user"]
        if not (cluster.keys() <= _CLUSTER and user.keys() <= _USER):
            return None
        shown = [_pem(user, key) for key in ("client-certificate-data", "client-key-data")]
        authority = _pem(cluster, "certificate-authority-data")
        return Endpoint(str(cluster["server"]), authority, str(user.get("token", "")), "\n".join(filter(None, shown)))
    except (yaml.YAMLError, LookupError, TypeError, AttributeError, ValueError):
        return None


def _named(entries: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    """Of two with one name, the first counts."""
    by_name: dict[str, Mapping[str, Any]] = {str(entry["name"]): entry for entry in reversed(entries)}
    return by_name[name]


def _pem(entries: Mapping[str, str], key: str) -> str:
    return base64.b64decode(entries.get(key, "")).decode("ascii")


def _trust(authority: str, certificate: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority or None)
    if certificate:
        with tempfile.NamedTemporaryFile("w") as file:  # mode 0600; the ssl module reads keys from files alone
            file.write(certificate)
            file.flush()
            context.load_cert_chain(file.name)
    return context
