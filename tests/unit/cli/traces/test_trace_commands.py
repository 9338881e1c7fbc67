import pytest

from pipeline_state.cli.console import CommandError
from pipeline_state.cli.traces.trace_commands import honeycomb_place

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
def test_a_deployed_stacks_trace_is_in_honeycomb(parameters: dict[str, str], page: str) -> None:
    place = honeycomb_place(KEY | parameters, "abc")
    assert place["url"].startswith(page)
    assert place["url"].endswith("/datasets/ours/trace?trace_id=abc")


def test_without_a_key_there_is_no_trace() -> None:
    with pytest.raises(CommandError, match="HoneycombKeySecret"):
        honeycomb_place({}, "abc")
