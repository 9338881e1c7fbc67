"""Every sample of tests/payloads/helm: which of the two faults it is, and what a person is told, word for word."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline_state.deploy.words import MAX_BYTES, fault_of, sentence
from pipeline_state.faults import PermanentFault, TemporaryFault

SAMPLES = Path(__file__).parents[2] / "payloads/helm"
VERSIONS = ("4.3.1", "3.19.0")
EXPECTED: dict[str, dict[str, Any]] = json.loads((SAMPLES / "expected.json").read_text())

PASSES_AFTER = {
    "another-operation": 10,
    "api-401-at-apply": 5,
    "api-401-at-look-up": 5,
    "api-401-at-rollback": 5,
    "api-401-at-version": 5,
    "api-401-at-wait": 30,
    "api-409-at-apply": 10,
    "api-429-at-apply": 60,
    "api-429-at-look-up": 60,
    "api-429-at-once-at-apply": 60,
    "api-429-at-once-at-look-up": 60,
    "api-429-at-once-at-wait": 30,
    "api-500-at-apply": 30,
    "api-500-at-look-up": 30,
    "api-500-etcd-at-apply": 30,
    "api-500-etcd-at-look-up": 30,
    "api-500-plain-at-apply": 30,
    "api-500-plain-at-look-up": 30,
    "api-502-at-apply": 30,
    "api-502-at-look-up": 30,
    "api-502-at-version": 30,
    "api-503-at-apply": 30,
    "api-503-at-look-up": 30,
    "api-503-at-rollback": 30,
    "api-503-at-version": 30,
    "api-503-at-wait": 30,
    "api-503-plain-at-apply": 30,
    "api-503-plain-at-look-up": 30,
    "api-504-at-apply": 30,
    "api-504-at-look-up": 30,
    "api-504-plain-at-apply": 30,
    "api-504-plain-at-look-up": 30,
    "api-closes-at-apply": 30,
    "api-closes-at-look-up": 30,
    "api-closes-at-rollback": 30,
    "api-closes-at-version": 30,
    "api-closes-at-wait": 30,
    "api-cuts-at-apply": 30,
    "api-cuts-at-look-up": 30,
    "api-hangs-at-discovery": 30,
    "api-refuses-connections": 30,
    "api-resets-at-apply": 30,
    "api-resets-at-look-up": 30,
    "api-without-address": 30,
    "namespace-terminating": 30,
    "registry-429": 60,
    "registry-500": 30,
    "registry-502": 30,
    "registry-503": 30,
    "registry-closes": 30,
    "registry-cuts": 30,
    "registry-refuses-connections": 30,
    "registry-resets": 30,
    "registry-token-expired": 5,
    "registry-without-address": 30,
    "release-gone": 10,
    "token-refused": 5,
    "token-refused-at-look-up": 5,
    "two-at-once": 10,
    "two-first-at-once": 10,
    "webhook-unreachable": 30,
}
"""What the machine broke, with the seconds until the next try; in everything else the business said no."""

HELM_3_DIFFERS = {
    # It asks over and over while it waits, and does not tell that nobody answered.
    "api-429-at-once-at-wait": None,
    "api-503-at-wait": None,
    "api-closes-at-wait": None,
    # It gives up at the first answer, and says which.
    "api-401-at-wait": 5,
}

ONLY_IN = {
    # Fields have owners where they are applied on the server's side.
    "conflict": "4.3.1",
    "conflict-and-rollback": "4.3.1",
    "conflict-of-several": "4.3.1",
    # Helm 3 has the API server drop the field, and warns.
    "field-unknown": "4.3.1",
    # To Helm 4 it is one object, applied twice.
    "two-of-one-name": "3.19.0",
}

RECORDED = sorted(path.relative_to(SAMPLES).as_posix() for path in SAMPLES.glob("*/*.txt"))


def fixed(text: str) -> str:
    """Without what is another one in each recording: namespaces, ports, times, the resolver's address."""
    text = re.sub(r"shop-[0-9a-f]{6}", "shop", text)
    text = re.sub(r"(127\.0\.0\.1):\d{2,5}", r"\1:PORT", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:]+Z", "TIME", text)
    return re.sub(r"lookup (\S+) on \S+:", r"lookup \1 on RESOLVER:", text)


@pytest.mark.parametrize("path", RECORDED)
def test_what_helm_said_is_a_failure_or_passes_by_itself(path: str) -> None:
    version, _, name = path.removesuffix(".txt").partition("/")
    fault = fault_of((SAMPLES / path).read_bytes())
    delay = PASSES_AFTER.get(name)
    if version.startswith("3."):
        delay = HELM_3_DIFFERS.get(name, delay)
    assert type(fault) is (TemporaryFault if delay else PermanentFault)
    assert getattr(fault, "delay_seconds", None) == delay


@pytest.mark.parametrize("path", RECORDED)
def test_a_person_is_told_helms_own_sentence_and_then_the_next_step(path: str) -> None:
    version, _, name = path.removesuffix(".txt").partition("/")
    stderr = (SAMPLES / path).read_bytes()
    reason = fault_of(stderr).reason
    assert fixed(reason).splitlines() == EXPECTED[name][version]
    assert reason.startswith(sentence(stderr).partition("\n")[0])
    assert len(reason.encode()) <= MAX_BYTES


def test_each_case_is_recorded_with_both_versions_unless_one_does_not_fail_in_it() -> None:
    names = {path.removesuffix(".txt").partition("/")[2] for path in RECORDED}
    wanted = {
        f"{version}/{name}.txt" for name in names for version in VERSIONS if ONLY_IN.get(name, version) == version
    }
    assert wanted == set(RECORDED)
    assert names == set(EXPECTED)
    assert set(PASSES_AFTER) | set(HELM_3_DIFFERS) | set(ONLY_IN) <= names


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("ending", ["; rolled back to revision 3", "; not rolled back, since that failed, too"])
@pytest.mark.parametrize("name", ["api-401-at-look-up", "api-closes-at-look-up", "api-429-at-look-up"])
def test_what_the_installer_adds_about_its_own_way_back_changes_no_verdict(
    version: str, ending: str, name: str
) -> None:
    said = (SAMPLES / version / f"{name}.txt").read_bytes().rstrip() + ending.encode()
    fault = fault_of(said)
    assert isinstance(fault, TemporaryFault)
    assert fault.delay_seconds == PASSES_AFTER[name]
    assert ending in fault.reason
