"""Repositories and their pipelines, of every kind there can be, for the machine to play with."""

from dataclasses import replace

from pipeline_state.model.pipelines import (
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

SHOP, BLOG = "myOrg/shop", "myOrg/blog"
SOAK = 120
BUILD = GateDefinition("build", GateSource(SourceKind.CIRCLECI_WORKFLOW, "build-test"))
LEGAL, SMOKE = GateDefinition("legal"), GateDefinition("smoke")
WINDOW = FreezeWindow("*/10 * * * *", 3, reason="backup")
"""The first three minutes of every ten."""


def environment(name: str, *releases: str, gates: tuple[str, ...] = ("build",), **more: object) -> Environment:
    installed = tuple(_release(each, f"{name}-of-all") for each in releases)
    made = Environment(name, gates, (), installed, Cluster(context="local"))
    return replace(made, **more)  # type: ignore[arg-type]


def _release(told: str, namespace: str) -> Release:
    """By its name, and what its deployment takes beyond being ready: "web test verify"."""
    name, *more = told.split()
    verify = Verification(gate=SMOKE.name, within=100) if "verify" in more else None
    return Release(name, namespace, f"charts/{name}", test="test" in more, verify=verify)


def pipeline(name: str, repo: str, *environments: Environment, **more: object) -> Pipeline:
    gates = (BUILD, LEGAL, SMOKE)
    return replace(Pipeline(name, repo, ("main",), (), gates, environments), **more)  # type: ignore[arg-type]


def standing(pipelines: tuple[Pipeline, ...], in_order: bool, together: bool) -> tuple[Pipeline, ...]:  # noqa: FBT001
    """The same, where the releases of each environment go in order or at once, and stand together or alone."""
    return tuple(
        replace(
            each,
            environments=tuple(replace(it, in_order=in_order, rollback_together=together) for it in each.environments),
        )
        for each in pipelines
    )


CHAIN = (
    pipeline(
        "shop",
        SHOP,
        environment("staging", "web", "worker"),
        environment("production", "shop verify", gates=("legal",), after=("staging",)),
    ),
    pipeline("blog", BLOG, environment("live", "blog", policy=Policy.EVERY)),
)
GRAPH = (
    pipeline(
        "shop",
        SHOP,
        environment("dev", "web", "db test"),
        environment("qa", "tests test verify", gates=()),
        environment("production", "shop", gates=("legal",), after=("dev", "qa"), soak=SOAK),
        branches=("main", "release/*"),
    ),
)
MONOREPO = (
    pipeline(
        "front",
        SHOP,
        environment("live", "front verify"),
        environment("far", "front-far", gates=(), after=("live",), policy=Policy.EVERY),
        paths=("front/*",),
        shared=True,
    ),
    pipeline("back", SHOP, environment("live", "back"), paths=("back/*",), shared=True, branches=("main", "release/*")),
)
TURNS = (
    pipeline(
        "shop",
        SHOP,
        environment("staging", "web", "api", policy=Policy.EVERY, freezes=(WINDOW,)),
        environment("production", "shop", gates=("legal",), after=("staging",), policy=Policy.EVERY),
    ),
    pipeline("blog", BLOG, environment("live", "blog", freezes=(WINDOW,), soak=0)),
)
PAIR = (
    pipeline("shop", SHOP, environment("live", "web", "worker")),
    pipeline("blog", BLOG, environment("live", "blog", "feed", policy=Policy.EVERY, freezes=(WINDOW,))),
)
"""Where nothing comes after several releases, so that one that fails settles the commit."""

TOPOLOGIES = {"chain": CHAIN, "graph": GRAPH, "monorepo": MONOREPO, "pair": PAIR, "turns": TURNS}
