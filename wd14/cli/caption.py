"""`wd14-captioner caption`: an option for every parameter, and the job."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from wd14.cli.output import complain, say
from wd14.config import CaptionConfig
from wd14.errors import CaptionerError, ConfigError, JobStoppedError
from wd14.parameter_groups import GROUPS
from wd14.stop import StopToken, stopped_by_signals


class HelpFormatter(argparse.HelpFormatter):
    """Writes `--[no-]cache` instead of `--cache, --no-cache`, and an option's text beside it where there is room."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **{"max_help_position": 32, **more})

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if isinstance(action, argparse.BooleanOptionalAction):
            return action.option_strings[0].replace("--", "--[no-]", 1)
        return super()._format_action_invocation(action)


def add_command(commands: Any) -> None:
    """Adds `caption` to the program's commands."""
    parser = commands.add_parser(
        "caption",
        usage="%(prog)s SOURCE [--output DIR] [parameters]",
        help="caption a dataset",
        description="Captions a dataset and writes an image/caption dataset.",
        formatter_class=HelpFormatter,
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="folder of pictures, imagefolder, a .zip of these, Parquet or Arrow file, webdataset tar, folder of"
        " save_to_disk, or id of a dataset on the Hugging Face hub",
    )
    parser.add_argument("--output", metavar="DIR", help="folder of the result (default: SOURCE's name and _captions)")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="show the plan of the dataset (see --purpose) and some captions, and write nothing",
    )
    parser.add_argument(
        "--save-plan", metavar="FILE", help="write the plan to a new file, to be edited and given back with --plan"
    )
    add_parameter_groups(parser)
    parser.set_defaults(run=run)


def add_parameter_groups(
    parser: Any,
    groups: Mapping[str, Sequence[str]] = GROUPS,
    *,
    words: Mapping[str, str] | None = None,
    without: Container[str] = (),
) -> None:
    """Adds parameters under their headings.

    Args:
        parser: of a command.
        groups: heading -> parameters.
        words: help texts of the command's own, by parameter.
        without: parameters that the command does not take.
    """
    for heading, keys in groups.items():
        group = parser.add_argument_group(heading)
        for key in keys:
            if key not in without:
                add_parameter(group, key, (words or {}).get(key))


def add_parameter(group: Any, key: str, words: str | None = None) -> None:
    """An option for a parameter. Its value stays text: the config reads it, as it reads the host's.

    Args:
        group: where the help shows it.
        key: the parameter's.
        words: what it means to a command that does not caption; None = the parameter's own help.
    """
    field = CaptionConfig.model_fields[key]
    metavar = _metavar(key, field.annotation)
    more: dict[str, Any] = {"metavar": metavar}
    if field.annotation is bool:
        more = {"action": argparse.BooleanOptionalAction}
    elif get_origin(field.annotation) is tuple:
        more["action"] = "append"
    if words is None:
        words = f"{field.description} Default: {_default_in_words(field.default)}."
    if get_origin(field.annotation) is Literal and "|" not in metavar:
        words += f" Choices: {', '.join(get_args(field.annotation))}."
    option = "--" + key.replace("_", "-")
    group.add_argument(option, dest=key, default=argparse.SUPPRESS, help=words.replace("%", "%%"), **more)


def parameters_in(args: argparse.Namespace) -> dict[str, Any]:
    """The parameters that were given as options, by their keys."""
    values = {key: value for key, value in vars(args).items() if key in CaptionConfig.model_fields}
    # An option that is given more than once adds up.
    return {key: "\n".join(value) if isinstance(value, list) else value for key, value in values.items()}


def _metavar(key: str, annotation: Any) -> str:
    """What stands for the value in the help: `N`, `X`, short choices, else the last word of the parameter's name."""
    while get_origin(annotation) in {Annotated, Union, UnionType}:
        annotation = get_args(annotation)[0]
    if annotation in {int, float}:
        return "N" if annotation is int else "X"
    choices = "|".join(get_args(annotation)) if get_origin(annotation) is Literal else ""
    return choices if 0 < len(choices) < 30 else key.rpartition("_")[2].upper()


def _default_in_words(default: object) -> str:
    if default in ("", None, (), {}):
        return "empty"
    if isinstance(default, bool):
        return "on" if default else "off"
    return repr(default) if isinstance(default, str) and default != default.strip() else str(default)


def run(args: argparse.Namespace) -> int:
    """Runs the job that the options describe; returns the exit code. What went wrong is said with what was written."""
    from wd14.hosts.local import LocalHost
    from wd14.messages import failure_in_words, stop_in_words
    from wd14.pipeline import run_job

    stop = StopToken()
    host = LocalHost(args.source, parameters_in(args), args.output, say=say, bar=sys.stderr.isatty(), stop=stop)
    try:
        with stopped_by_signals(stop):
            run_job(host, dry_run=args.dry_run, save_plan=file_named(args.save_plan, "--save-plan"))
    except (JobStoppedError, KeyboardInterrupt):
        complain(stop_in_words(host.written))
        return JobStoppedError.exit_code
    except CaptionerError as error:
        complain(failure_in_words(error, host.written))
        return error.exit_code
    return 0


def file_named(name: str | None, option: str) -> Path | None:
    """The file that an option names.

    Raises:
        ConfigError: it is in the home folder of no user.
    """
    try:
        return Path(name).expanduser().absolute() if name else None  # a shell leaves the ~ of `--save-plan=~/x`
    except RuntimeError as error:
        raise ConfigError(f"{option} is {name}: no such user") from error
