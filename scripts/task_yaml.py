"""The generated part of task.yaml: every parameter, described for the form of the current Transformer Lab."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from scripts.parameters import choices_of, kind_of
from wd14.config import CaptionConfig
from wd14.hosts.transformer_lab import NOT_ON_A_HOST

#: Parameters that the form does not offer. A job may write into the usual cache folder and nowhere else: the local
#: provider's sandbox refuses other places, and elsewhere the machine is gone after the job.
NOT_OFFERED = NOT_ON_A_HOST.keys() | {"cache_folder"}

#: The dataset to read is no parameter of the config: the classic host has a tab of its own for it.
_DATASET = {"type": "string", "default": "", "title": "Dataset", "required": True, "ui_widget": "lab_dataset_select"}
_DATASET_HELP = "A dataset of the workspace, a folder's path, or a hub id (owner/name)."

#: JSON schema's types as both the page and the host's command line know them.
_TYPES = {"boolean": "bool", "integer": "int", "number": "float"}


def parameters_yaml() -> str:
    """The entries of `parameters:`, each below its help text. (JSON is YAML.)"""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield f"  # {_DATASET_HELP}"
    yield f"  dataset_name: {json.dumps(_DATASET)}"
    schemas = CaptionConfig.model_json_schema()["properties"]
    for key, field in CaptionConfig.model_fields.items():
        if key not in NOT_OFFERED:
            yield f"  # {field.description}"
            yield f"  {key}: {json.dumps(_description(key, schemas[key]), ensure_ascii=False)}"


def _description(key: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    field = CaptionConfig.model_fields[key]
    kind = kind_of(schema)
    # Lists, pairs and maps are written as text. With no default the host's command line sends 0 for an empty number.
    default = "" if field.default in (None, (), {}) else field.default
    result: dict[str, Any] = {"type": _TYPES.get(kind["type"], "string"), "default": default, "title": field.title}
    if options := choices_of(key, kind):
        result |= {"type": "enum", "options": options, "ui_widget": "select"}
    elif result["type"] == "bool":
        result["ui_widget"] = "switch"
    elif result["type"] in {"int", "float"}:
        result |= _bounds(kind, is_optional=field.default is None)
    return result


def _bounds(kind: Mapping[str, Any], *, is_optional: bool) -> dict[str, Any]:
    """Bounds, and a slider for thresholds.

    The page takes an empty number for 0: with a `min` above, an optional one would have to be filled in. A slider
    cannot be empty at all.
    """
    low, high = kind.get("minimum"), kind.get("maximum")
    bounds: dict[str, Any] = {}
    if low is not None and not (is_optional and low > 0):
        bounds["min"] = low
    if high is not None:
        bounds["max"] = high
    if (low, high) == (0, 1):
        bounds["step"] = 0.01
        if not is_optional:
            bounds["ui_widget"] = "slider"
    return bounds
