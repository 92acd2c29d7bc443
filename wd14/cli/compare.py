"""`wd14-captioner compare`: how much faster something is, and how far scores and captions move, on some pictures."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from wd14.cli.caption import HelpFormatter, add_parameter_groups, parameters_in
from wd14.cli.output import is_heard, say, say_json, show_while
from wd14.parameter_groups import NOT_FOR_COMPARE
from wd14.text import count, printable, share, wrapped

if TYPE_CHECKING:
    from wd14.comparison import Comparison
    from wd14.differences import ChangedTag

#: Pictures that failed, as many as are named.
_MOST_FAILED = 5
#: Characters of the widest column of a table.
_WIDEST = 44


def add_command(commands: Any) -> None:
    """Adds `compare` to the program's commands."""
    parser = commands.add_parser(
        "compare",
        usage="%(prog)s SOURCE [--with PARAMETER=VALUE] [--sample N] [--json] [parameters]",
        help="show how far scores, captions and speed move with another precision, device or model",
        description="Scores some pictures of SOURCE twice, as given and with a change, and says how much faster it is"
        " and which tags the captions gain and lose. Nothing is written, no stored score is used, and none is stored.",
        formatter_class=HelpFormatter,
    )
    parser.add_argument(
        "source", metavar="SOURCE", help="what `scale` takes: a dataset, here, on a store, or on the hub"
    )
    parser.add_argument(
        "--with",
        dest="changes",
        action="append",
        default=[],
        metavar="PARAMETER=VALUE",
        help="what differs in the second run: precision=fast, device=openvino, generation_model=NAME, thresh=0.3, …;"
        " may be given more than once. Default: precision=fast.",
    )
    parser.add_argument(
        "--sample", type=int, default=None, metavar="N", help="pictures, taken evenly from SOURCE. Default: 50."
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, and nothing else, on stdout")
    add_parameter_groups(parser, without=NOT_FOR_COMPARE)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compares; returns the exit code."""
    from wd14.comparing import PICTURES, compare

    pictures = PICTURES if args.sample is None else args.sample
    comparison = show_while(
        lambda log, progress, stop: compare(
            args.source,
            parameters_in(args),
            args.changes,
            pictures=pictures,
            log=log,
            progress=progress,
            stop=stop,
        ),
        aside=args.json,
    )
    if args.json:
        say_json(comparison.as_json())
    else:
        for line in comparison_lines(comparison):
            say(line)
    return 0 if is_heard() else 1


def comparison_lines(comparison: Comparison) -> Iterator[str]:
    """A comparison, for a person."""
    before, after, change = comparison.before, comparison.after, comparison.change
    for failed in comparison.failed[:_MOST_FAILED]:
        yield f"Not compared: {failed}"
    if (more := len(comparison.failed) - _MOST_FAILED) > 0:
        yield f"Not compared: {more:,} more"
    rates = [f"{side.pictures_per_second:,.2f}" for side in (before, after)]
    if not comparison.is_scored_once:
        rates[1] += f", {comparison.speedup:.2f} times as many"
    yield from table(
        [
            ["", "as given", f"with {change}"],
            ["model", *(_name(side.model) for side in (before, after))],
            ["runs on", before.way, after.way],
            ["pictures/s", *rates],
        ]
    )
    if comparison.is_scored_once:
        yield from wrapped(f"{change}: no score changes by that, so the pictures were scored once.")
    elif comparison.is_same_run:
        yield f"Both ran in the same way ({before.way}): what differs in speed is chance."
    yield from wrapped(_scores_in_words(comparison))
    yield from wrapped(_captions_in_words(comparison))
    yield from _changed_tags(comparison)


def _scores_in_words(comparison: Comparison) -> str:
    from wd14.differences import PERCENTILE

    scores = comparison.scores
    if not scores.tags:
        return "Scores: the two models have no tag in common."
    both = "" if comparison.before.model == comparison.after.model else " that both models know"
    of = f"Scores of {count(scores.tags, 'tag')}{both}"
    if not scores.largest:
        return f"{of}: equal."
    tag, picture = scores.largest_at
    return (
        f"{of}: the largest difference is {_number(scores.largest)} ({tag}, {picture}); {PERCENTILE:g} % of all are"
        f" {_number(scores.percentile)} or less, the mean is {_number(scores.mean)}."
    )


def _captions_in_words(comparison: Comparison) -> str:
    changed = f"Captions: {share(comparison.captions_changed, comparison.pictures, 'picture')} changed"
    if not comparison.changed_tags:
        return f"{changed}; they have the same {count(comparison.tags, 'tag')}."
    words = f"{changed}; of {count(comparison.tags, 'tag')} {comparison.lost:,} lost, {comparison.gained:,} gained"
    distances = sorted(tag.distance for tag in comparison.changed_tags if tag.distance is not None)
    if not distances:
        return f"{words}."
    near = f"{words}. Their scores, as given, are within {_number(distances[-1])} of the threshold"
    return f"{near}, half of them within {_number(distances[(len(distances) - 1) // 2])}."


def _changed_tags(comparison: Comparison) -> Iterator[str]:
    from wd14.comparison import MOST_LISTED

    shown, others = comparison.changed_tags[:MOST_LISTED], len(comparison.changed_tags) - MOST_LISTED
    if not shown:
        return
    yield from table([["", "tag", "as given", "changed", "threshold", "picture"], *map(_cells, shown)])
    if others > 0:
        yield f"… and {others:,} more, whose scores moved less"


def _cells(tag: ChangedTag) -> list[str]:
    scores = ("-" if score is None else f"{score:.4f}" for score in (tag.before, tag.after))
    threshold = "-" if tag.threshold is None else f"{tag.threshold:.4g}"
    return ["gained" if tag.gained else "lost", tag.tag, *scores, threshold, tag.picture]


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of a table: columns as wide as what is in them, up to a limit that the last one does not have."""
    cells = [[printable(cell) for cell in row] for row in rows]
    *columns, _ = zip(*cells, strict=True)
    widths = [min(_WIDEST, max(map(len, column))) for column in columns]
    for row in cells:
        *first, last = row
        shown = [
            cell if len(cell) <= width else f"{cell[: width - 1]}…" for cell, width in zip(first, widths, strict=True)
        ]
        padded = [cell.ljust(width) for cell, width in zip(shown, widths, strict=True)]
        yield "  ".join(["", *padded, last]).rstrip()


def _name(model: str) -> str:
    """A model without its owner or folder."""
    return model.rstrip("/").rpartition("/")[2]


def _number(value: float) -> str:
    """A difference of scores: `0.011`, `1.4e-06`."""
    return f"{value:.2g}"
