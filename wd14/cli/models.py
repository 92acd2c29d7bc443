"""`wd14-captioner models`: a table of the known models."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from wd14.cli.output import is_heard, say

if TYPE_CHECKING:
    from wd14.model.files.registry import ModelDescription

#: A line of the table: 80 columns, more where a model has several thresholds.
_ROW = "{:<40} {:<4} {:>7} {:>6}  {:<10} {}"


def add_command(commands: Any) -> None:
    """Adds `models` to the program's commands."""
    parser = commands.add_parser("models", help="list the known models, and which of them are downloaded")
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Lists the known models."""
    from wd14.config import NO_MODEL
    from wd14.model.files.find import is_here
    from wd14.model.files.registry import MODELS

    say(_ROW.format("model", "here", "size", "tags", "licence", "threshold"))
    for model in MODELS:
        here = "yes" if is_here(model) else "no"
        tags = "" if model.tags is None else f"{model.tags:,}"
        say(
            _ROW.format(model.id, here, _size(model.model.size), tags, model.licence or "", _thresholds(model)).rstrip()
        )
    say("")
    say("here = downloaded; threshold = the one that the model's author published.")
    say(f"{NO_MODEL} adds no tag: with --append-tags, pictures keep their captions, and --edits change them.")
    say("Other taggers work too, by Hugging Face id or folder.")
    return 0 if is_heard() else 1


def _size(number: int | None) -> str:
    if number is None:
        return ""
    return f"{number / 1e9:.2f} GB" if number >= 1e9 else f"{number / 1e6:.0f} MB"


def _thresholds(model: ModelDescription) -> str:
    return ", ".join(f"{value:g}" if key == "all" else f"{key} {value:g}" for key, value in model.thresholds.items())
