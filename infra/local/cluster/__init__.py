"""The embedded cluster: an in-memory Kubernetes API, just large enough for real Helm 4 and kubectl. Demo and test part only.

Nothing runs in it: Pods are rows, and a Deployment becomes ready after a delay, never, or fails, as its annotations say.
Annotations of a Deployment, its Pod template, a Job or a Pod (the object's own win over its template's):

- ``cluster.gatestream.dev/ready-after: "0.2s"``: delay until Pods are ready ("1.5s", "200ms", "1m" or plain seconds);
- ``cluster.gatestream.dev/ready: never``: Pods stay Pending; past ``progressDeadlineSeconds`` the Deployment has failed;
- ``cluster.gatestream.dev/ready: fail``: after the delay the Pods crash and the Deployment has failed.

What a real API server has and this one has not: authentication, schemas (fields are not validated), finalizers, custom
resources, schedulers, logs, exec, status subresources, and any state on disk. It serves plain HTTP on 127.0.0.1 only.
"""

from infra.local.cluster.process import Cluster, start

__all__ = ["Cluster", "start"]
