"""An API server that does not answer, or answers that it cannot: by what it does, and when."""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import timedelta

from pipeline_state.deploy import dialect
from tests.certificates import write_certificate
from tests.payloads.helm.cases import CASES, Case, Say, case, deployment, settings
from tests.payloads.helm.faulty_api import Answer, Fault, close, cut, hang, plain, reset, serving, status, twice
from tests.payloads.helm.room import SECONDS, Room

_APPLY = "/apis/apps/v1/namespaces/[^/]+/deployments"
_MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"
_ALL_AT_ONCE = "Too many requests, please try again later."
_TIMEOUT = "Timeout: request did not complete within requested timeout - context deadline exceeded"

# What API servers, etcd behind them and load balancers before them answer.
_ANSWERS: dict[str, Answer] = {
    "401": status(401, "Unauthorized", "Unauthorized"),
    "403-anonymous": status(403, "Forbidden", 'secrets is forbidden: User "system:anonymous" cannot list resource'),
    "429": plain(429, _ALL_AT_ONCE, Retry_After="1"),
    "429-at-once": status(429, "TooManyRequests", "the server has received too many requests"),
    "500": status(500, "InternalError", "Internal error occurred: context canceled"),
    "500-etcd": status(500, "", "etcdserver: leader changed"),
    "500-plain": plain(500, "This request caused apiserver to panic. Look in the logs for details."),
    "502": plain(502, "<html><body>Bad Gateway</body></html>"),
    "503": status(503, "ServiceUnavailable", "the server is currently unable to handle the request"),
    "503-plain": plain(503, "apiserver is shutting down."),
    "504": status(504, "Timeout", _TIMEOUT),
    "504-plain": plain(504, "stream timeout"),
    "closes": close,
    "resets": reset,
    "cuts": cut,
}


def _at_look_up(answer: Answer) -> Say:
    def say(room: Room) -> bytes:
        with serving(room.url, Fault("GET", "/secrets", answer)) as api:
            return room.run("history", "web", "--output", "json", kubeconfig=room.config("faulty", api.url))

    return say


def _at_version(answer: Answer) -> Say:
    def say(room: Room) -> bytes:
        with serving(room.url, Fault("GET", "/version", answer)) as api:
            return room.upgrade(room.chart({"web": deployment()}), kubeconfig=room.config("faulty", api.url))

    return say


def _at_apply(answer: Answer) -> Say:
    def say(room: Room) -> bytes:
        with serving(room.url, Fault("POST|PATCH|PUT", _APPLY, answer)) as api:
            return room.upgrade(room.chart({"web": deployment()}), kubeconfig=room.config("faulty", api.url))

    return say


def _at_rollback(answer: Answer) -> Say:
    """The upgrade fails, and so does Helm's own way back."""

    def say(room: Room) -> bytes:
        room.prepared(room.chart({"web": deployment()}))
        with serving(room.url, Fault("POST|PATCH|PUT", _APPLY, answer)) as api:
            chart = room.chart({"web": deployment(replicas=2)})
            return room.upgrade(chart, kubeconfig=room.config("faulty", api.url))

    return say


def _at_wait(answer: Answer) -> Say:
    """From the first look at the workload on. Helm 4 watches it, Helm 3 asks for it over and over."""

    def say(room: Room) -> bytes:
        applied = Fault("GET", f"{_APPLY}(/web$|[?]|$)|/replicasets|/pods", answer)
        with serving(room.url) as api:

            def first(handler: object) -> None:
                api.faults[:] = [applied]
                handler.pass_on()  # type: ignore[attr-defined]  # a Handler

            api.faults[:] = [Fault("POST|PATCH", _APPLY, first)]
            chart = room.chart({"web": deployment("never")})
            return room.upgrade(chart, timeout="3s", kubeconfig=room.config("faulty", api.url))

    return say


def _register(stage: str, way: Callable[[Answer], Say], *names: str) -> None:
    for name in names or _ANSWERS:
        CASES[f"api-{name}-at-{stage}"] = Case("embedded", way(_ANSWERS[name]))


_register("look-up", _at_look_up)
_register("apply", _at_apply)
_register("version", _at_version, "401", "403-anonymous", "503", "502", "closes")
_register("rollback", _at_rollback, "401", "503", "closes")
_register("wait", _at_wait, "401", "429-at-once", "503", "closes")
CASES["api-409-at-apply"] = Case(
    "embedded",
    _at_apply(status(409, "Conflict", f'Operation cannot be fulfilled on deployments.apps "web": {_MODIFIED}')),
)


