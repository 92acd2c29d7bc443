"""`wd14-captioner models`: the models that are known."""

from __future__ import annotations

import argparse
from typing import Any

from wd14.cli.output import say


def add_command(commands: Any) -> None:
    """Adds `models` to the program's commands."""
    parser = commands.add_parser("models", help="list the models that are known, and which are downloaded")
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Lists the known models."""
    from wd14.model.files.find import is_here
    from wd14.model.files.registry import MODELS

    say(f"{'model':<42} {'here':<5} {'size':>8} {'tags':>7}  {'licence':<11} published thresholds")
    for model in MODELS:
        here = "yes" if is_here(model) else "no"
        size = "" if model.model.size is None else f"{model.model.size / 1e6:,.0f} MB"
        tags = "" if model.tags is None else f"{model.tags:,}"
        thresholds = ", ".join(f"{category} {value:g}" for category, value in model.thresholds.items())
        say(f"{model.id:<42} {here:<5} {size:>8} {tags:>7}  {model.licence or '':<11} {thresholds}".rstrip())
    say("")
    say("Any other tagger works by its Hugging Face id or its folder; 'wd14-captioner download MODEL' fetches one.")
    return 0
