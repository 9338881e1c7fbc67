"""Plays the controllers and the kubelet: Deployments get ReplicaSets and Pods, Pods and Jobs settle after their delay.

It looks at the whole state each time, never at what changed, so that it may run as often as it likes.
"""

import asyncio
import hashlib
import json

from infra.local.cluster import states
from infra.local.cluster.behaviour import Behaviour, behaviour
from infra.local.cluster.errors import ApiError
from infra.local.cluster.kinds import DEPLOYMENT, JOB, POD, REPLICA_SET, Kind, Object
from infra.local.cluster.store import Change, Store

Place = tuple[str, str]


class Controller:
    """Follows the store's changes and writes what the cluster makes of them.

    :param ready_after: seconds until Pods are ready, where no annotation says otherwise.
    """

    def __init__(self, store: Store, ready_after: float) -> None:
        self.store = store
        self.ready_after = ready_after
        store.listeners.append(self._notice)

    def _notice(self, change: Change) -> None:
        thing = change.thing
        owner = _owner(thing)
        if change.kind is DEPLOYMENT:
            self._roll_soon(_place(thing))
        elif change.kind is REPLICA_SET and owner:
            self._roll_soon(owner)
        elif change.kind is POD and owner:
            replica_set = self.store.find(REPLICA_SET, *owner)
            if replica_set and (deployment := _owner(replica_set)):
                self._roll_soon(deployment)
        elif change.kind in {POD, JOB} and change.before is None:
            self._settle_later(change.kind, thing, behaviour(thing, self.ready_after))

    def _roll_soon(self, place: Place) -> None:
        asyncio.get_running_loop().call_soon(self._roll, place)

    def _settle_later(self, kind: Kind, thing: Object, asked: Behaviour, deadline: float | None = None) -> None:
        delay = deadline if asked.ready == "never" else asked.delay
        if delay is not None:
            asyncio.get_running_loop().call_later(delay, self._settle, kind, thing, asked)

    def _settle(self, kind: Kind, thing: Object, asked: Behaviour) -> None:
        live = self.store.find(kind, *_place(thing))
        if live is None or live["metadata"]["uid"] != thing["metadata"]["uid"]:
            return
        settled = states.settled_job if kind is JOB else states.settled_pod
        self.store.replace(kind, {**live, "status": settled(live, asked.ready, self.store.now())})

    def _roll(self, place: Place) -> None:
        deployment = self.store.find(DEPLOYMENT, *place)
        if deployment is None:
            return
        current = self._current_set(deployment)
        self._scale(deployment, current, deployment["spec"]["replicas"])
        rolled_out = all(states.is_ready(pod) for pod in self._owned(POD, current))
        olds = [
            old for old in self._owned(REPLICA_SET, deployment) if old["metadata"]["uid"] != current["metadata"]["uid"]
        ]
        for old in olds:
            still_serving = sum(states.is_ready(pod) for pod in self._owned(POD, old))
            self._scale(deployment, old, 0 if rolled_out else still_serving)
        if rolled_out:
            self._forget(olds, deployment["spec"]["revisionHistoryLimit"])
        self._report(deployment, current)

    def _current_set(self, deployment: Object) -> Object:
        # beside the template, the behaviour counts too: a Deployment that is told to fail rolls out Pods that do
        rolled = [deployment["spec"]["template"], behaviour(deployment, self.ready_after).ready]
        digest = hashlib.sha256(json.dumps(rolled, sort_keys=True).encode()).hexdigest()
        made = states.replica_set(deployment, digest[:10])
        return self.store.find(REPLICA_SET, *_place(made)) or self.store.create(REPLICA_SET, made)

    def _scale(self, deployment: Object, replica_set: Object, replicas: int) -> None:
        pods = sorted(self._owned(POD, replica_set), key=lambda pod: not states.is_ready(pod))
        for pod in pods[replicas:]:
            self.store.delete(POD, pod)
        refusal = self._fill(deployment, replica_set, replicas - len(pods))
        spec = {**replica_set["spec"], "replicas": replicas}
        live = self.store.get(REPLICA_SET, *_place(replica_set))
        failure = states.replica_failure(live, refusal, self.store.now())
        status = states.replica_set_status(self._owned(POD, replica_set), live["metadata"]["generation"], failure)
        self.store.replace(REPLICA_SET, {**live, "spec": spec, "status": status})

    def _fill(self, deployment: Object, replica_set: Object, missing: int) -> str:
        """Makes so many Pods; why no more of them, when they are refused."""
        asked = behaviour(deployment, self.ready_after)
        for _ in range(missing):
            try:
                pod = self.store.create(POD, states.pod(replica_set, self.store.new_id()[:5]))
            except ApiError as error:
                return error.message
            self._settle_later(POD, pod, asked, deployment["spec"]["progressDeadlineSeconds"])
        return ""

    def _forget(self, replica_sets: list[Object], kept: int) -> None:
        oldest_first = sorted(replica_sets, key=lambda old: int(old["metadata"]["resourceVersion"]))
        for old in oldest_first[: max(len(oldest_first) - kept, 0)]:
            self.store.delete(REPLICA_SET, old)

    def _report(self, deployment: Object, current: Object) -> None:
        new = self._owned(POD, current)
        pods = [pod for owned in self._owned(REPLICA_SET, deployment) for pod in self._owned(POD, owned)]
        made = self.store.get(REPLICA_SET, *_place(current))
        status = states.deployment_status(deployment, pods, new, self.store.now(), states.failures_of(made))
        live = self.store.get(DEPLOYMENT, *_place(deployment))
        self.store.replace(DEPLOYMENT, {**live, "status": status})

    def _owned(self, kind: Kind, owner: Object) -> list[Object]:
        uid = owner["metadata"]["uid"]
        return self.store.select(
            kind,
            owner["metadata"]["namespace"],
            lambda thing: any(ref["uid"] == uid for ref in thing["metadata"].get("ownerReferences", ())),
        )


def _owner(thing: Object) -> Place | None:
    owners = thing["metadata"].get("ownerReferences")
    return (thing["metadata"]["namespace"], owners[0]["name"]) if owners else None


def _place(thing: Object) -> Place:
    return thing["metadata"]["namespace"], thing["metadata"]["name"]
