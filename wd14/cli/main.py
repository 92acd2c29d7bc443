"""The program `wd14-captioner`: its commands, and what it exits with."""

from __future__ import annotations

import argparse
import difflib
import logging
import re
import sys
from collections.abc import Sequence
from typing import Any, ClassVar, NoReturn

import wd14
from wd14.cli import cache, caption, download, models
from wd14.cli.output import complain, say_in_any_encoding
from wd14.errors import CaptionerError, JobStoppedError
from wd14.images.pillow_warnings import ignore_pillow_warnings
from wd14.text import printable


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


class _Parser(argparse.ArgumentParser):
    """argparse, but an option must be written out (`--general` is not `--general-threshold`), and a mistyped option or
    command is answered with the one that is probably meant.
    """

    #: Options and commands of the whole program.
    words: ClassVar[set[str]] = set()

    def __init__(self, **more: Any) -> None:
        super().__init__(allow_abbrev=False, **more)

    def error(self, message: str) -> NoReturn:
        # Not the usage: it is two screens long, and the message is what counts.
        hint = f" Did you mean {meant}?" if (meant := self._meant(message)) else ""
        self.exit(2, f"{self.prog}: {printable(message)}.{hint}\nTry '{self.prog} --help'.\n")

    def _meant(self, message: str) -> str | None:
        mistyped = re.match(r"unrecognized arguments: (--[^\s=]+)|argument COMMAND: invalid choice: '([^']*)'", message)
        if mistyped is None:
            return None
        word = mistyped[1] or mistyped[2]
        alike = [known for known in self.words if known.startswith("--") == word.startswith("--")]
        return next(iter(difflib.get_close_matches(word, alike, n=1, cutoff=0.7)), None)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="wd14-captioner", description="Tags image datasets with WD14 taggers.")
    parser.add_argument("--version", action="version", version=f"wd14-captioner {wd14.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (caption, models, download, cache):
        command.add_command(commands)
    _Parser.words = {*commands.choices, *(option for each in commands.choices.values() for option in _options_of(each))}
    return parser


def _options_of(parser: argparse.ArgumentParser) -> set[str]:
    """The options of a command, as they are written: `--thresh`."""
    return set(parser._option_string_actions)
