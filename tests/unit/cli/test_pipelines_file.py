"""Every refusal names file, line, key and the fix, and all of a file are told at once."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline_state.cli.definitions import pipelines_file
from pipeline_state.cli.definitions.pipelines_file import PipelinesFileError
from pipeline_state.model.pipelines import (
    Cluster,
    FreezeWindow,
    GateSource,
    Pipeline,
    Policy,
    SourceKind,
    Verification,
)

WHOLE = """\
pipelines:
  - repo: myOrg/myApp
    branches: [main, release/*]
    gates:
      build: {circleci_workflow: build-and-test}
      lint: {github_check: lint, app: github-actions}
      approval_from_legal:
    environments:
      - name: staging
        gates: [build]
        cluster: {context: local}
        releases:
          - name: web
            namespace: staging
            chart: charts/web
            timeout: 5m
            values: {replicaCount: 2}
      - name: production
        gates: [build, lint, approval_from_legal]
        cluster: {eks: prod, region: eu-west-1, role: "arn:aws:iam::123456789012:role/deployer"}
        releases:
          - name: web
            namespace: production
            chart: oci://registry.example.com/charts/web
            version: 1.2.3
            image_tag: app.image.tag
"""


def problems_of(text: str, applied: tuple[Pipeline, ...] = ()) -> list[str]:
    with pytest.raises(PipelinesFileError) as refused:
        pipelines_file.parse(text, "p.yaml", applied)
    return refused.value.lines


def changed(old: str, new: str) -> str:
    assert WHOLE.count(old) == 1
    return WHOLE.replace(old, new)


def test_a_file_becomes_the_models_pipelines() -> None:
    (pipeline,) = pipelines_file.parse(WHOLE)
    staging, production = pipeline.environments
    assert (pipeline.name, pipeline.repo, pipeline.shared) == ("myOrg/myApp", "myOrg/myApp", False)
    assert [gate.source for gate in pipeline.gates] == [
        GateSource(SourceKind.CIRCLECI_WORKFLOW, "build-and-test"),
        GateSource(SourceKind.GITHUB_CHECK, "lint", "github-actions"),
        None,
    ]
    assert (staging.after, production.after) == ((), ("staging",))
    assert (staging.releases[0].timeout, production.releases[0].timeout) == (300, 300)
    assert staging.releases[0].values == {"replicaCount": 2}
    assert production.cluster == Cluster("prod", "eu-west-1", "arn:aws:iam::123456789012:role/deployer")
    assert (production.releases[0].version, production.releases[0].image_tag) == ("1.2.3", "app.image.tag")


def test_policy_soak_and_freezes_of_an_environment_are_read() -> None:
    rules = """policy: every
        soak: 30m
        freezes:
          - cron: "0 17 * * FRI"
            duration: 63h
            timezone: Europe/Berlin
            exclude: [2026-12-25, "2027-01-01"]
            reason: nobody is there at the weekend
          - {cron: 0 0 24 12 *, duration: 3d}"""
    (pipeline,) = pipelines_file.parse(with_rules(rules))
    staging, production = pipeline.environments
    assert (staging.policy, staging.soak, staging.freezes) == (Policy.NEWEST, 0, ())
    assert (production.policy, production.soak) == (Policy.EVERY, 1800)
    reason = "nobody is there at the weekend"
    assert production.freezes == (
        FreezeWindow("0 17 * * FRI", 63 * 60, "Europe/Berlin", ("2026-12-25", "2027-01-01"), reason),
        FreezeWindow("0 0 24 12 *", 3 * 24 * 60),
    )
    assert Pipeline.from_dict(json.loads(json.dumps(pipeline.to_dict()))) == pipeline


@pytest.mark.parametrize("soak, seconds", [("0", 0), ("90", 90), ("90s", 90), ("2h", 7200), ("30d", 2_592_000)])
def test_a_soak_is_seconds_or_has_a_unit(soak: str, seconds: int) -> None:
    (pipeline,) = pipelines_file.parse(with_rules(f"soak: {soak}"))
    assert pipeline.environments[1].soak == seconds


def test_rules_are_written_in_their_largest_unit_and_left_out_where_they_are_as_ever() -> None:
    rules = with_freeze(duration="2880m", timezone="UTC", exclude="[]").replace(
        "        freezes:", "        policy: newest\n        soak: 5400\n        freezes:"
    )
    text = pipelines_file.to_file(pipelines_file.parse(rules))
    assert "    soak: 90m\n    freezes:\n    - cron: 0 17 * * FRI\n      duration: 2d\n    cluster:" in text
    assert "policy" not in text


def test_a_freeze_that_leaves_an_hour_a_week_is_none_that_never_ends() -> None:
    (pipeline,) = pipelines_file.parse(with_freeze(duration="167h"))
    assert pipeline.environments[1].freezes[0].minutes == 167 * 60


def test_how_an_environment_installs_and_verifies_is_read() -> None:
    how = """timeout: 2h
        releases_in_order: true
        rollback_together: true
        force_conflicts: true"""
    more = """            image: registry.example.com/web
            registry_secret: login
            test: true
            verify: {gate: smoke, within: 30m}
          - name: api
            namespace: production
            chart: s3://charts/api.tgz
            timeout: 90s
            verify: {url: https://shop.example.com/health}
"""
    text = with_rules(how).replace("      approval_from", "      smoke:\n      approval_from") + more
    (pipeline,) = pipelines_file.parse(text)
    staging, production = pipeline.environments
    web, api = production.releases
    assert (staging.in_order, staging.rollback_together, staging.force_conflicts) == (False, False, False)
    assert (production.in_order, production.rollback_together, production.force_conflicts) == (True, True, True)
    assert (web.image, web.registry_secret, web.test) == ("registry.example.com/web", "login", True)
    assert (web.verify, web.timeout) == (Verification(gate="smoke", within=1800), 7200)
    assert (api.verify, api.timeout) == (Verification(url="https://shop.example.com/health"), 90)
    assert pipelines_file.parse(pipelines_file.to_file([pipeline])) == (pipeline,)


def test_texts_that_the_installer_alone_reads_stay_references() -> None:
    values = "{db: {password: {from_secret: shop/db, key: password}}, tokens: [{from_parameter: /shop/token}]}"
    (pipeline,) = pipelines_file.parse(changed("{replicaCount: 2}", values))
    assert pipeline.environments[0].releases[0].values == {
        "db": {"password": {"from_secret": "shop/db", "key": "password"}},
        "tokens": [{"from_parameter": "/shop/token"}],
    }


@pytest.mark.parametrize("timeout, seconds", [("300", 300), ("90s", 90), ("5m", 300), ("2h", 7200), ("1d", 86_400)])
def test_a_timeout_is_seconds_or_has_a_unit(timeout: str, seconds: int) -> None:
    (pipeline,) = pipelines_file.parse(changed("timeout: 5m", f"timeout: {timeout}"))
    assert pipeline.environments[0].releases[0].timeout == seconds


@pytest.mark.parametrize(
    "image", ["nginx", "library/nginx", "localhost:5000/web", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/web_a"]
)
def test_an_image_is_a_repository_anywhere(image: str) -> None:
    (pipeline,) = pipelines_file.parse(changed("timeout: 5m", f"image: {image}"))
    assert pipeline.environments[0].releases[0].image == image


def test_a_gate_may_verify_what_a_later_environment_needs() -> None:
    (pipeline,) = pipelines_file.parse(changed("timeout: 5m", "verify: {gate: lint}"))
    assert pipeline.environments[1].gates == ("build", "lint", "approval_from_legal")


def test_a_gate_may_verify_each_of_two_environments_beside_one_another() -> None:
    text = changed("timeout: 5m", "verify: {gate: smoke}").replace(
        "      approval_from", "      smoke:\n      approval_from"
    )
    text = text.replace("      - name: production\n", "      - name: production\n        after: []\n")
    (pipeline,) = pipelines_file.parse(text + "            verify: {gate: smoke}\n")
    verified = [environment.releases[0].verify for environment in pipeline.environments]
    assert verified == [Verification(gate="smoke")] * 2


def test_pipelines_on_one_repository_share_it() -> None:
    entry = WHOLE.removeprefix("pipelines:\n")
    second = entry.replace("- repo: myOrg/myApp", "- name: api\n    repo: myOrg/myApp").replace(
        "name: web", "name: api"
    )
    first, other = pipelines_file.parse(WHOLE + second)
    assert (first.deployed_gate("staging"), other.deployed_gate("staging")) == (
        "deployed_to_myOrg/myApp_staging",
        "deployed_to_api_staging",
    )


def test_values_are_what_helm_would_read() -> None:
    values = (
        "{day: 2026-01-02, time: 12:30, mode: 0644, large: 1e3, on: yes, 8080: 0x1f, tag: 1_000, no: ~, hash: 123e4567}"
    )
    (pipeline,) = pipelines_file.parse(changed("{replicaCount: 2}", values))
    assert pipeline.environments[0].releases[0].values == {
        "day": "2026-01-02",
        "time": "12:30",
        "mode": 0o644,
        "large": 1000.0,
        "on": True,
        "8080": 31,
        "tag": 1000,
        "no": None,
        "hash": "123e4567",
    }


def test_anchors_and_merged_keys_are_understood() -> None:
    text = changed("cluster: {context: local}", "cluster: &here {context: local}").replace(
        'cluster: {eks: prod, region: eu-west-1, role: "arn:aws:iam::123456789012:role/deployer"}',
        "cluster: {<<: *here, context: other}",
    )
    (pipeline,) = pipelines_file.parse(text)
    assert [environment.cluster.context for environment in pipeline.environments] == ["local", "other"]


IMAGE = "write the repository without https://, tag and digest, as registry.example.com/web; the tag is the commit"
URL = "write a URL such as https://shop.example.com/health"
STAGING, PRODUCTION = "pipelines[0].environments[0]", "pipelines[0].environments[1]"
FREEZE = f"{PRODUCTION}.freezes[0]"
CRON = 'write minute, hour, day-of-month, month and day-of-week, as in "0 17 * * FRI"'


def with_rules(rules: str) -> str:
    return changed("      - name: production\n", f"      - name: production\n        {rules}\n")


def with_freeze(**keys: str | None) -> str:
    """The weekend's freeze of production, its first key on line 20."""
    entry = {"cron": '"0 17 * * FRI"', "duration": "63h", **keys}
    lines = "\n            ".join(f"{key}: {value}" for key, value in entry.items() if value is not None)
    return with_rules(f"freezes:\n          - {lines}")


REFUSALS = {
    "a key nobody knows": (
        changed("branches:", "branch:"),
        3,
        "pipelines[0].branch",
        "is not known; did you mean branches?",
    ),
    "a key nobody knows, like none of ours": (
        changed("            timeout: 5m", "            zzz: 5m"),
        16,
        f"{STAGING}.releases[0].zzz",
        (
            "is not known; the keys here are name, namespace, chart, version, values, image_tag, timeout, image, "
            "registry_secret, test, verify"
        ),
    ),
    "a pipeline outside of the list": (
        "repo: myOrg/myApp\n" + WHOLE,
        1,
        "repo",
        "is not known here; it belongs to an entry of `pipelines:`",
    ),
    "a key given twice": (
        changed("    branches: [main, release/*]", "    branches: [main]\n    branches: [main]"),
        4,
        "pipelines[0].branches",
        "is given twice, first on line 3; keep one of them",
    ),
    "a gate given twice": (
        changed("      approval_from_legal:\n", "      build:\n"),
        7,
        "pipelines[0].gates.build",
        "is given twice, first on line 5; keep one of them",
    ),
    "nothing": (
        "",
        1,
        "",
        "is empty; it must be keys with values",
    ),
    "no pipelines": (
        "pipelines: []",
        1,
        "pipelines",
        "is empty; it needs at least one entry",
    ),
    "no repository": (
        changed("  - repo: myOrg/myApp\n    branches:", "  - name: x\n    branches:"),
        2,
        "pipelines[0].repo",
        "is missing; add `repo: …` (The repository, owner/name)",
    ),
    "a repository with a host": (
        changed("repo: myOrg/myApp", "repo: https://github.com/myOrg/myApp"),
        2,
        "pipelines[0].repo",
        "'https://github.com/myOrg/myApp' cannot be used; write owner/name, without host, # and @",
    ),
    "a pipeline's name with # in it": (
        changed("  - repo: myOrg/myApp", "  - name: a#b\n    repo: myOrg/myApp"),
        2,
        "pipelines[0].name",
        "'a#b' cannot be used; use letters, digits and . _ - / with a letter or digit at both ends",
    ),
    "an environment's name with # in it": (
        changed("name: staging", 'name: "a#b"'),
        9,
        f"{STAGING}.name",
        "'a#b' cannot be used; use letters, digits and . _ - with a letter or digit at both ends",
    ),
    "an environment's name that is a list": (
        changed("name: staging", "name: [staging]"),
        9,
        f"{STAGING}.name",
        "is a list; it must be text",
    ),
    "an environment's name with / in it": (
        changed("name: staging", "name: a/b"),
        9,
        f"{STAGING}.name",
        "'a/b' cannot be used; use letters, digits and . _ - with a letter or digit at both ends",
    ),
    "a release's name that Helm does not take": (
        WHOLE.replace("name: web", "name: Web", 1),
        13,
        f"{STAGING}.releases[0].name",
        ("'Web' cannot be used; Helm takes lower-case letters, digits, - and . with a letter or digit at the ends"),
    ),
    "a release's name of 54 characters": (
        WHOLE.replace("name: web", f"name: {'w' * 54}", 1),
        13,
        f"{STAGING}.releases[0].name",
        "has 54 characters; 53 is the most",
    ),
    "a namespace that Kubernetes does not take": (
        changed("namespace: staging", "namespace: my_space"),
        14,
        f"{STAGING}.releases[0].namespace",
        (
            "'my_space' cannot be used; Kubernetes takes lower-case letters, digits and - with a letter or digit "
            "at both ends"
        ),
    ),
    "a gate named like an attribute of the record": (
        changed("      approval_from_legal:\n", "      branch:\n").replace("approval_from_legal]", "branch]"),
        7,
        "pipelines[0].gates.branch",
        "'branch' is an attribute of every record, not a gate; choose another name",
    ),
    "a gate named like the repository's attribute": (
        changed("      approval_from_legal:\n", "      repo:\n").replace("approval_from_legal]", "repo]"),
        7,
        "pipelines[0].gates.repo",
        "'repo' is an attribute of every record, not a gate; choose another name",
    ),
    "a gate with a leading underscore": (
        changed("      approval_from_legal:\n", "      _legal:\n").replace("approval_from_legal]", "_legal]"),
        7,
        "pipelines[0].gates._legal",
        "'_legal' cannot be a gate's name; use letters, digits and _ . - / : and no leading underscore",
    ),
    "a gate that the pipeline writes itself": (
        changed("      approval_from_legal:\n", "      deployed_to_x:\n").replace(
            "approval_from_legal]", "deployed_to_x]"
        ),
        7,
        "pipelines[0].gates.deployed_to_x",
        "gates that start with deployed_to_ are written by the pipeline itself; choose another name",
    ),
    "a gate opened in two ways": (
        changed("{circleci_workflow: build-and-test}", "{circleci_workflow: build, github_check: build}"),
        5,
        "pipelines[0].gates.build.github_check",
        "is a second way to open build beside circleci_workflow; make it a gate of its own",
    ),
    "an app without a check": (
        changed("{github_check: lint, app: github-actions}", "{github_workflow: lint, app: github-actions}"),
        6,
        "pipelines[0].gates.lint.app",
        "pins the reporter of a github_check, and there is none here; remove it",
    ),
    "an opener nobody knows": (
        changed("circleci_workflow: build-and-test", "circle_workflow: build-and-test"),
        5,
        "pipelines[0].gates.build.circle_workflow",
        "is not known; did you mean circleci_workflow?",
    ),
    "a gate that is not declared": (
        changed("        gates: [build]", "        gates: [biuld]"),
        10,
        f"{STAGING}.gates[0]",
        "biuld is not among the gates of this pipeline; did you mean build?",
    ),
    "a gate needed twice": (
        changed("        gates: [build]", "        gates: [build, build]"),
        10,
        f"{STAGING}.gates",
        "build is named twice; once is enough",
    ),
    "an environment after one that is not there": (
        changed("      - name: production\n", "      - name: production\n        after: [stagin]\n"),
        19,
        f"{PRODUCTION}.after",
        "stagin is no environment of this pipeline; did you mean staging?",
    ),
    "three environments in a circle": (
        changed("      - name: staging\n", "      - name: staging\n        after: [canary]\n")
        + "      - {name: canary, cluster: {eks: c}, releases: [{name: web, namespace: c, chart: charts/web}]}\n",
        10,
        f"{STAGING}.after",
        (
            "goes round in a circle (staging after canary, canary after production, production after staging); "
            "one of them must come first: after: []"
        ),
    ),
    "environments after each other": (
        changed("      - name: staging\n", "      - name: staging\n        after: [production]\n"),
        10,
        f"{STAGING}.after",
        (
            "goes round in a circle (staging after production, production after staging); one of them must come "
            "first: after: []"
        ),
    ),
    "an environment after itself": (
        changed("      - name: production\n", "      - name: production\n        after: [production]\n"),
        19,
        f"{PRODUCTION}.after",
        "goes round in a circle (production after production); one of them must come first: after: []",
    ),
    "two environments of one name": (
        changed("      - name: production\n", "      - name: staging\n        after: []\n"),
        18,
        f"{PRODUCTION}.name",
        "staging is the name of another environment here; choose another one",
    ),
    "two releases of one name in an environment": (
        changed(
            "            values: {replicaCount: 2}\n",
            "          - {name: web, namespace: other, chart: charts/web}\n",
        ),
        17,
        f"{STAGING}.releases[1].name",
        "web is the name of another release here; choose another one",
    ),
    "no environments": (
        "pipelines: [{repo: a/b, environments: []}]",
        1,
        "pipelines[0].environments",
        "is empty; it needs at least one entry",
    ),
    "no releases": (
        "pipelines: [{repo: a/b, environments: [{name: x, cluster: {eks: y}}]}]",
        1,
        f"{STAGING}.releases",
        "is missing; add `releases: …` (What is installed there)",
    ),
    "one release installed by two environments": (
        changed("namespace: production", "namespace: staging").replace(
            '{eks: prod, region: eu-west-1, role: "arn:aws:iam::123456789012:role/deployer"}', "{context: local}"
        ),
        22,
        f"{PRODUCTION}.releases[0].name",
        (
            "web in namespace staging of the same cluster is installed by staging of myOrg/myApp already; choose "
            "another name or namespace"
        ),
    ),
    "one release installed by two pipelines": (
        WHOLE + WHOLE.removeprefix("pipelines:\n").replace("- repo: myOrg/myApp", "- repo: myOrg/other"),
        38,
        "pipelines[1].environments[0].releases[0].name",
        (
            "web in namespace staging of the same cluster is installed by staging of myOrg/myApp already; choose "
            "another name or namespace"
        ),
    ),
    "two pipelines of one name on two repositories": (
        changed("  - repo: myOrg/myApp\n", "  - name: x\n    repo: myOrg/myApp\n")
        + WHOLE.removeprefix("pipelines:\n").replace("- repo: myOrg/myApp", "- name: x\n    repo: myOrg/other"),
        28,
        "pipelines[1].name",
        "x is the name of another pipeline of this file; give this one a name of its own",
    ),
    "two pipelines of one name": (
        WHOLE + WHOLE.removeprefix("pipelines:\n").replace("name: web", "name: api"),
        27,
        "pipelines[1].repo",
        "myOrg/myApp is the name of another pipeline of this file; give this one a name of its own",
    ),
    "a repository spelled in two ways": (
        WHOLE + WHOLE.removeprefix("pipelines:\n").replace("name: web", "name: api").replace("myOrg", "myorg"),
        27,
        "pipelines[1].repo",
        "is spelled myOrg/myApp elsewhere in this file; spell it in one way",
    ),
    "two pipelines whose environments share a gate": (
        (
            "pipelines:\n"
            "  - {repo: a/b, name: x_y, environments: [{name: z, cluster: {eks: k},"
            " releases: [{name: r, namespace: n, chart: c}]}]}\n"
            "  - {repo: a/b, name: x, environments: [{name: y_z, cluster: {eks: k},"
            " releases: [{name: s, namespace: n, chart: c}]}]}\n"
        ),
        3,
        "pipelines[1].environments[0].name",
        "the gate deployed_to_x_y_z is that of another pipeline's environment; rename one",
    ),
    "a policy nobody knows": (
        with_rules("policy: newst"),
        19,
        f"{PRODUCTION}.policy",
        "'newst' cannot be used; write newest or every",
    ),
    "a policy that is a list": (
        with_rules("policy: [every]"),
        19,
        f"{PRODUCTION}.policy",
        "a list cannot be used; write newest or every",
    ),
    "a soak in words": (
        with_rules("soak: a week"),
        19,
        f"{PRODUCTION}.soak",
        "'a week' cannot be used; write whole seconds, or text as 90s, 30m, 2h or 1d",
    ),
    "a soak that is a truth value": (
        with_rules("soak: on"),
        19,
        f"{PRODUCTION}.soak",
        "the truth value true cannot be used; write whole seconds, or text as 90s, 30m, 2h or 1d",
    ),
    "an empty soak": (
        with_rules("soak:"),
        19,
        f"{PRODUCTION}.soak",
        "an empty value cannot be used; write whole seconds, or text as 90s, 30m, 2h or 1d",
    ),
    "a soak beyond a month": (
        with_rules("soak: 721h"),
        19,
        f"{PRODUCTION}.soak",
        "'721h' cannot be used; 30d is the longest",
    ),
    "a soak with nothing before": (
        with_rules("soak: 30m").replace("        soak: 30m", "        after: []\n        soak: 30m"),
        20,
        f"{PRODUCTION}.soak",
        "is a time in the environments before this one, and there is none; remove it",
    ),
    "a soak in the first environment": (
        changed("      - name: staging\n", "      - name: staging\n        soak: 60\n"),
        10,
        f"{STAGING}.soak",
        "is a time in the environments before this one, and there is none; remove it",
    ),
    "a cron with seconds": (
        with_freeze(cron='"0 0 17 * * FRI"'),
        20,
        f"{FREEZE}.cron",
        f"'0 0 17 * * FRI' has 6 fields instead of 5; seconds have no place here; {CRON}",
    ),
    "a cron by name": (
        with_freeze(cron='"@weekly"'),
        20,
        f"{FREEZE}.cron",
        f"'@weekly' has 1 field instead of 5; {CRON}",
    ),
    "a cron with an hour that no day has": (
        with_freeze(cron='"0 24 * * FRI"'),
        20,
        f"{FREEZE}.cron",
        f"'0 24 * * FRI' cannot be used, there is no such hour; {CRON}",
    ),
    "a cron in the form of EventBridge": (
        with_freeze(cron='"0 17 ? * FRI"'),
        20,
        f"{FREEZE}.cron",
        f"'0 17 ? * FRI' cannot be used, there is no such day-of-month; {CRON}",
    ),
    "a cron of a day that no month has": (
        with_freeze(cron='"0 0 */31 2 MON#5"'),
        20,
        f"{FREEZE}.cron",
        f"'0 0 */31 2 MON#5' cannot be used, such a day never comes; {CRON}",
    ),
    "a cron that YAML takes for an alias": (
        with_freeze(cron="* 17 * * FRI"),
        20,
        "",
        "is not YAML: expected alphabetic or numeric character, but found ' '; put text that starts with * in quotes",
    ),
    "a freeze without a duration": (
        with_freeze(duration=None),
        20,
        f"{FREEZE}.duration",
        "is missing; add `duration: …` (How long it lasts: 30m, 12h, 2d)",
    ),
    "a duration without a unit": (
        with_freeze(duration="12"),
        21,
        f"{FREEZE}.duration",
        "the number 12 cannot be used; write how long it lasts as 30m, 12h or 2d",
    ),
    "a duration of nothing": (
        with_freeze(duration="0h"),
        21,
        f"{FREEZE}.duration",
        "'0h' cannot be used; 1m is the shortest and 90d the longest",
    ),
    "a duration beyond three months": (
        with_freeze(cron='"0 0 1 1 *"', duration="91d"),
        21,
        f"{FREEZE}.duration",
        "'91d' cannot be used; 1m is the shortest and 90d the longest",
    ),
    "a freeze that lasts until it begins again": (
        with_freeze(duration="7d"),
        21,
        f"{FREEZE}.duration",
        "lasts until it begins again, so that it never ends; make it shorter",
    ),
    "freezes that follow each other for ever": (
        with_freeze(cron='"0 0 * * 1-5"', duration="1d").replace(
            "        freezes:\n", '        freezes:\n          - {cron: "0 0 * * SAT", duration: 2d}\n'
        ),
        19,
        f"{PRODUCTION}.freezes",
        "leave no time between them in which anything is promoted; make one of them shorter",
    ),
    "a time zone that is misspelled": (
        with_freeze(timezone="Europe/Berln"),
        22,
        f"{FREEZE}.timezone",
        "'Europe/Berln' is no time zone; did you mean Europe/Berlin?",
    ),
    "a time zone that is a city": (
        with_freeze(timezone="new york"),
        22,
        f"{FREEZE}.timezone",
        "'new york' is no time zone; did you mean America/New_York?",
    ),
    "a time zone that is half a year's": (
        with_freeze(timezone="CEST"),
        22,
        f"{FREEZE}.timezone",
        "'CEST' is no time zone; write an IANA name such as Europe/Berlin",
    ),
    "a day that no calendar has": (
        with_freeze(exclude="[2026-12-24, 2026-02-29]"),
        22,
        f"{FREEZE}.exclude[1]",
        "'2026-02-29' is no day of the calendar; write it as 2026-12-24",
    ),
    "a day without dashes": (
        with_freeze(exclude="[20261224]"),
        22,
        f"{FREEZE}.exclude[0]",
        "the number 20261224 is no day of the calendar; write it as 2026-12-24",
    ),
    "a day excluded twice": (
        with_freeze(exclude='[2026-12-24, "2026-12-24"]'),
        22,
        f"{FREEZE}.exclude",
        "2026-12-24 is named twice; once is enough",
    ),
    "a freeze's key nobody knows": (
        with_freeze(zone="UTC"),
        22,
        f"{FREEZE}.zone",
        "is not known; did you mean timezone?",
    ),
    "no cluster": (
        changed("        cluster: {context: local}\n", ""),
        9,
        f"{STAGING}.cluster",
        "is missing; add `cluster: …` (The cluster its releases live in)",
    ),
    "a cluster without any way to it": (
        changed("cluster: {context: local}", "cluster: {eks: }"),
        11,
        f"{STAGING}.cluster",
        "names no cluster; give eks, or kubeconfig_secret, or context on the local stack",
    ),
    "two clusters in one": (
        changed("cluster: {context: local}", "cluster: {eks: a, kubeconfig_secret: b}"),
        11,
        f"{STAGING}.cluster.kubeconfig_secret",
        "is a second cluster beside eks; an environment lives in one, remove the other",
    ),
    "a role without EKS": (
        changed("cluster: {context: local}", "cluster: {context: local, region: eu-west-1}"),
        11,
        f"{STAGING}.cluster.region",
        "goes with eks only; remove it",
    ),
    "a context with EKS": (
        changed("cluster: {context: local}", "cluster: {context: local, eks: a}"),
        11,
        f"{STAGING}.cluster.context",
        "has no meaning with eks, whose kubeconfig is made for it; remove it",
    ),
    "the ARN of a cluster": (
        changed("cluster: {context: local}", "cluster: {eks: 'arn:aws:eks:eu-west-1:123456789012:cluster/x'}"),
        11,
        f"{STAGING}.cluster.eks",
        ("'arn:aws:eks:eu-west-1:123456789012:cluster/x' cannot be used; use the EKS cluster's name, not its ARN"),
    ),
    "an image tag below a value": (
        changed("{replicaCount: 2}", "{image: nginx}"),
        17,
        f"{STAGING}.releases[0].values",
        ("image.tag is to become the commit, but the value image is no map; change image_tag or remove the value"),
    ),
    "an image tag above values": (
        changed("{replicaCount: 2}", "{image: {tag: {of: x}}}"),
        17,
        f"{STAGING}.releases[0].values",
        ("image.tag is to become the commit, but the values have more below it; change image_tag or remove them"),
    ),
    "an image tag with an empty part": (
        changed("app.image.tag", "app..tag"),
        26,
        f"{PRODUCTION}.releases[0].image_tag",
        "'app..tag' cannot be used; write a dotted path such as image.tag",
    ),
    "a version as a number": (
        changed("version: 1.2.3", "version: 1.2"),
        25,
        f"{PRODUCTION}.releases[0].version",
        "is the number 1.2, not text; put it in quotes",
    ),
    "a version of a bundled chart": (
        changed("            timeout: 5m", "            version: 1.0.0"),
        16,
        f"{STAGING}.releases[0].version",
        "chooses among the versions of an oci:// chart; this chart has one, remove it",
    ),
    "a version beside a tag": (
        changed("oci://registry.example.com/charts/web", "oci://registry.example.com:5000/charts/web:1.0.0"),
        25,
        f"{PRODUCTION}.releases[0].version",
        (
            "contradicts oci://registry.example.com:5000/charts/web:1.0.0, which says its version itself; remove "
            "one of them"
        ),
    ),
    "a chart above the bundled ones": (
        changed("chart: charts/web", "chart: charts/../../etc"),
        15,
        f"{STAGING}.releases[0].chart",
        "'charts/../../etc' is not a bundled chart; write charts/<name>, without .. and a leading /",
    ),
    "a chart that nothing fetches": (
        changed("chart: charts/web", "chart: http://example.com/web.tgz"),
        15,
        f"{STAGING}.releases[0].chart",
        (
            "'http://example.com/web.tgz' cannot be fetched; write oci://…, https://….tgz, s3://<bucket>/<key>.tgz or "
            "the bundled charts/<name>"
        ),
    ),
    "a password in a chart's URL": (
        changed("chart: charts/web", "chart: https://ann:s3cret@example.com/web.tgz"),
        15,
        f"{STAGING}.releases[0].chart",
        "a user or password in a chart's URL is seen by everybody who sees this file; leave it out",
    ),
    "a timeout beyond a day": (
        changed("timeout: 5m", "timeout: 25h"),
        16,
        f"{STAGING}.releases[0].timeout",
        "'25h' cannot be used; 1s is the shortest and 24h the longest",
    ),
    "no time to be ready": (
        with_rules("timeout: 0"),
        19,
        f"{PRODUCTION}.timeout",
        "the number 0 cannot be used; 1s is the shortest and 24h the longest",
    ),
    "a timeout in words": (
        changed("timeout: 5m", "timeout: long"),
        16,
        f"{STAGING}.releases[0].timeout",
        "'long' cannot be used; write whole seconds, or text as 90s, 5m or 2h",
    ),
    "a truth value that is text": (
        changed("timeout: 5m", 'test: "yes"'),
        16,
        f"{STAGING}.releases[0].test",
        "is text; it must be true or false",
    ),
    "one release in an order": (
        with_rules("releases_in_order: true"),
        19,
        f"{PRODUCTION}.releases_in_order",
        "is about several releases, and there is one; remove it",
    ),
    "one release rolled back together": (
        with_rules("rollback_together: true"),
        19,
        f"{PRODUCTION}.rollback_together",
        "is about several releases, and there is one; remove it",
    ),
    "an image with a tag": (
        changed("timeout: 5m", "image: registry.example.com:5000/web:1.0.0"),
        16,
        f"{STAGING}.releases[0].image",
        f"'registry.example.com:5000/web:1.0.0' cannot be used; {IMAGE}",
    ),
    "an image with a digest": (
        changed("timeout: 5m", f"image: registry.example.com/web@sha256:{'0' * 64}"),
        16,
        f"{STAGING}.releases[0].image",
        f"'registry.example.com/web@sha256:{'0' * 48}' cannot be used; {IMAGE}",
    ),
    "an image with a scheme": (
        changed("timeout: 5m", "image: https://registry.example.com/web"),
        16,
        f"{STAGING}.releases[0].image",
        f"'https://registry.example.com/web' cannot be used; {IMAGE}",
    ),
    "a login for no registry": (
        changed("timeout: 5m", "registry_secret: login"),
        16,
        f"{STAGING}.releases[0].registry_secret",
        "is a login for the registry of an oci:// chart or of image, and neither is here; remove it",
    ),
    "a range of versions": (
        changed("version: 1.2.3", "version: ^1.2"),
        25,
        f"{PRODUCTION}.releases[0].version",
        "'^1.2' cannot be used; write one version, as 1.4.2; of a range nobody could tell what is promoted",
    ),
    "a version of two numbers": (
        changed("version: 1.2.3", 'version: "1.2"'),
        25,
        f"{PRODUCTION}.releases[0].version",
        "'1.2' cannot be used; write one version, as 1.4.2; of a range nobody could tell what is promoted",
    ),
    "a bucket without a chart": (
        changed("chart: charts/web", "chart: s3://charts/"),
        15,
        f"{STAGING}.releases[0].chart",
        "'s3://charts/' is no chart in a bucket; write s3://<bucket>/<key>.tgz",
    ),
    "a version of a chart in a bucket": (
        changed("chart: charts/web", "chart: s3://charts/web.tgz\n            version: 1.0.0"),
        16,
        f"{STAGING}.releases[0].version",
        "chooses among the versions of an oci:// chart; this chart has one, remove it",
    ),
    "a secret's key that is misspelled": (
        changed("{replicaCount: 2}", "{db: {password: {from_secret: shop/db, kye: password}}}"),
        17,
        f"{STAGING}.releases[0].values.db.password.kye",
        "has no place beside from_secret, which stands for a text; beside it may be key only",
    ),
    "a key of a parameter, in a list": (
        changed("{replicaCount: 2}", "{users: [{from_parameter: /shop/ann, key: password}]}"),
        17,
        f"{STAGING}.releases[0].values.users[0].key",
        "has no place beside from_parameter, which stands for a text; remove one of them",
    ),
    "a secret that is a parameter as well": (
        changed("{replicaCount: 2}", "{password: {from_parameter: /shop, from_secret: shop}}"),
        17,
        f"{STAGING}.releases[0].values.password.from_parameter",
        "has no place beside from_secret, which stands for a text; beside it may be key only",
    ),
    "a secret without a name": (
        changed("{replicaCount: 2}", "{password: {from_secret: }}"),
        17,
        f"{STAGING}.releases[0].values.password.from_secret",
        "an empty value cannot be used; write the name or ARN of a Secrets Manager secret",
    ),
    "a parameter of blanks": (
        changed("{replicaCount: 2}", "{password: {from_parameter: ' '}}"),
        17,
        f"{STAGING}.releases[0].values.password.from_parameter",
        "' ' cannot be used; write the name of an SSM parameter, as /shop/password",
    ),
    "a secret's key that YAML takes for something else": (
        changed("{replicaCount: 2}", "{password: {from_secret: shop, key: 2026}}"),
        17,
        f"{STAGING}.releases[0].values.password.key",
        "is the number 2026, not text; put it in quotes",
    ),
    "a secret instead of values": (
        changed("{replicaCount: 2}", "{from_secret: shop}"),
        17,
        f"{STAGING}.releases[0].values",
        "stands for one text, and values are keys with values; put from_secret below a key of them",
    ),
    "an image tag below a secret": (
        changed("{replicaCount: 2}", "{image: {from_secret: shop}}"),
        17,
        f"{STAGING}.releases[0].values",
        (
            "image.tag is to become the commit, but the value image is a text that the installer reads; change "
            "image_tag or remove it"
        ),
    ),
    "an image tag below a parameter, by a path of its own": (
        changed("{replicaCount: 2}", "{app: {from_parameter: /shop}}\n            image_tag: app.image.tag"),
        18,
        f"{STAGING}.releases[0].image_tag",
        (
            "app.image.tag is to become the commit, but the value app is a text that the installer reads; change "
            "image_tag or remove it"
        ),
    ),
    "an image tag in the place of a secret": (
        changed("{replicaCount: 2}", "{image: {tag: {from_secret: shop}}}"),
        17,
        f"{STAGING}.releases[0].values",
        (
            "image.tag is to become the commit, but a text that the installer reads is there; change image_tag or "
            "remove it"
        ),
    ),
    "a verification by nothing": (
        changed("timeout: 5m", "verify: {within: 5m}"),
        16,
        f"{STAGING}.releases[0].verify",
        "names nothing that says whether it works; give url or gate",
    ),
    "two verifications": (
        changed("timeout: 5m", "verify: {url: https://shop.example.com, gate: lint}"),
        16,
        f"{STAGING}.releases[0].verify.gate",
        "is a second way to verify beside url; keep one of them",
    ),
    "a verification that takes more than a day": (
        changed("timeout: 5m", "verify: {gate: lint, within: 2d}"),
        16,
        f"{STAGING}.releases[0].verify.within",
        "'2d' cannot be used; 1s is the shortest and 24h the longest",
    ),
    "a verification by a URL of another kind": (
        changed("timeout: 5m", "verify: {url: ftp://shop.example.com}"),
        16,
        f"{STAGING}.releases[0].verify.url",
        f"'ftp://shop.example.com' cannot be asked; {URL}",
    ),
    "a verification by a URL without a host": (
        changed("timeout: 5m", 'verify: {url: "https://[x]:80/"}'),
        16,
        f"{STAGING}.releases[0].verify.url",
        f"'https://[x]:80/' cannot be asked; {URL}",
    ),
    "a verification by a URL with a port that is none": (
        changed("timeout: 5m", "verify: {url: https://shop:99999/}"),
        16,
        f"{STAGING}.releases[0].verify.url",
        f"'https://shop:99999/' cannot be asked; {URL}",
    ),
    "a password in a verification's URL": (
        changed("timeout: 5m", "verify: {url: https://ann:s3cret@shop.example.com/health}"),
        16,
        f"{STAGING}.releases[0].verify.url",
        "a user or password in a URL is seen by everybody who sees this file; leave it out",
    ),
    "a verification by a gate that is not declared": (
        changed("timeout: 5m", "verify: {gate: lnit}"),
        16,
        f"{STAGING}.releases[0].verify.gate",
        "lnit is not among the gates of this pipeline; did you mean lint?",
    ),
    "a verification by the deployment itself": (
        changed("timeout: 5m", "verify: {gate: deployed_to_staging}"),
        16,
        f"{STAGING}.releases[0].verify.gate",
        "gates that start with deployed_to_ are written by the pipeline itself; choose another name",
    ),
    "a verification by a gate that the environment needs": (
        changed("timeout: 5m", "verify: {gate: build}"),
        16,
        f"{STAGING}.releases[0].verify.gate",
        "build is needed by staging itself, so that it is open before web is installed; verify by another gate",
    ),
    "a verification by a gate that an environment before needs": (
        WHOLE.replace("[build, lint, app", "[lint, app") + "            verify: {gate: build}\n",
        27,
        f"{PRODUCTION}.releases[0].verify.gate",
        (
            "build is needed by staging, which comes before, so that it is open before web is installed; verify by "
            "another gate"
        ),
    ),
    "a verification by a gate that verifies an environment far before": (
        changed("timeout: 5m", "verify: {gate: smoke}").replace(
            "      approval_from", "      smoke:\n      approval_from"
        )
        + "      - {name: x, cluster: {eks: c}, releases:\n"
        + "          [{name: web, namespace: c, chart: c, verify: {gate: smoke}}]}\n",
        29,
        "pipelines[0].environments[2].releases[0].verify.gate",
        (
            "smoke verifies staging, which comes before, so that it is open before web is installed; verify by another "
            "gate"
        ),
    ),
    "a verification by a gate that verifies the release before": (
        changed("timeout: 5m", "verify: {gate: lint}")
        .replace(
            "            values: {replicaCount: 2}\n",
            "          - {name: api, namespace: n, chart: c, verify: {gate: lint}}\n",
        )
        .replace("      - name: staging\n", "      - name: staging\n        releases_in_order: true\n"),
        18,
        f"{STAGING}.releases[1].verify.gate",
        ("lint verifies web, which comes before, so that it is open before api is installed; verify by another gate"),
    ),
    "a list that is text": (
        changed("[main, release/*]", "main"),
        3,
        "pipelines[0].branches",
        "is text; it must be a list, one entry per line after '- '",
    ),
    "a branch that YAML takes for something else": (
        changed("[main, release/*]", "[on]"),
        3,
        "pipelines[0].branches[0]",
        "is the truth value true, not text; put it in quotes",
    ),
    "a tag of Python": (
        changed("{replicaCount: 2}", "{x: !!python/object:os.system y}"),
        17,
        f"{STAGING}.releases[0].values.x",
        "the tag tag:yaml.org,2002:python/object:os.system is not plain data; remove it",
    ),
    "something that is not YAML": (
        "pipelines: [\n  }",
        2,
        "",
        "is not YAML: expected the node content, but found '}'",
    ),
    "two documents": (
        WHOLE + "---\n" + WHOLE,
        27,
        "",
        "is not YAML: but found another document",
    ),
    "a circle of aliases": (
        "pipelines: &a [*a]",
        1,
        "",
        "is not YAML: too large or too deep; aliases multiply",
    ),
    "aliases of aliases": (
        "\n".join([f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9) if at else 'x'}]" for at in range(9)]),
        1,
        "",
        "is not YAML: too large or too deep; aliases multiply",
    ),
    "more than a table's item takes": (
        changed("{replicaCount: 2}", f"{{text: {'x' * 200_000}}}"),
        2,
        "pipelines[0]",
        "the pipelines of myOrg/myApp exceed 150000 bytes; move values into the chart's own values.yaml",
    ),
}


