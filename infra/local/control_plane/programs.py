"""The command lines of the five programs: what of a production cluster is kept, and what is left out to be light.

References: kubernetes.io/docs/reference/command-line-tools-reference, etcd.io/docs "Configuration options".
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.local.control_plane.access import with_certificate, write_kubeconfig
from infra.local.control_plane.assets import Assets
from infra.local.control_plane.keys import Authority, Pair, key_pair
from infra.local.ports import HOST, free_port

STAGES = Path(__file__).with_name("stages.yaml")
INSTALLERS = "gatestream-installers"
_SERVICE_ADDRESSES = "10.96.0.0/16"
# Of the fifty those that make of a chart's workloads what people expect; nodes' lives, volumes and certificates are not
# looked after. See `kube-controller-manager --help` for the names.
_CONTROLLERS = (
    "cronjob-controller",
    "daemonset-controller",
    "deployment-controller",
    "disruption-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "replicaset-controller",
    "resourcequota-controller",
    "serviceaccount-controller",
    "statefulset-controller",
    "ttl-after-finished-controller",
)


@dataclass(frozen=True, slots=True)
class Layout:
    """A control plane's files and addresses."""

    directory: Path
    url: str
    store_url: str
    peer_url: str
    authority: Authority
    server: Pair
    accounts: Pair
    tokens: Path

    @property
    def kubeconfig(self) -> Path:
        """The installer's: a token, as on EKS, of a user in the group gatestream-installers."""
        return self.directory / "kubeconfig"

    @property
    def admin_kubeconfig(self) -> Path:
        """Of a user who may do everything."""
        return self.directory / "admin.kubeconfig"


def lay_out(directory: Path) -> Layout:
    """Keys, kubeconfigs and free ports for a control plane in a new folder."""
    keys = directory / "keys"
    keys.mkdir(mode=0o700)
    authority = Authority.create(keys)
    api, store, peer = free_port(), free_port(), free_port()
    token = secrets.token_urlsafe(32)
    layout = Layout(
        directory=directory,
        url=f"https://{HOST}:{api}",
        store_url=f"https://{HOST}:{store}",
        peer_url=f"https://{HOST}:{peer}",
        authority=authority,
        server=authority.issue("server", "kube-apiserver"),
        accounts=key_pair(keys, "service-accounts"),
        tokens=keys / "tokens.csv",
    )
    layout.tokens.touch(mode=0o600)
    layout.tokens.write_text(f'{token},gatestream,gatestream,"{INSTALLERS}"\n')
    admin = authority.issue("admin", "admin", "system:masters")
    write_kubeconfig(layout.admin_kubeconfig, layout.url, authority.pair.certificate, with_certificate(admin))
    write_kubeconfig(layout.kubeconfig, layout.url, authority.pair.certificate, {"token": token})
    return layout


def commands(assets: Assets, layout: Layout) -> Mapping[str, list[str]]:
    """The command line of each of PROGRAMS, in the order of their start."""
    flags = {
        "etcd": _etcd(layout),
        "kube-apiserver": _api_server(layout),
        "kube-controller-manager": {**_client(layout), "controllers": ",".join(_CONTROLLERS)},
        "kube-scheduler": _client(layout),
        "kwok": _kwok(layout),
    }
    return {
        name: [assets.program(name), *(f"--{flag}={value}" for flag, value in found.items())]
        for name, found in flags.items()
    }


def _etcd(layout: Layout) -> dict[str, str]:
    """TLS both ways, so that whoever is on this machine does not get round RBAC; nothing outlives the folder."""
    pair, authority = layout.server, layout.authority.pair.certificate
    tls = {
        "cert-file": pair.certificate,
        "key-file": pair.key,
        "trusted-ca-file": authority,
        "client-cert-auth": "true",
    }
    peer = {f"peer-{flag}": value for flag, value in tls.items()}
    return {
        **{flag: str(value) for flag, value in {**tls, **peer}.items()},
        "data-dir": str(layout.directory / "etcd"),
        "unsafe-no-fsync": "true",
        "listen-client-urls": layout.store_url,
        "advertise-client-urls": layout.store_url,
        "listen-peer-urls": layout.peer_url,
        "initial-advertise-peer-urls": layout.peer_url,
        "initial-cluster": f"default={layout.peer_url}",
        "log-level": "warn",
    }


def _api_server(layout: Layout) -> dict[str, str]:
    pair, accounts = layout.server, layout.accounts
    return {
        "etcd-servers": layout.store_url,
        "etcd-cafile": str(layout.authority.pair.certificate),
        "etcd-certfile": str(pair.certificate),
        "etcd-keyfile": str(pair.key),
        "bind-address": HOST,
        "advertise-address": HOST,
        "external-hostname": HOST,
        "secure-port": layout.url.rpartition(":")[2],
        "endpoint-reconciler-type": "none",  # it would refuse a loopback address every ten seconds
        "tls-cert-file": str(pair.certificate),
        "tls-private-key-file": str(pair.key),
        "client-ca-file": str(layout.authority.pair.certificate),
        "token-auth-file": str(layout.tokens),
        "anonymous-auth": "false",
        "authorization-mode": "RBAC",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": str(accounts.certificate),
        "service-account-signing-key-file": str(accounts.key),
        "service-cluster-ip-range": _SERVICE_ADDRESSES,
        # The taint "not ready" that this puts on new nodes is taken off by a controller that is left out.
        "disable-admission-plugins": "TaintNodesByCondition",
        "profiling": "false",
    }


def _client(layout: Layout) -> dict[str, str]:
    """What works at the API server's objects: the only one of its kind, quick, and spoken to by nobody."""
    return {
        "kubeconfig": str(layout.admin_kubeconfig),
        "leader-elect": "false",
        "secure-port": "0",
        "kube-api-qps": "500",
        "kube-api-burst": "1000",
    }


def _kwok(layout: Layout) -> dict[str, str]:
    return {
        "kubeconfig": str(layout.admin_kubeconfig),
        "config": str(STAGES),
        "manage-all-nodes": "true",
        "node-lease-duration-seconds": "0",  # nobody looks after leases
        "v": "WARN",
    }
