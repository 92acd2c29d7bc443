"""`wd14-captioner review`: the page of a captioned dataset."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from wd14.cli import check, serve
from wd14.cli.caption import HelpFormatter, file_named, parameters_in
from wd14.cli.output import is_heard, say, show_while
from wd14.text import count, wrapped

if TYPE_CHECKING:
    from wd14.reviewing import DatasetReview


def add_command(commands: Any) -> None:
    """Adds `review` to the program's commands."""
    parser = commands.add_parser(
        "review",
        usage="%(prog)s DATASET [--output FILE.html | --serve] [parameters]",
        help="make the review page of a captioned dataset",
        description="Makes a page that shows a captioned dataset and takes corrections: pictures, tags, scores where"
        " they are stored, what a check finds. It lies in the dataset's folder as .wd14/review.html. Pictures and"
        " captions stay as they are, and no model is run or downloaded. Parameters that are not given are those of the"
        " run that made the dataset, where that is known.",
        formatter_class=HelpFormatter,
    )
    parser.add_argument("source", metavar="DATASET", help="any dataset that can be captioned, with its captions")
    parser.add_argument(
        "--output",
        metavar="FILE.html",
        help="one file instead, with small pictures in it, to send to somebody; needed for a dataset that is no folder",
    )
    serve.add_options(parser)
    check.add_parameters(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Makes the page and says where it is; returns the exit code."""
    from wd14.reviewing import review_dataset

    serve.check_options(args)
    output = file_named(args.output, "--output")
    review = show_while(
        lambda log, progress, stop: review_dataset(
            args.source, parameters_in(args), output=output, log=log, progress=progress, stop=stop
        ),
        aside=False,
    )
    _say_review(review)
    if args.serve:
        return serve.serve(args, review)
    return 0 if is_heard() else 1


def _say_review(review: DatasetReview) -> None:
    from wd14.curation.checks.finding import numbers_in_words

    found = review.check
    say(f"{review.source}: {count(found.pictures, 'picture')}, {numbers_in_words(found.findings)}.")
    for remark in found.remarks:
        for line in wrapped(f"Not shown: {remark}"):
            say(line)
    say(f"Review page: {review.page}")
