"""What the forms of both hosts are made from: a parameter's type, bounds and choices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wd14.model.files.registry import MODELS


def kind_of(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The JSON schema of a parameter's values; that of one that may be None, without the None."""
    found: Mapping[str, Any] = next(kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null")
    return found


def choices_of(key: str, kind: Mapping[str, Any]) -> list[str]:
    """What a parameter can be, where that is a list; of models the known ones. Empty where it is no list."""
    return [model.id for model in MODELS] if key == "generation_model" else list(kind.get("enum", ()))