@case("api-hangs-at-discovery")
def _(room: Room) -> bytes:
    """Helm asks which kinds there are, and gives up after 32 seconds."""
    with serving(room.url, Fault("GET", "^/(api|apis)([?]|$)", hang)) as api:
        return room.upgrade(room.chart({"web": deployment()}), kubeconfig=room.config("faulty", api.url))


@case("stopped-at-apply")
def _(room: Room) -> bytes:
    """The API server does not answer, and Helm's time is up: SIGTERM."""
    wish = dialect.Wish(waits=True, goes_back=True)
    with serving(room.url, Fault("POST|PATCH", _APPLY, hang)) as api:
        flags = ["--create-namespace", *dialect.upgrade(room.major, wish)]
        config = room.config("faulty", api.url)
        process = room.start("upgrade", "web", room.chart({"web": deployment()}), *flags, kubeconfig=config)
        api.reached.wait(SECONDS)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=SECONDS)
        return said


@case("api-refuses-connections")
def _(room: Room) -> bytes:
    return room.upgrade(room.chart({"web": deployment()}), kubeconfig=room.config("gone", "https://127.0.0.1:1"))


@case("api-without-address")
def _(room: Room) -> bytes:
    return room.upgrade(room.chart({"web": deployment()}), kubeconfig=room.config("gone", "https://cluster.invalid"))


@case("api-certificate-unknown")
def _(room: Room) -> bytes:
    certificate = write_certificate(room.directory / "certificate.pem")
    with serving(room.url, certificate=certificate) as api:
        return room.upgrade(room.chart({"web": deployment()}), kubeconfig=room.config("faulty", api.url))


@case("api-certificate-expired")
def _(room: Room) -> bytes:
    certificate = write_certificate(room.directory / "certificate.pem", good_for=timedelta(seconds=-1))
    with serving(room.url, certificate=certificate) as api:
        config = room.config("faulty", api.url, **{"certificate-authority": str(certificate)})
        return room.upgrade(room.chart({"web": deployment()}), kubeconfig=config)


@case("api-without-tls")
def _(room: Room) -> bytes:
    with serving(room.url) as api:
        config = room.config("faulty", api.url.replace("http://", "https://"))
        return room.upgrade(room.chart({"web": deployment()}), kubeconfig=config)


@case("kubeconfig-missing")
def _(room: Room) -> bytes:
    return room.upgrade(room.chart({"web": deployment()}), kubeconfig=room.directory / "none")


@case("kubeconfig-broken")
def _(room: Room) -> bytes:
    (room.directory / "broken").write_text("clusters: [")
    return room.upgrade(room.chart({"web": deployment()}), kubeconfig=room.directory / "broken")


@case("kubeconfig-without-context")
def _(room: Room) -> bytes:
    return room.upgrade(room.chart({"web": deployment()}), "--kube-context", "nowhere")


@case("another-operation")
def _(room: Room) -> bytes:
    """The Helm before was killed."""
    chart = room.chart({"web": deployment("never")})
    room.kubectl("create", "namespace", room.namespace)
    process = room.start("upgrade", "web", chart, "--install", "--wait", "--timeout", "60s")
    room.until(lambda: "sh.helm.release.v1.web.v1" in room.kubectl("get", "secrets", "-n", room.namespace))
    process.kill()
    process.communicate()
    return room.upgrade(chart)


@case("two-at-once")
def _(room: Room) -> bytes:
    """Another Helm has made the same revision a moment before."""
    room.prepared(room.chart({"web": deployment()}))
    with serving(room.url, Fault("POST", "/secrets", twice)) as api:
        return room.upgrade(room.chart({"web": deployment()}), kubeconfig=room.config("faulty", api.url))


@case("two-first-at-once")
def _(room: Room) -> bytes:
    """Another Helm has made the very first revision a moment before."""
    with serving(room.url, Fault("POST", "/secrets", twice)) as api:
        return room.upgrade(room.chart({"web": deployment()}), kubeconfig=room.config("faulty", api.url))


@case("release-gone")
def _(room: Room) -> bytes:
    """Somebody has uninstalled it since it was looked up."""
    room.prepared(room.chart({"web": settings()}))
    room.start("uninstall", "web").communicate()
    return room.upgrade(room.chart({"web": settings()}), wish=dialect.Wish(is_there=True))
