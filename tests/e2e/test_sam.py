"""What `sam build` makes runs in an environment like Lambda's, and `sam deploy` deploys it."""

import os
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from infra.local import ministack, tools
from infra.local.process import ROOT
from infra.local.stack import StackInfo

pytestmark = pytest.mark.e2e

HANDLERS = {
    "GitHubWebhook": "app",
    "CircleCIWebhook": "app",
    "EventForwarder": "forward_events",
    "GateRecorder": "record_gates",
    "Promoter": "promote",
    "HelmInstaller": "install",
    "RolloutObserver": "observe",
}


def sam(command: str, *arguments: str, cwd: Path, endpoint_url: str = "") -> None:
    """Runs SAM CLI with an account of its own, if any; what it printed is in the failure."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(cwd),
        "XDG_CACHE_HOME": str(tools.cache_dir().parent),
        "SAM_CLI_TELEMETRY": "0",
        "AWS_DEFAULT_REGION": ministack.REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    } | ({"AWS_ENDPOINT_URL": endpoint_url} if endpoint_url else {})
    done = subprocess.run(
        [str(tools.sam()), command, *arguments],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.fixture(scope="session")
def build(shared_dir: Path) -> Path:
    """The folder that `sam build` makes of template.yaml."""

    def make(folder: Path) -> None:
        template = ["--template", str(ROOT / "template.yaml"), "--config-file", str(ROOT / "samconfig.toml")]
        sam("build", *template, "--build-dir", str(folder / "build"), cwd=folder)

    return tools.once(shared_dir / "sam", make) / "build"


@pytest.fixture(scope="session")
def lambda_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has boto3 and nothing else, as Lambda's."""
    return ministack.make_runtime(tmp_path_factory.mktemp("runtime"))


def in_lambda(python: Path, code: str, *path: Path) -> str:
    """What the code prints where only these folders are to be imported from."""
    program = f"import sys; sys.path[:0] = {[str(folder) for folder in path]}\n{code}"
    done = subprocess.run([python, "-I", "-c", program], env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", HANDLERS)
def test_every_built_function_imports_from_its_package_and_the_layer_alone(
    name: str, build: Path, lambda_python: Path
) -> None:
    layer = build / "SharedLayer" / "python"
    code = f"import app, pipeline_state; print(callable(app.{HANDLERS[name]}), pipeline_state.__file__)"
    assert in_lambda(lambda_python, code, build / name, layer).split() == [
        "True",
        f"{layer}/pipeline_state/__init__.py",
    ]


def test_every_module_of_the_layer_finds_what_it_imports(build: Path, lambda_python: Path) -> None:
    code = """
import importlib, pkgutil, pipeline_state
names = [module.name for module in pkgutil.walk_packages(pipeline_state.__path__, "pipeline_state.")]
print(*[importlib.import_module(name).__name__ for name in names])
"""
    imported = in_lambda(lambda_python, code, build / "SharedLayer" / "python").split()
    assert {"pipeline_state.settings", "pipeline_state.tracing", "pipeline_state.deploy"} <= set(imported)
    assert not [name for name in imported if name.startswith("pipeline_state.cli")]


def test_the_layer_carries_no_ballast(build: Path) -> None:
    layer = build / "SharedLayer" / "python"
    names = {path.relative_to(layer).as_posix() for path in layer.rglob("*") if path.suffix == ".py"}
    assert not {name for name in names if name.startswith(("boto3/", "botocore/")) or "/tests/" in name}
    assert {name for name in names if name.startswith("chalice/")} == {"chalice/__init__.py", "chalice/app.py"}


def test_the_layer_is_compiled_for_whatever_times_its_files_get(build: Path) -> None:
    cached = (build / "SharedLayer" / "python" / "pipeline_state" / "__pycache__").glob("settings.*.pyc")
    (compiled,) = cached
    flags = int.from_bytes(compiled.read_bytes()[4:8], "little")  # PEP 552
    assert flags == 0b01  # by hash, which is not checked


def test_the_helm_layer_is_helm_alone(build: Path) -> None:
    helm = build / "HelmLayer" / "bin" / "helm"
    assert [path.name for path in (build / "HelmLayer").rglob("*") if path.is_file()] == ["helm"]
    done = subprocess.run([helm, "version", "--short"], env={"HOME": "/nonexistent"}, capture_output=True, check=True)
    assert done.stdout.startswith(b"v4.")


def test_sam_deploys_the_build_into_an_account(build: Path, stack: StackInfo, tmp_path: Path) -> None:
    name = ["--stack-name", "gatestream-by-sam", "--template", str(build / "template.yaml")]
    answers = ["--no-confirm-changeset", "--resolve-s3", "--capabilities", "CAPABILITY_IAM"]
    sam("deploy", *name, *answers, cwd=tmp_path, endpoint_url=stack.endpoint_url)
    (deployed,) = stack.client("cloudformation").describe_stacks(StackName="gatestream-by-sam")["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in deployed["Outputs"]}
    assert outputs["GitHubWebhookUrl"].endswith("/live/github")
    secret = stack.client("secretsmanager")
    secret.put_secret_value(SecretId=outputs["GitHubSecretsArn"], SecretString='{"secrets": ["s3cret"]}')
    url = f"{stack.endpoint_url}/_aws/execute-api/{outputs['WebhookApiId']}/live/github"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(url, b"{}", {"Content-Type": "application/json"}))  # noqa: S310
    with refused.value:
        assert refused.value.code == 401  # the function itself says so, with its layer and its role
