"""`wd14-captioner scale`: a dataset of any size in shards, on this machine or many; run again = go on."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from wd14.cli.caption import HelpFormatter, add_parameter_groups, parameters_in
from wd14.cli.output import complain, is_heard, say
from wd14.data.pieces import SHARD_ROWS
from wd14.errors import ConfigError, JobStoppedError
from wd14.parameter_groups import NOT_FOR_SCALE
from wd14.stop import StopToken, stopped_by_signals
from wd14.text import printable

if TYPE_CHECKING:
    from wd14.progress import ShownProgress
    from wd14.scale.request import ScaleRequest

#: What parameters mean here, where they mean something else than to `caption`.
_WORDS = {
    "flatten_transparency": "With --format webdataset: save pictures that Transformer Lab cannot show as RGB on white."
    " Default: on.",
    "max_data_loader_n_workers": "Threads of a worker that open and resize pictures. Empty = what suits the machine.",
}


def add_command(commands: Any) -> None:
    """Adds `scale` to the program's commands."""
    parser = commands.add_parser(
        "scale",
        usage="%(prog)s SOURCE OUTPUT [options] [parameters]\n"
        "       %(prog)s OUTPUT --status\n"
        "       %(prog)s SOURCE --estimate [--price P] [--workers N]",
        help="caption a dataset of any size in shards, on one machine or many",
        description="Captions a dataset of any size in shards: Parquet files with scores and captions, on this machine,"
        " on a Ray cluster, or in parts that a scheduler such as Slurm starts. The same command again goes on where the"
        " last run ended, however it ended. Where SOURCE is the OUTPUT of an earlier run, captions are made again from"
        " its stored scores, without the model.",
        formatter_class=HelpFormatter,
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="what `caption` takes, a URL such as s3://bucket/folder, or the OUTPUT of an earlier run",
    )
    parser.add_argument(
        "output", metavar="OUTPUT", nargs="?", help="folder or URL of the result: new, empty, or of the same run"
    )
    _add_looks(parser.add_argument_group("Without captioning"))
    _add_workers(parser.add_argument_group("Workers"))
    _add_result(parser.add_argument_group("Result"))
    add_parameter_groups(parser, words=_WORDS, without=NOT_FOR_SCALE)
    parser.set_defaults(run=run)


def _add_looks(group: Any) -> None:
    group.add_argument(
        "--status",
        action="store_true",
        help="say how far the run in a folder is: done, failed, left, rate, time left; works from any machine",
    )
    group.add_argument(
        "--estimate",
        action="store_true",
        help="read and score up to 200 pictures of SOURCE, and say how long all of it takes with --workers N",
    )
    group.add_argument(
        "--price", type=_number, metavar="P", help="with --estimate: what a worker costs in an hour, in any currency"
    )


def _add_workers(group: Any) -> None:
    group.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="local = processes of this machine; ray = a Ray cluster. Both write the same bytes. Default: local.",
    )
    group.add_argument(
        "--workers",
        type=_at_least_one,
        metavar="N",
        help="Default: local 1, which uses the whole machine; ray as many as the cluster has room for.",
    )
    group.add_argument("--cpus-per-worker", type=_above_zero, metavar="X", help="Default: the cores shared out evenly.")
    group.add_argument(
        "--gpus-per-worker",
        type=_number,
        metavar="X",
        help="for ray; 0.5 = two workers share a GPU. Default: 1 where the cluster has GPUs.",
    )
    group.add_argument(
        "--address",
        metavar="HOST",
        help="of a running Ray cluster: auto, or host:port. Default: RAY_ADDRESS, else one is started.",
    )
    group.add_argument(
        "--shard-index",
        type=_at_least_zero,
        metavar="I",
        help="do one part only, from 0 to N - 1; in a Slurm array: --shard-index $SLURM_ARRAY_TASK_ID. Part 0 makes the"
        " plan, for which the others wait; the one that ends last merges.",
    )
    group.add_argument("--shard-count", type=_at_least_one, metavar="N", help="how many parts there are")


def _add_result(group: Any) -> None:
    group.add_argument(
        "--format",
        choices=("parquet", "webdataset"),
        default="parquet",
        help="webdataset = also tar archives with pictures and captions. Default: parquet.",
    )
    group.add_argument(
        "--shard-rows",
        type=_at_least_one,
        default=SHARD_ROWS,
        metavar="N",
        help=f"pictures of a shard, about: what a killed worker loses at most. Default: {SHARD_ROWS}.",
    )
    group.add_argument(
        "--skip-failed",
        action="store_true",
        help="merge without the shards that failed twice, and say so in the report; also finishes a run whose SOURCE"
        " has changed, with the shards whose files are as they were",
    )
    group.add_argument("--push-to-hub", metavar="OWNER/NAME", help="upload the result as a dataset, with a card")


