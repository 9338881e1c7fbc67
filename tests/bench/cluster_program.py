"""The embedded cluster with API documents as large as a real API server's; its options are `infra.local.cluster`'s.

By default, Helm reads those of each API a chart has resources of, each time: half of its work on a real cluster. The
embedded one's own say no more than Helm must find in them, and would make that look cheap.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from infra.local.cluster import discovery
from infra.local.cluster.__main__ import main

BYTES = {"api/v1": 1_640_000, "apis/apps/v1": 740_000, "apis/batch/v1": 450_000, "apis/networking.k8s.io/v1": 410_000}
"""What a Kubernetes 1.37 answers below /openapi/v3, as JSON."""

TEXT = (
    "The number of old history to retain to allow rollback. This is a pointer to distinguish between explicit zero and"
    " not specified. Defaults to 10."
)


def enlarged(document: dict[str, Any], size: int) -> str:
    """The document as JSON, with schemas of its own kind added until it has about so many bytes."""
    schemas: dict[str, Any] = {}
    left = size - len(json.dumps(document))
    for name, schema in some_schemas():
        if left <= 0:
            break
        schemas[name] = schema
        left -= len(json.dumps({name: schema}))
    return json.dumps({**document, "components": {"schemas": schemas}})


def some_schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    """Without end: each with its name, as many fields as they usually have, and a sentence about each."""
    number = 0
    while True:
        reference = {"$ref": f"#/components/schemas/io.k8s.api.bench.v1.Spec{max(number - 1, 0)}"}
        fields: dict[str, Any] = {f"limit{each}": {"description": TEXT, "type": "integer"} for each in range(8)}
        fields["next"] = {"description": TEXT, "allOf": [reference], "default": {}}
        schema = {"description": TEXT, "type": "object", "required": ["limit0"], "properties": fields}
        yield f"io.k8s.api.bench.v1.Spec{number}", schema
        number += 1


def enlarge() -> None:
    """For this process, and once: a real API server keeps its documents ready, too."""
    documents = discovery._DOCUMENTS  # noqa: SLF001 - only here; they are no setting of the cluster
    for api, size in BYTES.items():
        if small := documents.get(f"/openapi/v3/{api}"):
            text = enlarged(small(), size)
            documents[f"/openapi/v3/{api}"] = lambda text=text: text  # type: ignore[misc]


if __name__ == "__main__":
    enlarge()
    main()
