import pytest

from pipeline_state.cli.traces.trace_commands import honeycomb_link

KEY = {"HoneycombKeySecret": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:honeycomb"}


@pytest.mark.parametrize(
    "parameters, page",
    [
        ({"HoneycombDataset": "ours"}, "https://ui.honeycomb.io/"),
        (
            {"HoneycombDataset": "ours", "HoneycombApiHost": "https://api.eu1.honeycomb.io"},
            "https://ui.eu1.honeycomb.io/",
        ),
    ],
)
def test_a_deployed_stacks_trace_may_be_in_honeycomb_as_well(parameters: dict[str, str], page: str) -> None:
    link = honeycomb_link(KEY | parameters, "abc")
    assert link.startswith(page)
    assert link.endswith("/datasets/ours/trace?trace_id=abc")


def test_without_a_key_there_is_no_link() -> None:
    assert honeycomb_link({}, "abc") == ""
