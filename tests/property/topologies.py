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
)

SHOP, BLOG = "myOrg/shop", "myOrg/blog"
SOAK = 120
BUILD = GateDefinition("build", GateSource(SourceKind.CIRCLECI_WORKFLOW, "build-test"))
LEGAL = GateDefinition("legal")
WINDOW = FreezeWindow("*/10 * * * *", 3, reason="backup")
"""The first three minutes of every ten."""


def environment(name: str, *releases: str, gates: tuple[str, ...] = ("build",), **more: object) -> Environment:
    installed = tuple(Release(each, f"{name}-of-all", f"charts/{each}") for each in releases)
    made = Environment(name, gates, (), installed, Cluster(context="local"))
    return replace(made, **more)  # type: ignore[arg-type]


def pipeline(name: str, repo: str, *environments: Environment, **more: object) -> Pipeline:
    return replace(Pipeline(name, repo, ("main",), (), (BUILD, LEGAL), environments), **more)  # type: ignore[arg-type]


CHAIN = (
    pipeline(
        "shop",
        SHOP,
        environment("staging", "web", "worker"),
        environment("production", "shop", gates=("legal",), after=("staging",)),
    ),
    pipeline("blog", BLOG, environment("live", "blog", policy=Policy.EVERY)),
)
GRAPH = (
    pipeline(
        "shop",
        SHOP,
        environment("dev", "web"),
        environment("qa", "tests", gates=()),
        environment("production", "shop", gates=("legal",), after=("dev", "qa"), soak=SOAK),
        branches=("main", "release/*"),
    ),
)
MONOREPO = (
    pipeline(
        "front",
        SHOP,
        environment("live", "front"),
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
        environment("staging", "web", policy=Policy.EVERY, freezes=(WINDOW,)),
        environment("production", "shop", gates=("legal",), after=("staging",), policy=Policy.EVERY),
    ),
    pipeline("blog", BLOG, environment("live", "blog", freezes=(WINDOW,), soak=0)),
)
TOPOLOGIES = {"chain": CHAIN, "graph": GRAPH, "monorepo": MONOREPO, "turns": TURNS}
