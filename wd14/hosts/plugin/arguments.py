"""The parameters that the classic host gives a job, on the command line and in a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wd14.config import CaptionConfig
from wd14.hosts.transformer_lab import say

#: Options of the host's own command line that its SDK reads; see `sdk_arguments`.
_SDK_OPTIONS = frozenset(
    {
        "job_id",
        "dataset_name",
        "model_name",
        "run_name",
        "experiment_name",
        "model_adapter",
        "generation_model",
        "generation_type",
    }
)


def job_values(argv: Sequence[str]) -> dict[str, Any]:
    """The job's parameters: from the file named by `--input_file`, else the strings of the command line.

    The host names that file after the plugin, not after the job: one that speaks of another job is not believed.
    """
    strings = _pairs(argv)
    typed = _read_input_file(strings.get("input_file"))
    if typed is None:
        return {**strings}
    ours = (*CaptionConfig.model_fields, "dataset_name")
    differing = [key for key in ours if key in typed and key in strings and str(typed[key]) != strings[key]]
    if differing:
        say(f"The host's input file is another job's ({', '.join(differing)} differ): the command line is used.")
        return {**strings}
    return {**strings, **typed}


def _pairs(argv: Sequence[str]) -> dict[str, str]:
    """`--key value` pairs; a key whose value is missing, or begins with `--`, is left out."""
    pairs = {}
    for key, value in zip(argv, [*argv[1:], "--"], strict=True):
        if key.startswith("--") and not value.startswith("--"):
            pairs[key[2:]] = value
    return pairs


def _read_input_file(name: str | None) -> dict[str, Any] | None:
    if not name:
        return None
    try:
        content = json.loads(Path(name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        say(f"The host's input file cannot be read ({error}): the command line is used.")
        return None
    config = content.get("config") if isinstance(content, dict) else None
    return config if isinstance(config, dict) else None


def sdk_arguments(argv: Sequence[str]) -> list[str]:
    """The arguments that the host's SDK may see.

    Its parser takes abbreviations: a key `mode` that leaked in from another plugin's form is an ambiguous `--model_…`
    to it, and ends the process without a word.
    """
    pairs = {key: value for key, value in _pairs(argv).items() if key in _SDK_OPTIONS}
    return [f"--{key}={value}" for key, value in pairs.items()]
