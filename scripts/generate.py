"""Writes all that follows from the parameters: index.json, task.yaml's parameters and info.md's table.

scripts/generate    after every change of `wd14/config.py`
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import wd14
from scripts.task_yaml import parameters_yaml
from wd14.config import GROUPS, CaptionConfig
from wd14.hosts.transformer_lab import NOT_ON_A_HOST
from wd14.model.files.registry import MODELS

ROOT = Path(__file__).parents[1]

#: Where the generated part of a file begins; it goes on to the file's end.
_TASK_PARAMETERS = "parameters:\n"
_INFO_PARAMETERS = "## All parameters\n"

#: Files of the plugin folder. The host copies the whole folder; the list is for people.
_FILES = ["main.py", "setup.sh", "info.md", "task.yaml", "wd14"]

#: JSON schema keys that the host's form enforces.
_BOUNDS = ("minimum", "maximum")

#: More choices than this are a text field with suggestions.
_MOST_RADIO_BUTTONS = 4


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
        for key in CaptionConfig.model_fields
        if key not in NOT_ON_A_HOST
    }


def parameters_ui() -> dict[str, Any]:
    """Name -> hints for the form: help, and the widget where the plain one does not do."""
    return {
        key: {"ui:help": CaptionConfig.model_fields[key].description, **_widget(key, schema)}
        for key, schema in parameters().items()
    }


def _widget(key: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    choices = len(schema.get("enum", ()))
    if choices > _MOST_RADIO_BUTTONS:
        # A plain select never saves the choice on the host; this one does.
        return {"ui:widget": "AutoCompleteWidget", "ui:options": {"multiple": False}}
    if choices:
        return {"ui:widget": "radio"}
    is_list = isinstance(CaptionConfig.model_fields[key].default, tuple)
    return {"ui:widget": "textarea"} if is_list else {}


def _parameter(key: str, schema: dict[str, Any]) -> dict[str, Any]:
    field = CaptionConfig.model_fields[key]
    kind = next(kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null")
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


def index_json() -> str:
    """The manifest's text."""
    return json.dumps(manifest(), indent=2, ensure_ascii=False) + "\n"


def task_yaml(before: str) -> str:
    """task.yaml with its parameters made anew."""
    return _with_end(before, _TASK_PARAMETERS, parameters_yaml())


def info_md(before: str) -> str:
    """info.md with its tables of parameters made anew."""
    return _with_end(before, _INFO_PARAMETERS, "\n" + "\n".join(_tables()))


def _tables() -> Iterator[str]:
    for group, keys in GROUPS.items():
        yield f"### {group}\n"
        yield "| Parameter | Key | Default | What it does |\n|---|---|---|---|"
        for key in keys:
            field = CaptionConfig.model_fields[key]
            text = re.sub(r"([\\*_|<>^])", r"\\\1", field.description or "")
            only = " Command line only." if key in NOT_ON_A_HOST else ""
            yield f"| {field.title} | `{key}` | {_default(field.default)} | {text}{only} |"
        yield ""


def _default(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "empty" if value in (None, "", (), {}) else f"`{value}`"


def _with_end(text: str, heading: str, end: str) -> str:
    start, found, _ = text.partition(heading)
    if not found:
        raise ValueError(f"expected the line {heading.strip()!r}, which begins the generated part")
    return start + heading + end


def generated() -> dict[str, str]:
    """Name of each file -> its text, with what is generated made anew."""
    task, info = ((ROOT / name).read_text("utf-8") for name in ("task.yaml", "info.md"))
    return {"index.json": index_json(), "task.yaml": task_yaml(task), "info.md": info_md(info)}


if __name__ == "__main__":
    for name, text in generated().items():
        (ROOT / name).write_text(text, encoding="utf-8")
