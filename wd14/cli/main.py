"""The program `wd14-captioner`: its commands and exit codes."""

from __future__ import annotations

import argparse
import difflib
import errno
import logging
import sys
import traceback
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import wd14
from wd14.cli import cache, caption, check, compare, download, evaluate, models, review, scale
from wd14.cli.output import complain, say_in_any_encoding
from wd14.errors import CaptionerError, JobStoppedError
from wd14.images.pillow_warnings import ignore_pillow_warnings
from wd14.text import readable

#: Characters of an unexpected error's own text that are shown again below its traceback.
_LONGEST_REASON = 300

#: Errors of the system that say by themselves what is to be done.
_MACHINES_ERRORS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EROFS, errno.ENOMEM, errno.EIO),
    *(errno.EACCES, errno.EPERM, errno.ENAMETOOLONG),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: the words after the program's name; None = the process's own.

    Returns:
        0 = done (rows may have failed: said in the summary), 1 = the job failed, 2 = bad arguments or parameters,
        130 = stopped.
    """
    say_in_any_encoding()
    ignore_pillow_warnings()
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    args = _parse(sys.argv[1:] if argv is None else argv)
    try:
        return int(args.run(args))
    except (JobStoppedError, KeyboardInterrupt):
        complain("stopped")
        return JobStoppedError.exit_code
    except CaptionerError as error:
        complain(str(error))
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not look as if nobody had thought of it
        if (message := _known_trouble(error)) is None:
            traceback.print_exc()
            message = (
                f"unexpected error: {type(error).__name__}: {str(error)[:_LONGEST_REASON]}\n"
                "this is a flaw in the program: please report it with the lines above"
            )
        complain(message)
        return CaptionerError.exit_code


def _known_trouble(error: Exception) -> str | None:
    """What to say of an error that is the machine's and not the program's; None of any other."""
    if isinstance(error, MemoryError):
        return "out of memory: lower --batch-size and --max-data-loader-n-workers, or close other programs"
    if isinstance(error, ImportError):
        return f"a Python package cannot be imported ({error}): install wd14-captioner again"
    if isinstance(error, FileNotFoundError) and error.filename is None:  # as `os.getcwd` fails
        return "the current folder was deleted: change to another folder"
    if isinstance(error, OSError) and error.errno in _MACHINES_ERRORS:
        return f"{error.strerror}{f': {str(error.filename)[:_LONGEST_REASON]}' if error.filename else ''}"
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return "the system starts no more threads: raise the limit (ulimit -u), or close other programs"
    return None


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command and its options; ends the process when they are wrong, and names the word that may be meant."""
    parser = _Parser(prog="wd14-captioner", description="Tags image datasets with WD14 taggers.")
    parser.add_argument("--version", action="version", version=f"wd14-captioner {wd14.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", dest="command")
    for command in (caption, scale, compare, check, evaluate, review, models, download, cache):
        command.add_command(commands)
    first = next(iter(argv), "-")
    if not first.startswith("-") and first not in commands.choices:
        hint = _did_you_mean(first, commands.choices)
        parser.error(f"there is no command {first!r}.{hint} The commands are {', '.join(commands.choices)}.")
    args, unknown = parser.parse_known_args(argv)
    if unknown:
        chosen = commands.choices[args.command]
        mistyped = next((word for word in unknown if word.startswith("-")), "")
        hint = _did_you_mean(mistyped.partition("=")[0], chosen.options())
        chosen.error(f"unrecognized arguments: {' '.join(unknown)}.{hint}")
    return args


def _did_you_mean(mistyped: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(mistyped, known, n=1, cutoff=0.7)
    return f" Did you mean {close[0]}?" if close else ""


class _Parser(argparse.ArgumentParser):
    """argparse, but an option must be written out: `--general` is not `--general-threshold`."""

    def __init__(self, **more: Any) -> None:
        super().__init__(allow_abbrev=False, **more)

    def options(self) -> list[str]:
        """Every option, as it is written: `--thresh`."""
        return list(self._option_string_actions)

    def error(self, message: str) -> NoReturn:
        # Not the usage: it is two screens long, and the message is what counts.
        self.exit(2, f"{self.prog}: {readable(message)}\nTry '{self.prog} --help'.\n")
