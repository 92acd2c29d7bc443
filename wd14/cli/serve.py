"""`wd14-captioner review DATASET --serve`: the options, and serving until Ctrl-C."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from wd14.cli.output import say
from wd14.errors import ConfigError
from wd14.stop import StopToken, stopped_by_signals
from wd14.text import printable

if TYPE_CHECKING:
    from wd14.serving import Reviewed

#: Options that mean something with --serve only: their name -> where their value is.
_NEEDS_SERVE = {"--port": "port", "--no-browser": "no_browser", "--source": "captioned_source"}


def add_options(parser: Any) -> None:
    """Adds `--serve` and what belongs to it to a command."""
    group = parser.add_argument_group("Server")
    group.add_argument(
        "--serve",
        action="store_true",
        help="show the page from a server on this machine, for you alone, until Ctrl-C: edits of any number of open"
        " pages are saved in DATASET/.wd14/edits.json, and Apply writes the new dataset beside DATASET",
    )
    group.add_argument("--port", type=int, metavar="N", help="port of the server, on 127.0.0.1. Default: a free one.")
    group.add_argument("--no-browser", action="store_true", help="do not open the page, only print its address")
    group.add_argument(
        "--source",
        dest="captioned_source",
        metavar="SOURCE",
        help="what Apply captions: the source that DATASET was made from. Default: DATASET itself.",
    )


def check_options(args: argparse.Namespace) -> None:
    """Looks whether the options go together, and whether what a server needs is installed, before the work begins.

    Raises:
        ConfigError: they do not, or it is not.
    """
    if args.serve and args.output:
        raise ConfigError("--serve and --output do not go together: a server shows the page, --output writes it")
    if args.serve:
        from wd14.serving import check_packages

        check_packages()
        return
    if given := next((option for option, key in _NEEDS_SERVE.items() if getattr(args, key)), None):
        raise ConfigError(f"{given} needs --serve")


def serve(args: argparse.Namespace, review: Reviewed) -> int:
    """Serves a dataset's page until a stop is asked for; returns the exit code."""
    from wd14.serving import serve_review

    stop = StopToken()
    with stopped_by_signals(stop):
        serve_review(
            review,
            port=args.port or 0,
            source=args.captioned_source,
            open_browser=not args.no_browser,
            say=lambda line: say(printable(line)),
            stop=stop,
        )
    return 0
