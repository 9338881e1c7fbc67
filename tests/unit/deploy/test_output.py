"""What is kept of what Helm said: how its commands ended, warnings, errors and hooks, and nothing secret."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.deploy.output import MAX_BYTES, Ran, output

WARNING = 'Warning: would violate PodSecurity "restricted:latest"'
HOOKS = {
    "manifest": "password: hush-hush",
    "info": {"notes": "your password is hush-hush"},
    "hooks": [
        {
            "kind": "Job",
            "name": "migrate",
            "events": ["pre-upgrade", "pre-install"],
            "last_run": {"phase": "Succeeded"},
        },
        {"kind": "Pod", "name": "check", "events": ["test"], "last_run": {"phase": "Unknown"}},
        {"kind": "Pod", "name": "new", "events": ["test"]},
    ],
}


def ran(stderr: str, verb: str = "upgrade", code: int = 0) -> Ran:
    return Ran(verb, code, 1.26, stderr.encode())


def test_each_command_is_told_with_how_it_ended_and_what_it_printed_on_standard_error() -> None:
    failed = ran(f"Error: UPGRADE FAILED: no\n\n{WARNING}\n", code=1)
    assert output([failed, ran("", "rollback")], {}, ()).splitlines() == [
        "helm upgrade: exit code 1 after 1.3 s",
        "  Error: UPGRADE FAILED: no",
        f"  {WARNING}",
        "helm rollback: done after 1.3 s",
    ]


def test_what_is_about_our_way_to_call_it_is_left_out() -> None:
    said = "WARNING: Kubernetes configuration file is group-readable\nFlag --atomic has been deprecated\nI1127 klog\n"
    assert output([ran(said)], {}, ()) == "helm upgrade: done after 1.3 s\n  I1127 klog"


def test_the_hooks_that_ran_are_told_and_neither_notes_nor_manifests() -> None:
    told = output([ran("")], HOOKS, ())
    assert told == "helm upgrade: done after 1.3 s\nhook Job/migrate (pre-upgrade, pre-install): Succeeded"


def test_secrets_are_blotted_out_as_they_are_and_as_a_secret_has_them() -> None:
    encoded = base64.b64encode(b"hush-hush").decode()
    told = output(
        [ran(f"bad value hush-hush\nbigger context {encoded}\nhttps://me:pa55@example.com")], {}, ["hush-hush"]
    )
    assert told.splitlines()[1:] == ["  bad value ***", "  bigger context ***", "  https://***@example.com"]


def test_without_a_command_there_is_nothing_to_tell() -> None:
    assert output([], {}, ["x"]) == ""


@given(st.text(max_size=3 * MAX_BYTES), st.sampled_from(["x", "é", "𝄞"]))
def test_it_keeps_its_end_within_the_bound(text: str, letter: str) -> None:
    told = output([ran(text + letter * MAX_BYTES)], {}, ())
    assert len(told.encode()) <= MAX_BYTES
    assert told.startswith("…\n")
    assert told.endswith(letter)
