"""Charts and values that say no, and registries."""

from __future__ import annotations

from tests.certificates import write_certificate
from tests.payloads.helm.cases import CASES, Case, Say, case, deployment, settings
from tests.payloads.helm.faulty_api import Answer, Fault, close, cut, plain, reset, serving, status
from tests.payloads.helm.room import Room

_SCHEMA = '{"type": "object", "properties": {"replicas": {"type": "integer"}}}'


@case("chart-missing")
def _(room: Room) -> bytes:
    return room.upgrade(str(room.directory / "none"))


@case("chart-no-chart-yaml")
def _(room: Room) -> bytes:
    (room.directory / "empty").mkdir()
    return room.upgrade(str(room.directory / "empty"))


@case("chart-kube-version")
def _(room: Room) -> bytes:
    return room.upgrade(room.chart({"web": deployment()}, kubeVersion=">=9.0.0"))


@case("chart-dependency-missing")
def _(room: Room) -> bytes:
    wanted = [{"name": "redis", "version": "1.0.0", "repository": "oci://registry.example.com/charts"}]
    return room.upgrade(room.chart({"web": deployment()}, dependencies=wanted))


@case("template-fails")
def _(room: Room) -> bytes:
    return room.upgrade(room.chart({"web": '{{ fail "the value host is needed" }}'}))


@case("template-nil")
def _(room: Room) -> bytes:
    return room.upgrade(room.chart({"web": "a: {{ .Values.image.tag }}"}))


@case("template-unclosed")
def _(room: Room) -> bytes:
    return room.upgrade(room.chart({"web": "{{ if .Values.replicas }}\na: 1\n"}))


@case("template-no-yaml")
def _(room: Room) -> bytes:
    return room.upgrade(room.chart({"web": "kind: ConfigMap\n a: [1\n"}))


@case("values-schema")
def _(room: Room) -> bytes:
    return room.upgrade(room.chart({"web": deployment()}, schema=_SCHEMA), replicas="many")


@case("values-of-wrong-type", "real")
def _(room: Room) -> bytes:
    return room.upgrade(room.chart({"web": deployment().replace("replicas: 1", "replicas: many")}))


@case("two-of-one-name")
def _(room: Room) -> bytes:
    return room.upgrade(room.chart({"a": settings(), "b": settings()}))


def _registry(answer: Answer, *flags: str) -> Say:
    def say(room: Room) -> bytes:
        with serving("", Fault(".*", "", answer)) as registry:
            place = registry.url.removeprefix("http://")
            return room.upgrade(f"oci://{place}/charts/web", "--version", "0.1.0", "--plain-http", *flags)

    return say


def _errors(code: int, name: str, message: str, **headers: str) -> Answer:
    """https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes"""
    body = f'{{"errors": [{{"code": "{name}", "message": "{message}"}}]}}'
    return plain(code, body, **{"Content-Type": "application/json", **headers})


_EXPIRED = "Your authorization token has expired. Reauthenticate and try again."
for _name, _answer in {
    "registry-401": _errors(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate='Basic realm="charts"'),
    "registry-403": _errors(403, "DENIED", "requested access to the resource is denied"),
    "registry-token-expired": _errors(403, "DENIED", _EXPIRED),
    "registry-404": _errors(404, "MANIFEST_UNKNOWN", "manifest unknown"),
    "registry-429": _errors(429, "TOOMANYREQUESTS", "Rate exceeded"),
    "registry-500": _errors(500, "UNKNOWN", "unknown error"),
    "registry-502": plain(502, "<html>Bad Gateway</html>"),
    "registry-503": plain(503, "no healthy upstream"),
    "registry-closes": close,
    "registry-resets": reset,
    "registry-cuts": cut,
}.items():
    CASES[_name] = Case("embedded", _registry(_answer))


_REFUSED = _errors(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate='Basic realm="charts"')
CASES["registry-login-refused"] = Case("embedded", _registry(_REFUSED, "--username", "me", "--password", "wrong"))


@case("registry-refuses-connections")
def _(room: Room) -> bytes:
    return room.upgrade("oci://127.0.0.1:1/charts/web", "--version", "0.1.0", "--plain-http")


@case("registry-without-address")
def _(room: Room) -> bytes:
    return room.upgrade("oci://registry.invalid/charts/web", "--version", "0.1.0")


@case("registry-certificate-unknown")
def _(room: Room) -> bytes:
    certificate = write_certificate(room.directory / "certificate.pem")
    with serving("", Fault(".*", "", status(404, "NotFound", "")), certificate=certificate) as registry:
        place = registry.url.removeprefix("https://")
        return room.upgrade(f"oci://{place}/charts/web", "--version", "0.1.0")


@case("registry-without-tls")
def _(room: Room) -> bytes:
    with serving("", Fault(".*", "", plain(404, ""))) as registry:
        return room.upgrade(f"oci://{registry.url.removeprefix('http://')}/charts/web", "--version", "0.1.0")
