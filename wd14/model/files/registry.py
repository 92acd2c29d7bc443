"""The models that are known by name.

Their descriptions are the JSON files of `wd14/model/taggers`, which say where each fact comes from. Pins were read in
at least two independent places, unless `sources` says otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from wd14.config import BUILTIN_MODEL, DEFAULT_MODEL, NO_MODEL
from wd14.input_spec import InputSpec
from wd14.model.files.description import FileDescription, LabelsDescription, ModelDescription, described

MODEL_FILE = "model.onnx"

FOLDER = Path(__file__).parents[1] / "taggers"
#: The files of that folder, in the order in which lists show them.
FAMILIES = (
    *("wd_v2", "wd_v3", "pixai_v0_9", "pixai_v1", "cl_v1", "cl_v2", "oppaioracle", "dbv4_full", "camie", "joytag"),
    *("idolsankaku", "z3d", "wd_v1"),
)


def read_family(name: str) -> Iterator[dict[str, Any]]:
    """The descriptions of a family's models, each with the fields that `defaults` has for all of them.

    A repository that is not named is called as its model.
    """
    family = json.loads((FOLDER / f"{name}.json").read_bytes())
    for model in family["models"]:
        yield {"family": family["family"], "repo": model["id"], **_merged(family["defaults"], model)}


def _merged(defaults: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    """A model's fields over those of its family; objects are merged field by field, but thresholds are its own."""
    fields = dict(defaults)
    for key, value in model.items():
        default = fields.get(key)
        if isinstance(value, dict) and isinstance(default, dict) and key != "thresholds":
            value = default | value
        fields[key] = value
    return fields


#: What ships with the package.
_BUILT_IN = (
    ModelDescription(
        BUILTIN_MODEL,
        None,
        None,
        FileDescription(MODEL_FILE),
        LabelsDescription("selected_tags.csv"),
        tags=49,
        licence="Apache-2.0",
        family="Built in",
    ),
    # Of every picture a square of one pixel will do: it is decoded, which finds out whether it can be, and not scored.
    ModelDescription(
        NO_MODEL,
        None,
        None,
        FileDescription(""),
        LabelsDescription(""),
        tags=0,
        spec=InputSpec(size=1, fit="squash"),
        family="Built in",
    ),
)

#: In the order in which lists show them: the default first, what needs no download last.
MODELS: tuple[ModelDescription, ...] = (
    *(described(fields) for name in FAMILIES for fields in read_family(name)),
    *_BUILT_IN,
)

DEFAULT = DEFAULT_MODEL

_BY_ID = MappingProxyType({model.id.lower(): model for model in MODELS})
_BY_SHA256 = MappingProxyType({model.model.sha256: model for model in MODELS if model.model.sha256})


def find(model_id: str) -> ModelDescription | None:
    """The model of that id, in capitals or not; None for an id that is not known."""
    return _BY_ID.get(model_id.strip().lower())


def find_by_sha256(sha256: str) -> ModelDescription | None:
    """The model whose `model.onnx` has that hash (a copy in the user's own folder); None where there is none."""
    return _BY_SHA256.get(sha256)
