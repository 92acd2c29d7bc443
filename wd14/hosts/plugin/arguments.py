"""The parameters that the classic host gives a job: strings on the command line, typed values in a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wd14.config import CaptionConfig
from wd14.hosts.transformer_lab import say

#: Options of the command line that the host's SDK reads.
_SDK_OPTIONS = (
    "job_id",
    "dataset_name",
    "model_name",
    "run_name",
    "experiment_name",
    "model_adapter",
    "generation_model",
    "generation_type",
)


def job_values(argv: Sequence[str]) -> dict[str, Any]:
    """The job's parameters: typed, from the file that `--input_file` names, else as strings.

    The host names that file after the plugin, not the job: a file whose values are another job's is ignored.
    """
    strings = _pairs(argv)
    typed = _read_input_file(strings.get("input_file"))
    ours = (*CaptionConfig.model_fields, "dataset_name")
    differing = [key for key in ours if key in typed and key in strings and str(typed[key]) != strings[key]]
    if differing:
        say(f"The host's input file is another job's ({', '.join(differing)} differ): the command line is used.")
        return {**strings}
    return {**strings, **typed}


def sdk_arguments(argv: Sequence[str]) -> list[str]:
    """The arguments that the host's SDK may see.

    Its parser accepts abbreviations: a key `mode`, leaked in from another plugin's form, would be an ambiguous
    `--model_…` and end the process without a message.
    """
    return [f"--{key}={value}" for key, value in _pairs(argv).items() if key in _SDK_OPTIONS]


def _pairs(argv: Sequence[str]) -> dict[str, str]:
    """`--key value` pairs; a key without a value, or whose value starts with `--`, is left out."""
    pairs = zip(argv, [*argv[1:], "--"], strict=True)
    return {key[2:]: value for key, value in pairs if key.startswith("--") and not value.startswith("--")}


def _read_input_file(name: str | None) -> dict[str, Any]:
    if not name:
        return {}
    try:
        content = json.loads(Path(name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        say(f"The host's input file cannot be read ({error}): the command line is used.")
        return {}
    config = content.get("config") if isinstance(content, dict) else None
    return config if isinstance(config, dict) else {}
