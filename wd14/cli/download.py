"""`wd14-captioner download`: fetches a model ahead of its first use."""

from __future__ import annotations

import argparse
from typing import Any

from wd14.cli.output import say


def add_command(commands: Any) -> None:
    """Adds `download` to the program's commands."""
    parser = commands.add_parser("download", help="download a model, so that later runs need no network")
    parser.add_argument(
        "model", metavar="MODEL", help="its Hugging Face id: owner/name or owner/name/subfolder, also with @revision"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Downloads a model."""
    from wd14.model.files.find import find_model

    files = find_model(args.model, log=say)
    if len(files.labels):
        say(f"{args.model} is in {files.model_path.parent}")
    else:
        say(f"{args.model} has no files: it adds no tag to a caption")
    return 0
