"""wd14-captioner: the shell's way in."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, get_args, get_origin

import wd14
from wd14.config import CaptionConfig
from wd14.errors import CaptionerError, JobStoppedError
from wd14.text import count, printable


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: the words after the program's name; None = the process's own.

    Returns:
        0 = done (rows may have failed: said in the summary), 1 = the job failed, 2 = bad arguments or parameters,
        130 = stopped.
    """
    _say_in_any_encoding()
    args = _parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    try:
        return int(args.run(args))
    except CaptionerError as error:
        if not isinstance(error, JobStoppedError):
            complain(str(error))
        else:
            complain("stopped; nothing was written, and the scores so far are kept")
        return error.exit_code
    except KeyboardInterrupt:
        complain("stopped; nothing was written, and the scores so far are kept")
        return JobStoppedError.exit_code
    except BrokenPipeError:
        # Whoever read our output has gone; what is still buffered has nowhere to go.
        sys.stdout = None  # so that the interpreter does not flush it at its end
        return 1


def say(line: str) -> None:
    """A line for the person, at once. Names of files in it cannot do anything to a terminal."""
    try:
        sys.stdout.write(printable(line) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError:
        # A full disk under a log is no reason to lose the job; what is buffered would fail again at the end.
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


def complain(line: str) -> None:
    """A line about what went wrong."""
    sys.stderr.write(f"wd14-captioner: {'; '.join(printable(part) for part in line.splitlines())}\n")
    sys.stderr.flush()


def _say_in_any_encoding() -> None:
    """A file name or tag that the terminal's encoding lacks is shown as an escape, and does not end the job."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


class _Parser(argparse.ArgumentParser):
    """argparse, but an option must be written out: `--general` is not `--general-threshold`."""

    def __init__(self, **more: Any) -> None:
        super().__init__(allow_abbrev=False, **more)

    def error(self, message: str) -> NoReturn:
        # Not the usage: it is two screens long, and the message is what counts.
        self.exit(2, f"{self.prog}: {printable(message)}\nTry '{self.prog} --help'.\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="wd14-captioner", description="Tags image datasets with WD14 taggers.")
    parser.add_argument("--version", action="version", version=f"wd14-captioner {wd14.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    caption = commands.add_parser(
        "caption",
        usage="%(prog)s SOURCE [--output DIR] [parameters]",
        help="caption a dataset",
        description="Captions a dataset and writes an image/caption dataset. Parameters and their defaults:",
    )
    caption.add_argument(
        "source",
        metavar="SOURCE",
        help="folder of images, imagefolder, parquet, webdataset tar, saved datasets folder, or hub dataset id",
    )
    caption.add_argument("--output", metavar="DIR", help="folder of the result (default: SOURCE's name and _captions)")
    _add_parameters(caption)
    caption.set_defaults(run=_caption)
    models = commands.add_parser("models", help="list the models that are known, and which are downloaded")
    models.set_defaults(run=_models)
    download = commands.add_parser("download", help="download a model, so that later runs need no network")
    download.add_argument("model", metavar="MODEL", help="a model's id: owner/name, owner/name/subfolder, @revision")
    download.set_defaults(run=_download)
    cache = commands.add_parser("cache", help="show or clear the stored scores")
    cache.add_argument("--clear", action="store_true", help="forget all stored scores")
    cache.add_argument("--cache-folder", default="", metavar="DIR", help="where the scores are kept")
    cache.set_defaults(run=_cache)
    return parser


def _add_parameters(parser: argparse.ArgumentParser) -> None:
    """An option for every parameter. Values stay text: the config reads them, as it reads the host's."""
    group = parser.add_argument_group("parameters")
    for key, field in CaptionConfig.model_fields.items():
        option = "--" + key.replace("_", "-")
        words = f"{field.description} Default: {_shown(field.default)}.".replace("%", "%%")
        if field.annotation is bool:
            group.add_argument(
                option, dest=key, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=words
            )
        elif get_origin(field.annotation) is tuple:
            group.add_argument(option, dest=key, metavar="TAGS", action="append", default=argparse.SUPPRESS, help=words)
        else:
            group.add_argument(
                option, dest=key, metavar=_metavar(field.annotation), default=argparse.SUPPRESS, help=words
            )


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


def _caption(args: argparse.Namespace) -> int:
    from wd14.hosts.local import LocalHost
    from wd14.pipeline import run_job

    given = vars(args)
    values = {key: given[key] for key in CaptionConfig.model_fields if key in given}
    for key, value in values.items():
        if isinstance(value, list):  # an option that was given more than once adds up
            values[key] = "\n".join(value)
    with _Termination() as termination:
        host = LocalHost(
            args.source, values, args.output, say=say, bar=sys.stderr.isatty(), stopped=lambda: termination.came
        )
        run_job(host)
    return 0


class _Termination:
    """SIGTERM as a wish to stop, asked about by the job; what handled it before does so again afterwards."""

    def __init__(self) -> None:
        self.came = False

    def __enter__(self) -> _Termination:
        self._before = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGTERM, self._before)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.came = True


def _models(_: argparse.Namespace) -> int:
    from wd14.model.hub import cached_state
    from wd14.model.registry import MODELS

    say(f"{'model':<42} {'here':<5} {'size':>8} {'tags':>7}  {'licence':<11} published thresholds")
    for model in MODELS:
        here = "yes" if cached_state(model).complete else "no"
        size = "" if model.model.size is None else f"{model.model.size / 1e6:,.0f} MB"
        tags = "" if model.tags is None else f"{model.tags:,}"
        thresholds = ", ".join(f"{category} {value:g}" for category, value in model.thresholds.items())
        say(f"{model.id:<42} {here:<5} {size:>8} {tags:>7}  {model.licence or '':<11} {thresholds}".rstrip())
    say("\nAny other tagger works by its Hugging Face id or its folder; `wd14-captioner download MODEL` fetches one.")
    return 0


def _download(args: argparse.Namespace) -> int:
    from wd14.model.hub import open_model

    files = open_model(args.model, log=say)
    say(f"{args.model} is in {files.model_path.parent}")
    return 0


def _cache(args: argparse.Namespace) -> int:
    from wd14.model.scores import ScoreStore

    config = CaptionConfig(cache_folder=args.cache_folder)
    with ScoreStore.open(config.cache_path, log=say) as store:
        if args.clear:
            say(f"Forgot the scores of {count(store.clear(), 'picture')}.")
            return 0
        stats = store.stats()
        used, most = stats.bytes / 1e6, stats.max_bytes / 1e6
        say(f"{stats.path}: {stats.total:,} scored pictures, {used:,.1f} of {most:,.0f} MB")
        for (model, preprocessing), number in stats.pictures.items():
            say(f"  {number:>9,}  {model[:12]}  {preprocessing}")
        for path in stats.set_aside:
            say(f"  damaged, set aside, can be deleted: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
