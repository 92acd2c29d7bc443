"""`wd14-captioner check`: says what is wrong with a captioned dataset."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from wd14.cli.caption import HelpFormatter, add_parameter_groups, parameters_in
from wd14.cli.output import is_heard, say, say_json, show_while
from wd14.text import count, wrapped

if TYPE_CHECKING:
    from wd14.checking import CheckReport

#: The parameters that say how the dataset is read and what its captions are to be like.
_PARAMETERS = {
    "What the captions are to be like": (
        *("trigger_words", "purpose", "caption_style", "rating", "max_tokens"),
        *("fold_tags", "keep_tags", "undesired_tags"),
    ),
    "Reading": (
        *("split", "image_field", "caption_column", "caption_extension", "caption_separator"),
        *("follow_symlinks", "max_megapixels", "max_data_loader_n_workers"),
    ),
    "Model": ("generation_model", "custom_model", "cache", "cache_folder"),
}


#: What parameters mean to a check, where captioning has them mean something else.
_WORDS = {
    "trigger_words": "Words that are to open every caption. Not given: those of the run, or guessed.",
    "purpose": "What the training is to learn: whether traits (character) or clothes (outfit) should have been folded."
    " Not given: that of the run.",
    "caption_style": "The base model that the captions are for: whether they have rating words.",
    "rating": "Where the captions have a rating; none = they are to have no rating words.",
    "max_tokens": "Tokens that a caption may have: 75, 150 or 225. 0 = any number. Not given: 75.",
    "fold_tags": "Tags that the trigger word stands for: no caption is to have them. Wildcards: * and ?.",
    "keep_tags": "Tags that captions may have, whatever else is said of them. Wildcards: * and ?.",
    "undesired_tags": "Tags that no caption is to have, in any spelling. Wildcards: * and ?.",
    "split": "Split to read. Not given: all.",
    "caption_column": "Column of the captions, in datasets that have columns. Default: caption, or another usual name.",
    "generation_model": "The tagger whose tags and stored scores are used, where they are on this machine. Not given:"
    " that of the run, or the usual one.",
    "cache": "Look into the stored scores, and keep what was found out about pictures. Default: on.",
}


def add_command(commands: Any) -> None:
    """Adds `check` to the program's commands."""
    parser = commands.add_parser(
        "check",
        usage="%(prog)s DATASET [--json] [--strict] [parameters]",
        help="say what is wrong with a captioned dataset",
        description="Checks a captioned dataset: its captions and its pictures. Nothing is changed, and no model is run"
        " or downloaded. Parameters that are not given are those of the run that made the dataset, where that is"
        " known.",
        formatter_class=HelpFormatter,
    )
    parser.add_argument("source", metavar="DATASET", help="any dataset that can be captioned, with its captions")
    parser.add_argument("--json", action="store_true", help="print one JSON object, and nothing else, on stdout")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when there are errors")
    add_parameters(parser)
    parser.set_defaults(run=run)


def add_parameters(parser: argparse.ArgumentParser) -> None:
    """Adds the parameters of commands that read a captioned dataset."""
    add_parameter_groups(parser, _PARAMETERS, words=_WORDS)


def run(args: argparse.Namespace) -> int:
    """Checks the dataset; returns the exit code."""
    from wd14.checking import check_source

    report = show_while(
        lambda log, progress, stop: check_source(
            args.source, parameters_in(args), log=log, progress=progress, stop=stop
        ),
        aside=args.json,
    )
    if args.json:
        say_json(report.as_json())
    else:
        _say_report(report)
    if not is_heard():
        return 1
    return 1 if args.strict and report.errors else 0


def _say_report(report: CheckReport) -> None:
    from wd14.curation.checks.finding import findings_lines, numbers_in_words

    say(f"{report.dataset}: {count(report.pictures, 'picture')} checked, {numbers_in_words(report.findings)}.")
    for remark in report.remarks:
        for line in wrapped(f"Not checked: {remark}"):
            say(line)
    for line in findings_lines(report.findings):
        say(line)
