"""The classic host's manifest, index.json: what the plugin is, and its panel."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import wd14
from scripts.parameters import choices_of, kind_of
from wd14.config import CaptionConfig
from wd14.hosts.plugin.host import PluginHost
from wd14.parameter_groups import GROUPS

#: Files of the plugin folder. The host copies the whole folder; the list is for people.
_FILES = ["main.py", "setup.sh", "info.md", "task.yaml", "wd14"]

#: Said below the list of datasets in the task's Dataset tab.
_DATASET_HINT = (
    "Any dataset with pictures: uploaded pictures, with or without captions, a .zip of them, Parquet files, or a"
    " dataset of the Hugging Face hub. To upload pictures, drop the files: Browse Image Folder does not work."
)

#: Parameters that the panel leaves out; a saved task or the host's API can still send those that the host takes.
NOT_IN_THE_PANEL = PluginHost.left_out.keys() | {
    "implications",  # a file of the server, whose path nobody knows in a browser
    "plan",  # the same
    "cache_folder",  # a folder of the server
    "follow_symlinks",  # what is uploaded has no links
}

#: What each group of the panel is about.
_ABOUT = {
    "Essentials": "What most people set. Everything below can stay as it is.",
    "Which tags": "Finer rules than the thresholds above.",
    "Several models": "A second and a third opinion. Each model goes over the pictures once; its scores are kept.",
    "What the training is to learn": "Decides which tags the trigger word stands for.",
    "How they are written": "Order, spelling, and what stands around the tags.",
    "Dataset that goes in": "Your dataset is only read.",
    "Dataset that comes out": "A new dataset, under Datasets > Generated Datasets.",
    "How it runs": "Speed and memory. Empty fields suit the machine.",
}

#: The page saves a task with the values of the form that was changed last, be it another task's. A form counts as
#: changed when it opens with a value that is not among a field's choices. This key always has such a value: the page
#: itself writes `scratch` into it whenever it saves a task.
_FIRST_HEADING = "generation_type"
_REFRESH: Mapping[str, Any] = {"enum": ["captions", "tags"], "default": "captions"}

#: JSON schema keys that the host's form enforces.
_BOUNDS = ("minimum", "maximum")

#: More choices than this are a text field with suggestions.
_MOST_RADIO_BUTTONS = 4


def index_json() -> str:
    """The manifest's text."""
    return json.dumps(manifest(), indent=2, ensure_ascii=False) + "\n"


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
        "_dataset_display_message": _DATASET_HINT,
        "setup-script": "setup.sh",
        "parameters": parameters(),
        "parameters_ui": parameters_ui(),
    }


def parameters() -> dict[str, Any]:
    """Name -> JSON schema of each heading and parameter of the panel, in its order.

    Headings are fields without a value, of the type `null`. The first one is a hidden choice, see `_FIRST_HEADING`.
    """
    schema = CaptionConfig.model_json_schema()["properties"]
    shown: dict[str, Any] = {}
    for group, keys in GROUPS.items():
        heading = {"title": group.upper(), "description": _ABOUT[group]}
        if shown:
            shown[_heading(group)] = {**heading, "type": "null"}
        else:
            shown[_FIRST_HEADING] = {**heading, "type": "string", **_REFRESH}
        shown |= {key: _parameter(key, schema[key]) for key in keys if key not in NOT_IN_THE_PANEL}
    return shown


def parameters_ui() -> dict[str, Any]:
    """Name -> hints for the form: help, and the widget where the plain one does not do."""
    return dict(_hints())


def _hints() -> Iterator[tuple[str, dict[str, Any]]]:
    for key, schema in parameters().items():
        if key == _FIRST_HEADING:
            yield key, {"ui:widget": "hidden"}
        elif schema["type"] == "null":
            yield key, {"ui:style": {"borderTop": "2px solid gray", "marginTop": "2em", "paddingTop": "0.5em"}}
        else:
            yield key, {"ui:help": CaptionConfig.model_fields[key].description, **_widget(key, schema)}


def _heading(group: str) -> str:
    """A heading's key; no option of the host begins like it."""
    return "section_" + re.sub(r"\W+", "_", group.lower())


def _widget(key: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    choices = len(schema.get("enum", ()))
    if choices > _MOST_RADIO_BUTTONS:
        # A plain select never saves the choice on the host; this one does.
        return {"ui:widget": "AutoCompleteWidget", "ui:options": {"multiple": False}}
    if choices:
        return {"ui:widget": "radio"}
    is_list = isinstance(CaptionConfig.model_fields[key].default, tuple) or key == "tag_thresholds"
    return {"ui:widget": "textarea"} if is_list else {}


def _parameter(key: str, schema: dict[str, Any]) -> dict[str, Any]:
    field = CaptionConfig.model_fields[key]
    kind = kind_of(schema)
    # Lists, pairs and maps are written as text in the panel.
    result: dict[str, Any] = {
        "title": field.title,
        "type": kind["type"] if kind["type"] in {"number", "integer", "boolean"} else "string",
    }
    result |= {bound: kind[bound] for bound in _BOUNDS if bound in kind}
    if choices := choices_of(key, kind):
        result["enum"] = choices
    if field.default is not None:
        result["default"] = field.default if kind["type"] not in {"array", "object"} else ""
    if key in {"image_field", "thresh"}:
        result["required"] = True
    return result
