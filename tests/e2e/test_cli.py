"""The command on a real stack: what it prints, what it writes, and what it answers when it cannot."""

import json
import os
import pwd
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.local.stack import StackInfo
from pipeline_state.cli.definitions.pipelines_file import to_file
from pipeline_state.model.pipelines import (
    Cluster,
    Environment,
    GateDefinition,
    GateSource,
    Pipeline,
    Release,
    SourceKind,
)
from tests.e2e.way import Way, commit, eventually

COMMAND = Path(sys.executable).with_name("gatestream")
USER = pwd.getpwuid(os.getuid()).pw_name


class Terminal:
    """Runs the command on the stack, as a script would: without a terminal."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self.state_dir = Path(way.stack.log).parent

    def __call__(self, *arguments: str, code: int = 0, text: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [str(COMMAND), "--state-dir", str(self.state_dir), *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, input=text or "")
        assert done.returncode == code, (done.stdout, done.stderr)
        return done

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", code=code).stdout)


@pytest.fixture
def way(stack: StackInfo) -> Way:
    return Way(stack)


@pytest.fixture
def gatestream(way: Way) -> Terminal:
    return Terminal(way)


@pytest.fixture
def definitions(way: Way, tmp_path: Path) -> Path:
    """A file with a pipeline that waits for a build and for an approval."""
    path = tmp_path / "pipelines.yaml"
    path.write_text(to_file([pipeline_of(way)]))
    return path


def pipeline_of(way: Way) -> Pipeline:
    build = GateDefinition("build", GateSource(SourceKind.CIRCLECI_WORKFLOW, "build"))
    release = Release("web", way.namespace, "charts/web")
    cluster = Cluster(context=way.stack.kube_context)
    environment = Environment("staging", ("build", "approval"), (), (release,), cluster)
    return Pipeline(way.repo, way.repo, gates=(build, GateDefinition("approval")), environments=(environment,))


def pushed(gatestream: Terminal, way: Way, definitions: Path) -> str:
    gatestream("pipelines", "apply", str(definitions), "--yes")
    sha = commit()
    way.push(sha)
    way.recorded(sha)
    return sha


def test_pipelines_are_applied_once_and_shown_as_they_were_written(
    gatestream: Terminal, way: Way, definitions: Path
) -> None:
    told = gatestream("pipelines", "apply", str(definitions), "--yes").stdout
    assert f"+- repo: {way.repo}" in told
    assert f"pipeline {way.repo} is new" in told
    assert f"{way.repo}: nothing to change, version 1" in gatestream("pipelines", "apply", str(definitions)).stdout
    assert gatestream("pipelines", "show", way.repo, "--yaml").stdout == definitions.read_text()
    (shown,) = gatestream.json("pipelines", "show", way.repo)
    assert (shown["repo"], shown["version"], shown["applied_by"]) == (way.repo, 1, USER)


def test_a_change_is_only_told_until_somebody_agrees(gatestream: Terminal, way: Way, definitions: Path) -> None:
    gatestream("pipelines", "apply", str(definitions), "--yes")
    definitions.write_text(definitions.read_text().replace("- main", "- trunk"))
    (plan,) = gatestream.json("pipelines", "apply", str(definitions), code=1)
    assert (plan["changed"], plan["applied"]) == (True, False)
    assert plan["changes"] == [f"{way.repo} takes the branches trunk instead of main"]
    refused = gatestream("pipelines", "apply", str(definitions), code=2)
    assert "add --yes" in refused.stderr
    (shown,) = gatestream.json("pipelines", "show", way.repo)
    assert shown["pipelines"][0]["branches"] == ["main"]


def test_a_release_of_another_repository_is_not_installed_over(
    gatestream: Terminal, way: Way, definitions: Path
) -> None:
    gatestream("pipelines", "apply", str(definitions), "--yes")
    other = replace(pipeline_of(way), name=f"{way.repo}-2", repo=f"{way.repo}-2")
    definitions.write_text(to_file([other]))
    refused = gatestream("pipelines", "apply", str(definitions), "--yes", code=2)
    assert f"is installed by staging of {way.repo} already" in refused.stderr
    assert refused.stderr.startswith(f"{definitions}:")


def test_status_of_a_commit_is_the_whole_object(gatestream: Terminal, way: Way, definitions: Path) -> None:
    sha = pushed(gatestream, way, definitions)
    status = gatestream.json("status", way.repo, sha)
    assert list(status) == ["repo", "commit", "branch", "sequence", "gates", "environments", "trace_id"]
    assert (status["repo"], status["commit"], status["branch"]) == (way.repo, sha, "main")
    assert status["gates"] == [
        {"name": name, "status": "pending", "by": None, "at": None, "reason": None} for name in ("build", "approval")
    ]
    (environment,) = status["environments"]
    assert {key: environment[key] for key in ("pipeline", "name", "decision", "reason")} == {
        "pipeline": way.repo,
        "name": "staging",
        "decision": "Wait",
        "reason": "waits for build, approval",
    }
    assert (environment["promoted_at"], environment["deployed_at"]) == (None, None)
    assert [(each["name"], each["status"]) for each in environment["releases"]] == [("web", None)]


def test_an_approval_in_ones_own_name_ships_the_commit(gatestream: Terminal, way: Way, definitions: Path) -> None:
    sha = pushed(gatestream, way, definitions)
    way.build(sha)
    eventually(lambda: "waits for approval" in gatestream("why", way.repo, sha[:8]).stdout, "the build")
    gatestream("gate", "set", way.repo, sha[:8], "approval", "passed", "--reason", "fine by me")
    way.deployed(sha, "staging")
    status = gatestream.json("status", way.repo, sha)
    gates = {gate["name"]: gate for gate in status["gates"]}
    assert {name: gate["status"] for name, gate in gates.items()} == {
        "build": "passed",
        "approval": "passed",
        "deployed_to_staging": "passed",
    }
    assert (gates["approval"]["by"], gates["approval"]["reason"]) == (USER, "fine by me")
    (environment,) = status["environments"]
    assert environment["decision"] == "Promoted"
    assert environment["promoted_at"] <= environment["deployed_at"]
    assert environment["releases"][0]["status"] == "deployed"
    assert environment["releases"][0]["revision"] == 1


def test_events_tell_it_in_order_with_who_did_it(gatestream: Terminal, way: Way, definitions: Path) -> None:
    sha = pushed(gatestream, way, definitions)
    gatestream("gate", "set", way.repo, sha, "approval", "failed", "--reason", "not yet")
    events = gatestream.json("events", way.repo, sha)
    assert [(event["text"], event["by"], event["verified"]) for event in events] == [
        ("pushed to main", "octocat", True),
        ("gate approval set to failed: not yet", USER, True),
    ]
    of_repo = gatestream.json("events", way.repo)
    assert [event for event in of_repo if event["commit"] == sha] == events
    assert [event["text"] for event in of_repo if not event["commit"]] == ["pipelines applied, version 1"]
    assert [event for event in gatestream.json("events", "--last", "1000") if event["repo"] == way.repo] == of_repo


def test_a_gate_that_nobody_knew_is_added_with_a_word_of_warning(
    gatestream: Terminal, way: Way, definitions: Path
) -> None:
    sha = pushed(gatestream, way, definitions)
    told = gatestream("gate", "set", way.repo, sha, "aproval", "pending").stdout
    assert "aproval is a new gate of this commit" in told
    assert "did you mean approval?" in told
    assert "waits for build, approval, aproval" in gatestream("why", way.repo, sha).stdout


def test_status_of_a_repository_and_of_all_list_what_there_is(
    gatestream: Terminal, way: Way, definitions: Path
) -> None:
    sha = pushed(gatestream, way, definitions)
    newer = commit()
    way.push(newer, sha)
    way.recorded(newer)
    assert [status["commit"] for status in gatestream.json("status", way.repo)] == [newer, sha]
    table = gatestream("status", way.repo).stdout
    assert table.index(newer[:12]) < table.index(sha[:12])
    heads = [head for head in gatestream.json("status") if head["repo"] == way.repo]
    assert [(head["environment"], head["head"]) for head in heads] == [("staging", None)]


def test_a_trace_is_drawn_from_the_stacks_own_file(gatestream: Terminal, way: Way, definitions: Path) -> None:
    sha = pushed(gatestream, way, definitions)
    drawn = eventually(
        lambda: out if "record gates" in (out := gatestream("trace", way.repo, sha).stdout) else "", "it"
    )
    assert "webhook github" in drawn
    assert any("waiting for approval" in line and "still waiting" in line for line in drawn.splitlines())
    by_function = gatestream.json("trace", way.repo, sha)["resourceSpans"]
    spans = [span for each in by_function for scope in each["scopeSpans"] for span in scope["spans"]]
    assert {span["traceId"] for span in spans} == {gatestream.json("status", way.repo, sha)["trace_id"]}


def test_a_trace_is_written_as_a_page(gatestream: Terminal, way: Way, definitions: Path, tmp_path: Path) -> None:
    sha = pushed(gatestream, way, definitions)
    told = gatestream.json("trace", way.repo, sha, "--page", str(tmp_path / "trace.html"))
    assert told == {"page": str(tmp_path / "trace.html")}
    assert "waiting for approval" in (tmp_path / "trace.html").read_text()
    refused = gatestream("trace", way.repo, sha, "--page", str(tmp_path / "absent" / "trace.html"), code=1)
    assert "the page cannot be written" in refused.stderr


def test_a_trace_that_is_nowhere_is_told_with_what_to_do(gatestream: Terminal, way: Way) -> None:
    assert "send a webhook about the commit" in gatestream("trace", way.repo, commit(), code=1).stderr
    assert "no webhook has told of it" in gatestream("trace", way.repo, "abcd", code=1).stderr


def test_a_payload_is_signed_and_posted_from_a_file_or_standard_input(gatestream: Terminal, tmp_path: Path) -> None:
    payload = tmp_path / "payload.json"
    payload.write_text(json.dumps({"zen": "Keep it logically awesome.", "hook_id": 1}))
    assert gatestream.json("webhook", "send", "github", str(payload), "--event", "ping")["status"] == 200
    assert gatestream("webhook", "send", "circleci", "-", text='{"type": "ping"}').stdout.startswith("200")


def test_a_webhook_that_is_refused_is_told_and_fails(gatestream: Terminal, tmp_path: Path) -> None:
    wrong = tmp_path / "secret"
    wrong.write_text("not the secret")
    payload = tmp_path / "payload.json"
    payload.write_text("{}")
    refused = gatestream("webhook", "send", "github", str(payload), "--secret-file", str(wrong), code=1)
    assert refused.stdout.startswith("401")


def test_an_unknown_repository_is_recorded_and_why_says_that_it_has_no_pipeline(gatestream: Terminal, way: Way) -> None:
    sha = commit()
    way.push(sha)
    way.recorded(sha)
    assert f"{way.repo} has no pipeline" in gatestream("why", way.repo, sha).stdout
    (environment,) = gatestream.json("status", way.repo, sha)["environments"]
    assert (environment["pipeline"], environment["name"], environment["decision"]) == (None, None, "NoPipeline")


@pytest.mark.parametrize(
    "arguments, code, told",
    [
        (("status", "No/such"), 1, "gatestream: there is no record of No/such"),
        (("why", "No/such", "abcd"), 1, "gatestream: No/such has no record of abcd"),
        (("why", "No/such", "main"), 2, "gatestream: 'main' is not a commit; give 4 to 40 hex digits"),
        (("gate", "set", "No/such", "abcd", "branch", "passed"), 2, "gatestream: 'branch' is an attribute of every"),
        (("gate", "set", "No/such", "abcd", "legal", "maybe"), 2, "gatestream: 'maybe' is no value of a gate"),
        (("gate", "set", "No/such", "abcd", "deployed_to_x", "passed"), 2, "gatestream: deployed_to_x tells what"),
        (("pipelines", "show", "No/such"), 1, "gatestream: No/such has no pipelines"),
        (("pipelines", "apply", "no.yaml"), 2, "no.yaml: cannot be read"),
        (("webhook", "send", "github", "no.json"), 2, "gatestream: no.json cannot be read"),
        (("status", "--region", "eu-west-1"), 2, "gatestream: --region and --profile go with --stack"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    gatestream: Terminal, arguments: tuple[str, ...], code: int, told: str
) -> None:
    refused = gatestream(*arguments, code=code)
    assert refused.stderr.startswith(told)
    assert refused.stderr.count("\n") == 1


def test_no_pipelines_are_an_empty_list_in_json(gatestream: Terminal) -> None:
    assert gatestream.json("pipelines", "show", "No/such") == []


def test_what_is_read_by_programs_is_not_wrapped(gatestream: Terminal, way: Way, definitions: Path) -> None:
    sha = pushed(gatestream, way, definitions)
    reason = "not yet, " * 40 + "sorry"
    gatestream("gate", "set", way.repo, sha, "approval", "failed", "--reason", reason)
    for command in ("status", "events", "why"):
        (line,) = [line for line in gatestream(command, way.repo, sha).stdout.splitlines() if "approval" in line][:1]
        assert command == "why" or reason in line
        assert line == line.rstrip()


def test_some_digits_of_several_commits_are_too_few(gatestream: Terminal, way: Way, definitions: Path) -> None:
    gatestream("pipelines", "apply", str(definitions), "--yes")
    alike = [f"abcd{commit()[4:]}" for _ in range(2)]
    for sha in alike:
        way.push(sha)
        way.recorded(sha)
    assert "abcd fits 2 commits" in gatestream("why", way.repo, "abcd", code=2).stderr
    assert gatestream.json("why", way.repo, alike[0][:20])["commit"] == alike[0]


def test_up_tells_what_a_script_needs_of_a_stack_that_is_on(gatestream: Terminal, stack: StackInfo) -> None:
    told = gatestream.json("up")
    assert told == json.loads(json.dumps(stack.to_json()))
    keys = "endpoint_url region github_webhook_url circleci_webhook_url github_secrets circleci_secrets"
    assert {*keys.split(), "gates_table", "environments_table", "kubeconfig", "helm", "traces"} <= set(told)


def test_without_a_stack_the_next_step_is_told(tmp_path: Path) -> None:
    command = [str(COMMAND), "status", "--state-dir", str(tmp_path / "none")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"start one with `gatestream up --state-dir {tmp_path}/none`" in done.stderr


class TestDeployed:
    """The same by --stack, where CloudFormation's outputs lead the way."""

    @pytest.fixture
    def environment(self, stack: StackInfo) -> dict[str, str]:
        keys = {"AWS_ENDPOINT_URL": stack.endpoint_url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        return {"PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true", **keys}

    def run(self, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(COMMAND), *arguments, "--region", "us-east-1"]
        return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)

    def test_a_gate_is_set_in_the_callers_aws_identity(
        self, environment: dict[str, str], gatestream: Terminal, way: Way, definitions: Path
    ) -> None:
        sha = pushed(gatestream, way, definitions)
        name = way.stack.stack_name
        done = self.run(environment, "gate", "set", way.repo, sha, "approval", "passed", "--stack", name, "--json")
        gates = {gate["name"]: gate for gate in json.loads(done.stdout)["gates"]}
        assert gates["approval"]["by"].startswith("arn:aws:iam::000000000000:")

    def test_a_stack_that_is_not_there_is_told(self, environment: dict[str, str]) -> None:
        done = self.run(environment, "status", "--stack", "nowhere")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "gatestream: no stack nowhere in us-east-1; deploy it, or check --stack and --region\n"

    def test_of_a_trace_without_summaries_the_waits_are_known_from_the_journal(
        self, environment: dict[str, str], gatestream: Terminal, way: Way, definitions: Path
    ) -> None:
        sha = pushed(gatestream, way, definitions)
        done = self.run(environment, "trace", way.repo, sha, "--stack", way.stack.stack_name)
        assert done.returncode == 0
        assert "waiting for approval" in done.stdout
        assert "record gates" not in done.stdout