@pytest.mark.parametrize("text, line, key, told", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_names_file_line_key_and_fix(text: str, line: int, key: str, told: str) -> None:
    assert f"p.yaml:{line}: {key + ': ' if key else ''}{told}" in problems_of(text)


@pytest.mark.parametrize("name", ["a key given twice", "a gate that is not declared", "no cluster"])
def test_one_mistake_is_told_once(name: str) -> None:
    assert len(problems_of(REFUSALS[name][0])) == 1


def test_all_mistakes_of_a_file_are_told_in_the_order_of_their_lines() -> None:
    text = WHOLE.replace("branches:", "branch:").replace("gates: [build]", "gates: [biuld]").replace("5m", "long")
    lines = [int(line.split(":")[1]) for line in problems_of(text)]
    assert lines == [3, 10, 16]


def test_a_name_applied_for_another_repository_is_taken() -> None:
    (applied,) = pipelines_file.parse(WHOLE)
    other = replace(applied, repo="other/repo")
    (line, *_) = problems_of(WHOLE, (other,))
    assert line == (
        "p.yaml:2: pipelines[0].repo: myOrg/myApp is the name of another pipeline of other/repo, applied already;"
        " give this one a name of its own"
    )


def test_a_release_applied_for_another_repository_is_taken() -> None:
    (applied,) = pipelines_file.parse(WHOLE)
    other = replace(applied, repo="other/repo", name="other")
    assert [line.partition(" is installed by ")[2] for line in problems_of(WHOLE, (other,))] == [
        "staging of other already; choose another name or namespace",
        "production of other already; choose another name or namespace",
    ]


def test_what_a_file_replaces_does_not_clash_with_it() -> None:
    applied = pipelines_file.parse(WHOLE)
    assert pipelines_file.parse(WHOLE, applied=applied) == applied


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        PipelinesFileError, match=r"no\.yaml: cannot be read \(No such file or directory\); name the file"
    ):
        pipelines_file.read(tmp_path / "no.yaml")


def test_a_file_of_bytes_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bytes.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PipelinesFileError, match=r"bytes\.yaml: is not UTF-8 text"):
        pipelines_file.read(path)