def run(args: argparse.Namespace) -> int:
    """Does what the options describe; returns the exit code."""
    _check_options(args)
    from wd14.progress import ShownProgress

    stop = StopToken()
    shown = ShownProgress(say, bar=sys.stderr.isatty())
    try:
        with stopped_by_signals(stop):
            if args.status:
                return _status(args, shown, stop)
            if args.estimate:
                return _estimate(args, shown, stop)
            return _scale(args, shown, stop)
    except (JobStoppedError, KeyboardInterrupt):
        shown.close()
        complain(
            "stopped"
            if args.status or args.estimate
            else "stopped; shards that are complete stay: the same command goes on"
        )
        return JobStoppedError.exit_code
    finally:
        shown.close()


def _scale(args: argparse.Namespace, shown: ShownProgress, stop: StopToken) -> int:
    from wd14.places import Place
    from wd14.scale.driver import run_scale

    is_complete = run_scale(_request(args), say=shown.log, progress=shown.show, stop=stop)
    shown.close()
    if is_complete:
        say(f"Result: {printable(str(Place(args.output)))}")
    return 0


def _status(args: argparse.Namespace, shown: ShownProgress, stop: StopToken) -> int:
    from wd14.scale.looks import status_of

    for line in status_of(args.source, progress=shown.show, log=shown.log, stop=stop):
        shown.log(printable(line))
    return 0 if is_heard() else 1


def _estimate(args: argparse.Namespace, shown: ShownProgress, stop: StopToken) -> int:
    from wd14.scale.looks import estimate_of

    lines = estimate_of(
        args.source,
        parameters_in(args),
        workers=args.workers or 1,
        price=args.price,
        shard_rows=args.shard_rows,
        progress=shown.show,
        log=shown.log,
        stop=stop,
    )
    for line in lines:
        shown.log(printable(line))
    return 0 if is_heard() else 1


def _request(args: argparse.Namespace) -> ScaleRequest:
    from wd14.scale.engines import Resources
    from wd14.scale.request import ScaleRequest

    return ScaleRequest(
        source=args.source,
        output=args.output,
        parameters=parameters_in(args),
        engine=args.engine,
        resources=Resources(args.workers, args.cpus_per_worker, args.gpus_per_worker, args.address),
        format=args.format,
        shard_rows=args.shard_rows,
        part=None if args.shard_index is None else (args.shard_index, args.shard_count),
        push_to_hub=args.push_to_hub,
        skip_failed=args.skip_failed,
    )


def _check_options(args: argparse.Namespace) -> None:
    """Looks whether the options go together.

    Raises:
        ConfigError: they do not.
    """
    if not args.source.strip():
        raise ConfigError("the first place is empty: name a folder, a file or a URL")
    if args.status or args.estimate:
        option = "--status" if args.status else "--estimate"
        if args.status and args.estimate:
            raise ConfigError(
                "--status and --estimate do not go together: the first looks at an OUTPUT, the second at a SOURCE"
            )
        if args.output is not None:
            raise ConfigError(f"{option} takes one place, and {args.output} is a second one")
        return
    if not args.output or not args.output.strip():
        raise ConfigError("OUTPUT is missing: wd14-captioner scale SOURCE OUTPUT")
    if args.price is not None:
        raise ConfigError("--price needs --estimate")
    if (args.shard_index is None) != (args.shard_count is None):
        raise ConfigError("--shard-index and --shard-count go together: which part this is, and how many there are")
    if args.shard_index is not None and args.shard_index >= args.shard_count:
        raise ConfigError(
            f"--shard-index is {args.shard_index} and --shard-count {args.shard_count}: parts are numbered from 0 to"
            f" {args.shard_count - 1}"
        )
    if args.engine == "local" and (args.address or args.gpus_per_worker is not None):
        raise ConfigError(f"{'--address' if args.address else '--gpus-per-worker'} needs --engine ray")


def _whole(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, got {text!r}")
    return number


def _at_least_one(text: str) -> int:
    return _whole(text, 1)


def _at_least_zero(text: str) -> int:
    return _whole(text, 0)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not 0 <= number < 1e9:
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, got {text!r}")
    return number


def _above_zero(text: str) -> float:
    if (number := _number(text)) == 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number
