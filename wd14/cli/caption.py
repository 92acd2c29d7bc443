"""`wd14-captioner caption`: an option for every parameter, and the job."""

from __future__ import annotations

import argparse
import sys
from typing import Any, get_args, get_origin

from wd14.cli.output import say
from wd14.config import GROUPS, CaptionConfig
from wd14.stop import StopToken, stopped_by_signals


def add_command(commands: Any) -> None:
    """Adds `caption` to the program's commands."""
    parser = commands.add_parser(
        "caption",
        usage="%(prog)s SOURCE [--output DIR] [parameters]",
        help="caption a dataset",
        description="Captions a dataset and writes an image/caption dataset.",
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="folder of pictures, imagefolder, parquet, webdataset tar, saved datasets folder, or hub dataset id",
    )
    parser.add_argument("--output", metavar="DIR", help="folder of the result (default: SOURCE's name and _captions)")
    _add_parameters(parser)
    parser.set_defaults(run=run)


def _add_parameters(parser: argparse.ArgumentParser) -> None:
    """An option for every parameter. Values stay text: the config reads them, as it reads the host's."""
    for heading, keys in GROUPS.items():
        group = parser.add_argument_group(heading)
        for key in keys:
            field = CaptionConfig.model_fields[key]
            more: dict[str, Any] = {"metavar": _metavar(field.annotation)}
            if field.annotation is bool:
                more = {"action": argparse.BooleanOptionalAction}
            elif get_origin(field.annotation) is tuple:
                more = {"metavar": "TAGS", "action": "append"}
            words = f"{field.description} Default: {_shown(field.default)}.".replace("%", "%%")
            group.add_argument("--" + key.replace("_", "-"), dest=key, default=argparse.SUPPRESS, help=words, **more)


def _shown(default: object) -> str:
    if default in ("", None, (), {}):
        return "empty"
    if isinstance(default, bool):
        return "on" if default else "off"
    return repr(default) if isinstance(default, str) and not default.strip().isalnum() else str(default)


def _metavar(annotation: Any) -> str:
    names = {int: "N", float: "X"}
    if get_origin(annotation) is not None and type(None) in get_args(annotation):
        annotation = get_args(annotation)[0]
    if annotation in names:
        return names[annotation]
    choices = get_args(annotation)
    return "|".join(choices) if choices and all(isinstance(choice, str) for choice in choices) else "TEXT"


def run(args: argparse.Namespace) -> int:
    """Runs the job that the options describe."""
    from wd14.hosts.local import LocalHost
    from wd14.pipeline import run_job

    given = vars(args)
    values = {key: given[key] for key in CaptionConfig.model_fields if key in given}
    for key, value in values.items():
        if isinstance(value, list):  # an option that was given more than once adds up
            values[key] = "\n".join(value)
    stop = StopToken()
    with stopped_by_signals(stop):
        run_job(LocalHost(args.source, values, args.output, say=say, bar=sys.stderr.isatty(), stop=stop))
    return 0
