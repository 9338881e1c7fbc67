"""The embedded cluster: an in-memory Kubernetes API, just large enough for real Helm 4 and kubectl.

It is a part of the demo and the tests only. Nothing runs in it: Pods are rows. A Deployment becomes ready after a
delay, never, or fails, as annotations of the Deployment or its Pod template (or of a Job, or a Pod by itself) say:

- ``cluster.gatestream.dev/ready-after: "0.2s"``: the delay until Pods are ready ("1.5s", "200ms", "1m", plain seconds);
- ``cluster.gatestream.dev/ready: never``: Pods stay Pending; past ``progressDeadlineSeconds`` the Deployment failed;
- ``cluster.gatestream.dev/ready: fail``: after the delay the Pods crash and the Deployment has failed.

What it has not: authentication (it serves plain HTTP on 127.0.0.1 only), schemas (fields are not validated), protobuf
beyond a few kinds, JSON patch (so that a release once applied by the client stays so), set-based selectors, finalizers,
schedulers, logs, exec, and any state on disk.
"""

from infra.local.cluster.process import Cluster, start

__all__ = ["Cluster", "start"]
