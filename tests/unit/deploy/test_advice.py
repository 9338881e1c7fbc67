"""The next step after a sentence of Helm's: names from the sentence, an owner for every field, never too long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.deploy.advice import MAX_BYTES, next_step
from pipeline_state.deploy.words import MAX_BYTES as MAX_REASON
from pipeline_state.deploy.words import fault_of

CONFLICT = (
    "UPGRADE FAILED: conflict occurred while applying object shop/web apps/v1, Kind=Deployment: Apply failed with "
)


@pytest.mark.parametrize(
    "told,owners",
    [
        ('1 conflict: conflict with "kubectl-edit" using apps/v1: .spec.replicas', "kubectl-edit owns .spec.replicas."),
        (
            '1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas',
            "kubectl (scale) owns .spec.replicas.",
        ),
        (
            '1 conflict: conflict with "hpa" using v1: .spec.replicas; rolled back to revision 3',
            "hpa owns .spec.replicas.",
        ),
        ('1 conflict: conflict with "ada": .data.text', "ada owns .data.text."),
        (
            '5 conflicts: conflicts with "ada" using v1:\n- .a\n- .b\n- .c\n- .d\nconflicts with "bo" using v1:\n- .e',
            "ada owns .a, .b, .c and 1 more; bo owns .e.",
        ),
        ("1 conflict: in words that nobody has seen yet", "somebody else owns a field."),
    ],
)
def test_a_conflict_names_each_owner_and_its_fields_and_both_ways_out(told: str, owners: str) -> None:
    step = next_step(CONFLICT + told)
    assert step.startswith(owners)
    assert step.endswith("Take over with force_conflicts: true in pipelines.yaml, or leave that out of the chart.")


@pytest.mark.parametrize(
    "sentence",
    [
        "",
        'path "/var/task/charts/none" not found',
        "execution error at (web/templates/web.yaml:1:3): the value host is needed",
        "UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
        "chart requires kubeVersion: >=9.0.0 which is incompatible with Kubernetes v1.37.2",
        "query: failed to query with labels: Timeout: request did not complete within 34s - context deadline exceeded",
    ],
)
def test_where_helm_has_said_it_all_nothing_follows(sentence: str) -> None:
    assert next_step(sentence) == ""


@pytest.mark.parametrize(
    "sentence,where",
    [
        (
            'secrets is forbidden: User "x" cannot list resource "secrets" in API group "" in the namespace "a"',
            "namespace a:",
        ),
        ("resource Deployment/b/web not ready. status: InProgress, message: Available: 0/1", "-n b "),
        ("for object c/web /v1, Kind=ConfigMap: exceeded quota: small, requested", "-n c."),
        ("unable to create new content in namespace d because it is being terminated", "namespace d "),
        ("release web failed: context deadline exceeded", "-n NAMESPACE "),
    ],
)
def test_commands_name_the_namespace_where_helm_does(sentence: str, where: str) -> None:
    assert where in next_step(sentence)


def test_a_long_sentence_gives_way_to_the_step_not_the_other_way_round() -> None:
    fields = "\n".join(f'- .spec.template.spec.containers[name="{number}"].image' for number in range(100))
    said = f'{CONFLICT}100 conflicts: conflicts with "ada" using apps/v1:\n{fields}'
    reason = fault_of(f"Error: {said}".encode()).reason
    assert len(reason.encode()) == MAX_REASON
    assert reason.startswith(said[:500])
    assert reason.endswith(f"\nNext: {next_step(said)}")
    assert " and 97 more. Take over" in reason


@given(st.text(max_size=3000))
def test_a_step_is_short_whatever_stands_in_the_sentence(name: str) -> None:
    for sentence in (f'{CONFLICT}1 conflict: conflict with "{name}": .{name}', f"exceeded quota: {name}", name):
        assert len(next_step(sentence).encode()) <= MAX_BYTES
        assert len(fault_of(f"Error: {sentence}".encode()).reason.encode()) <= MAX_REASON
