"""`index.json` by the rules with which the classic host checks its plugins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

from wd14.config import CaptionConfig

ROOT = Path(__file__).parents[3]
INDEX = json.loads((ROOT / "index.json").read_text("utf-8"))

_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"type": "array", "items": _TEXT, "minItems": 1}
#: Required keys and their types, as the host has them; kinds and architectures that it knows.
RULES: dict[str, Any] = {
    "type": "object",
    "required": [
        "name",
        "uniqueId",
        "description",
        "plugin-format",
        "type",
        "version",
        "files",
        "setup-script",
        "supported_hardware_architectures",
    ],
    "properties": {
        "name": _TEXT,
        "uniqueId": {"const": "wd14_captioner"},
        "description": _TEXT,
        "plugin-format": {"const": "python"},
        "type": {"const": "generator"},
        "version": {"type": "string", "pattern": r"^\d+\.\d+\.\d+"},
        "files": _TEXTS,
        "setup-script": {"const": "setup.sh"},
        "supported_hardware_architectures": {**_TEXTS, "items": {"enum": ["cuda", "mlx", "cpu", "amd"]}},
        "parameters": {"type": "object"},
        "parameters_ui": {"type": "object"},
        "_dataset": {"const": True},
        "_dataset_display_message": _TEXT,
    },
}
#: Options of the harness and the SDK: their parsers take any beginning of a name for the name.
OPTIONS = [
    "job_id",
    "dataset_name",
    "model_name",
    "run_name",
    "experiment_name",
    "model_adapter",
    "generation_model",
    "generation_type",
    "plugin_dir",
    "input_file",
]


def test_the_manifest_follows_the_hosts_rules() -> None:
    jsonschema.validate(INDEX, RULES)


def test_no_parameter_begins_like_an_option_of_the_host() -> None:
    """argparse would take the parameter for an abbreviation of the option and swallow it."""
    swallowed = [
        (key, option)
        for key in (*CaptionConfig.model_fields, *INDEX["parameters"])
        for option in OPTIONS
        if option.startswith(key) and option != key
    ]
    assert swallowed == []
