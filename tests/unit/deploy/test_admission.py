"""What kubectl 1.37 prints when the API server is asked for trial, and what we make of it."""

from __future__ import annotations

import pytest

from pipeline_state.deploy import documents
from pipeline_state.deploy.admission import Answer, read_answer

CONFLICT = """\
error: Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas
Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the `--force-conflicts` flag.
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts
"""
SAID = 'Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas'
INVALID = (
    'The Deployment "web" is invalid: \n'
    "* spec.replicas: Invalid value: -1: must be greater than or equal to 0\n"
    "* spec.selector: Invalid value: {}: field is immutable\n"
)
QUOTA = (
    'Error from server (Forbidden): pods "web" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1\n'
)
NO_RIGHT = (
    'Error from server (Forbidden): services "web" is forbidden: User "ann" cannot patch resource "services"'
    ' in API group "" in the namespace "shop"\n'
)
NO_NAMESPACE = 'Error from server (NotFound): namespaces "shop" not found\n'
TOO_MUCH, NOT_YOURS = (text.strip().removeprefix("Error from server (Forbidden): ") for text in (QUOTA, NO_RIGHT))
ASKED = documents.read(
    """\
{apiVersion: v1, kind: Service, metadata: {name: web}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web}}
"""
)


@pytest.mark.parametrize(
    "stdout, stderr, refusals",
    [
        ("service/web\ndeployment.apps/web\npod/web\n", "", []),
        ("service/web\npod/web\n", CONFLICT, [f"Deployment/web: {SAID}"]),
        ("service/web\n", CONFLICT + QUOTA, [f"Deployment/web: {SAID}", TOO_MUCH]),
        ("", QUOTA, [TOO_MUCH]),
        ("service/web\n", INVALID + QUOTA, [INVALID.strip(), TOO_MUCH]),
        ("service/web\npod/web\n", "Error from server: expected numeric", ["Deployment/web: expected numeric"]),
        ("service/web\n", "error: it is broken\nand told at length", ["it is broken\nand told at length"]),
    ],
)
def test_a_refusal_is_told_with_its_resource_where_that_is_plain(stdout: str, stderr: str, refusals: list[str]) -> None:
    assert read_answer(stdout, stderr, ASKED) == Answer(tuple(refusals))


def test_a_namespace_that_is_to_be_made_refuses_nothing() -> None:
    note = "namespace shop is not there yet, so that the API server could not be asked"
    assert read_answer("", NO_NAMESPACE * 3, ASKED) == Answer(notes=(note,))


def test_what_the_asker_may_not_do_says_nothing_of_the_installer() -> None:
    answer = read_answer("", NO_RIGHT + QUOTA, ASKED)
    assert answer.refusals == (TOO_MUCH,)
    assert answer.notes == (f"the API server was not asked about everything, since you may not: {NOT_YOURS}",)


def test_warnings_are_noted_once() -> None:
    stdout = "service/web\ndeployment.apps/web\npod/web\n"
    answer = read_answer(stdout, "Warning: v1 Endpoints is deprecated\n" * 2, ASKED)
    assert answer == Answer(notes=("the API server warns: v1 Endpoints is deprecated",))


def test_tokens_are_not_told_again() -> None:
    answer = read_answer("", "error: hush-hush is no good\nWarning: hush-hush\n", ASKED, ["hush-hush"])
    assert "hush-hush" not in repr(answer)
    assert "***" in answer.refusals[0]
