"""`index.json`: the plugin manifest, generated from the parameters. Run `python -m wd14.manifest index.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import wd14
from wd14.config import CaptionConfig
from wd14.model.files.registry import MODELS

#: Files of the plugin folder. The host copies the whole folder; the list is for people.
_FILES = ["main.py", "setup.sh", "info.md", "task.yaml", "wd14"]

#: JSON schema keys that the host's form enforces.
_BOUNDS = ("minimum", "maximum")


def manifest() -> dict[str, Any]:
    """The whole of `index.json`."""
    return {
        "name": "Auto-Caption Images with WD14 Tagger",
        "uniqueId": "wd14_captioner",
        "description": "Tags image datasets with WD14 ONNX taggers (Danbooru-style tags) and writes an"
        " image/caption dataset, ready to train a LoRA on.",
        "plugin-format": "python",
        "type": "generator",
        "version": wd14.__version__,
        "git": "",
        "url": "",
        "files": _FILES,
        "supported_hardware_architectures": ["cpu", "cuda", "amd", "mlx"],
        "_dataset": True,
        "setup-script": "setup.sh",
        "parameters": parameters(),
        "parameters_ui": parameters_ui(),
    }


def parameters() -> dict[str, Any]:
    """Name -> JSON schema of each parameter that the panel shows, in the panel's order."""
    schema = CaptionConfig.model_json_schema()
    return {
        key: _parameter(key, schema["properties"][key])
        for key, field in CaptionConfig.model_fields.items()
        if _extra(field).get("panel", True)
    }


def parameters_ui() -> dict[str, Any]:
    """Name -> hints for the form: help, and the widget where the plain one does not do."""
    hints: dict[str, Any] = {}
    for key in parameters():
        field = CaptionConfig.model_fields[key]
        hint: dict[str, Any] = {"ui:help": field.description}
        widget = _extra(field).get("widget")
        if widget in {"model", "autocomplete"}:
            # A plain select never saves the choice on the host; this one does.
            hint["ui:widget"] = "AutoCompleteWidget"
            hint["ui:options"] = {"multiple": False}
        elif widget is not None:
            hint["ui:widget"] = widget
        hints[key] = hint
    return hints


def _parameter(key: str, schema: dict[str, Any]) -> dict[str, Any]:
    field = CaptionConfig.model_fields[key]
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    kind = kinds[0]
    # Lists, pairs and maps are written as text in the panel.
    result: dict[str, Any] = {
        "title": field.title,
        "type": kind["type"] if kind["type"] in {"number", "integer", "boolean"} else "string",
    }
    result |= {bound: kind[bound] for bound in _BOUNDS if bound in kind}
    if key == "generation_model":
        result["enum"] = [model.id for model in MODELS]
    elif "enum" in kind:
        result["enum"] = kind["enum"]
    if field.default is not None:
        result["default"] = field.default if kind["type"] not in {"array", "object"} else ""
    if key in {"image_field", "thresh"}:
        result["required"] = True
    return result


def _extra(field: Any) -> dict[str, Any]:
    return field.json_schema_extra or {}


def as_text() -> str:
    """The file's text."""
    return json.dumps(manifest(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else "index.json").write_text(as_text(), encoding="utf-8")
