"""A real Kubernetes control plane on loopback: etcd, API server, controllers and scheduler, with kwok as its nodes.

Five plain processes with TLS and RBAC, in a folder that goes with them; nothing runs in the Pods, which kwok moves
through their states (`stages.yaml`). It is what the installer's tests run against beside the embedded cluster, and
honours the same annotations, on Pods:

- ``cluster.gatestream.dev/ready-after: "0.2s"``: the delay until Pods are ready (Go's notation: "1.5s", "200ms", "1m");
- ``cluster.gatestream.dev/ready: never``: containers wait in ImagePullBackOff;
- ``cluster.gatestream.dev/ready: fail``: containers wait in CrashLoopBackOff; Pods that run once have failed.

What it has not: kubelets, a network, DNS, volumes, logs and exec, and the controllers that look after these.
"""

from infra.local.control_plane.plane import Plane, load, start

__all__ = ["Plane", "load", "start"]
