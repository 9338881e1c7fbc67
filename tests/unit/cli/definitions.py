"""Pipeline definitions for hypothesis: any that `gatestream pipelines apply` accepts."""

from typing import Any

from hypothesis import strategies as st

from pipeline_state.model.gates import NAMED_ATTRIBUTES
from pipeline_state.model.pipelines import (
    DEPLOYED_TO,
    Cluster,
    Environment,
    FreezeWindow,
    GateDefinition,
    GateSource,
    Pipeline,
    Policy,
    Release,
    SourceKind,
    Verification,
)

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?", fullmatch=True)
LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
GATES = st.from_regex(r"[A-Za-z0-9.\-/:][A-Za-z0-9_.\-/:]{0,12}", fullmatch=True).filter(
    lambda name: name not in NAMED_ATTRIBUTES and not name.startswith(DEPLOYED_TO)
)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)
SOURCES = (
    st.none()
    | st.builds(GateSource, st.sampled_from(SourceKind), TEXT)
    | st.builds(GateSource, st.just(SourceKind.GITHUB_CHECK), TEXT, TEXT)
)
CLUSTERS = (
    st.builds(Cluster, eks=NAMES.map(lambda name: name.replace(".", "-")), region=st.none() | st.just("eu-west-1"))
    | st.builds(Cluster, kubeconfig_secret=TEXT, context=st.none() | TEXT)
    | st.builds(Cluster, context=TEXT)
)


FREEZES = st.builds(
    FreezeWindow,
    cron=st.sampled_from(["0 17 * * FRI", "30 2 24-26 12 *", "*/30 0-3 * JAN,7 1#2"]),
    minutes=st.integers(1, 29) | st.just(60 * 24),
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
    exclude=st.lists(st.dates().map(str), max_size=2, unique=True).map(tuple),
    reason=st.just("") | TEXT,
)

REFERENCES = (
    TEXT.filter(str.strip).map(lambda name: {"from_parameter": name})
    | TEXT.filter(str.strip).map(lambda name: {"from_secret": name})
    | st.just({"from_secret": "shop", "key": "password"})
)
IMAGES = st.sampled_from(["nginx", "registry.example.com:5000/shop/web", "localhost/a__b-c"])
SECONDS = st.integers(1, 24 * 60 * 60) | st.sampled_from([60, 300, 3600, 24 * 60 * 60])
CHARTS = st.sampled_from(
    [
        {"chart": "charts/web"},
        {"chart": "s3://charts/shop/web-1.0.0.tgz"},
        {"chart": "oci://example.com/charts/web:1"},
        {"chart": "oci://example.com/charts/web", "version": "1.4.2-rc.1+build.7"},
    ]
)


@st.composite
def one_release(draw: st.DrawFn, namespace: str, gates: list[str]) -> Release:
    """gates: those by which it can be verified."""
    chart, image = draw(CHARTS), draw(st.just("") | IMAGES)
    urls = st.builds(Verification, url=st.just("https://shop.example.com/health?q=1"), within=SECONDS)
    opened = [st.builds(Verification, gate=st.sampled_from(gates), within=SECONDS)] if gates else []
    needs_login = image or chart["chart"].startswith("oci://")
    return Release(
        name=draw(LABELS),
        namespace=namespace,
        values=draw(st.dictionaries(ANY_TEXT, JSON | REFERENCES | st.lists(REFERENCES, max_size=2), max_size=3)),
        image_tag=draw(st.just("image.tag") | st.just("o\u00dfer.sub\\.key.tag")),
        timeout=draw(SECONDS),
        image=image,
        registry_secret=draw(st.just("") | TEXT) if needs_login else "",
        test=draw(st.booleans()),
        verify=draw(st.one_of(st.none(), urls, *opened)),
        **chart,
    )


def releases(namespace: str, gates: list[str]) -> st.SearchStrategy[tuple[Release, ...]]:
    release = one_release(namespace, gates).filter(
        lambda release: "image" not in release.values and "o\u00dfer" not in release.values
    )
    return st.lists(release, min_size=1, max_size=2, unique_by=lambda each: each.name).map(tuple)


@st.composite
def environments(draw: st.DrawFn, gates: list[str], prefix: str) -> tuple[Environment, ...]:
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    subset: Any = st.lists(st.sampled_from(gates), unique=True, max_size=3) if gates else st.just([])
    open_before: set[str] = set()
    made = []
    for at, name in enumerate(names):
        needed = draw(subset)
        open_before |= set(needed)
        installed = draw(releases(f"{prefix}-{at}", [gate for gate in gates if gate not in open_before]))
        verifying = [release.verify.gate for release in installed if release.verify and release.verify.gate]
        open_before |= set(verifying)
        several = len(installed) > 1
        made.append(
            Environment(
                name=name,
                gates=tuple(needed),
                after=(after := tuple(draw(st.lists(st.sampled_from(names[:at]), unique=True))) if at else ()),
                policy=draw(st.sampled_from(Policy)),
                soak=draw(st.integers(0, 30 * 24 * 60 * 60)) if after else 0,
                freezes=tuple(draw(st.lists(FREEZES, max_size=2))),
                releases=installed,
                cluster=draw(CLUSTERS),
                in_order=several and len(set(verifying)) == len(verifying) and draw(st.booleans()),
                rollback_together=several and draw(st.booleans()),
                force_conflicts=draw(st.booleans()),
            )
        )
    return tuple(made)


@st.composite
def pipelines(draw: st.DrawFn) -> tuple[Pipeline, ...]:
    repo = draw(st.builds("{}/{}".format, NAMES, NAMES))
    names = draw(st.lists(NAMES.map("p{}-".format).map(lambda name: f"{name}0"), min_size=1, max_size=2, unique=True))
    made = []
    for at, name in enumerate(names):
        gates = draw(st.lists(GATES, unique=True, max_size=4))
        made.append(
            Pipeline(
                name=name if len(names) > 1 or draw(st.booleans()) else repo,
                repo=repo,
                branches=tuple(draw(st.lists(TEXT, min_size=1, max_size=2))),
                paths=tuple(draw(st.lists(TEXT, max_size=2))),
                gates=tuple(GateDefinition(gate, draw(SOURCES)) for gate in gates),
                environments=draw(environments(gates, f"n{at}")),
                shared=len(names) > 1,
            )
        )
    return tuple(made)
