"""Rules for one release in pipelines.yaml: its chart, its image, and its values with what only the installer reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline_state.cli.definitions.raw_entries import Problems, Raw
from pipeline_state.cli.definitions.yaml_lines import Loc, kind_of, quoted

REFERENCES: Mapping[str, tuple[str, ...]] = {
    "from_secret": ("from_secret", "key"),
    "from_parameter": ("from_parameter",),
}
"""The keys of a map in the values that stands for a text in Secrets Manager or in SSM's Parameter Store."""


def release_problems(loc: Loc, release: Raw) -> Problems:
    """Everything that breaks a rule in the release at a place."""
    yield from _chart_problems(loc, release)
    values, path = release.get("values", {}), release.get("image_tag", "image.tag")
    if not isinstance(values, Mapping):
        return
    if reference_in(values):
        told = f"stands for one text, and values are keys with values; put {reference_in(values)} below a key of them"
        yield (*loc, "values"), told
        return
    for key, value in values.items():
        yield from _reference_problems((*loc, "values", key), value)
    if isinstance(path, str):
        yield from _tag_problems(loc, values, path)


def reference_in(value: object) -> str:
    """The key by which a value stands for a text that only the installer reads; empty for any other value."""
    return next((key for key in REFERENCES if isinstance(value, Mapping) and key in value), "")


def _chart_problems(loc: Loc, release: Raw) -> Problems:
    chart, version = release.get("chart"), release.get("version")
    if not isinstance(chart, str):
        return
    is_oci = chart.startswith("oci://")
    if is_oci and not version and "@" not in chart and ":" not in chart.rpartition("/")[2]:
        yield (*loc, "chart"), f"{chart} does not say which of its versions; give `version`, a tag or a digest"
    if version and not is_oci:
        yield (*loc, "version"), "chooses among the versions of an oci:// chart; this chart has one, remove it"
    elif version and ("@" in chart or ":" in chart.rpartition("/")[2]):
        yield (*loc, "version"), f"contradicts {chart}, which says its version itself; remove one of them"
    if release.get("registry_secret") and not is_oci and not release.get("image"):
        text = "is a login for the registry of an oci:// chart or of image, and neither is here; remove it"
        yield (*loc, "registry_secret"), text


def _reference_problems(loc: Loc, value: object) -> Problems:
    """A map with one of the keys must be a reference as a whole: half of one would reach the chart as plain values."""
    kind = reference_in(value)
    if kind and isinstance(value, Mapping):
        for key in value:
            if key not in REFERENCES[kind]:
                yield (*loc, key), f"has no place beside {kind}, which stands for a text{_besides(kind)}"
            elif isinstance(value[key], bool | int | float):
                yield (*loc, key), f"is {kind_of(value[key])}, not text; put it in quotes"
            elif not (isinstance(value[key], str) and value[key].strip()):
                yield (*loc, key), f"{quoted(value[key])} cannot be used; write {_WANTED[key]}"
        return
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from _reference_problems((*loc, key), inner)


_WANTED = {
    "from_secret": "the name or ARN of a Secrets Manager secret",
    "key": "a key of the secret's JSON object",
    "from_parameter": "the name of an SSM parameter, as /shop/password",
}


def _besides(kind: str) -> str:
    others = [key for key in REFERENCES[kind] if key != kind]
    return f"; beside it may be {', '.join(others)} only" if others else "; remove one of them"


def _tag_problems(loc: Loc, values: Raw, path: str) -> Problems:
    """The commit's place must be a value of its own, below maps."""
    place = (*loc, "image_tag") if path != "image.tag" else (*loc, "values")
    becomes = f"{path} is to become the commit, but"
    keys = [key.replace("\0", ".") for key in path.replace("\\.", "\0").split(".")]
    here: Any = values
    for key in keys[:-1]:
        here = here.get(key, {})
        if reference_in(here):
            yield place, f"{becomes} the value {key} is a text that the installer reads; change image_tag or remove it"
            return
        if not isinstance(here, Mapping):
            yield place, f"{becomes} the value {key} is no map; change image_tag or remove the value"
            return
    last = here.get(keys[-1])
    if reference_in(last):
        yield place, f"{becomes} a text that the installer reads is there; change image_tag or remove it"
    elif isinstance(last, Mapping | list):
        yield place, f"{becomes} the values have more below it; change image_tag or remove them"
