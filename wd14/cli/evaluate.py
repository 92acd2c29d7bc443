"""`wd14-captioner evaluate`: how well a model agrees with a captioned dataset, and which thresholds suit it better."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from wd14.cli.caption import HelpFormatter, add_parameter_groups, file_named, parameters_in
from wd14.cli.compare import table
from wd14.cli.output import is_heard, say, say_aside, say_json, show_while
from wd14.text import count, listed, wrapped

if TYPE_CHECKING:
    from wd14.evaluating import Evaluation
    from wd14.evaluation.measures import Measures
    from wd14.evaluation.result import GroupResult, TagResult

#: The parameters of an evaluation.
_PARAMETERS = {
    "Model": (
        *("generation_model", "custom_model", "ensemble", "ensemble_votes"),
        *("thresh", "general_threshold", "character_threshold", "threshold_mode"),
        *("category_thresholds", "tag_thresholds"),
    ),
    "Captions": (
        *("edits", "trigger_words", "undesired_tags", "tag_replacement", "character_tag_expand", "caption_style"),
        *("caption_column", "caption_extension", "caption_separator"),
    ),
    "Reading": ("split", "image_field", "follow_symlinks", "max_megapixels", "exif_orientation"),
    "How it runs": (
        *("device", "precision", "batch_size", "max_data_loader_n_workers", "image_size", "profile"),
        *("cache", "cache_folder"),
    ),
}
#: What parameters mean to an evaluation, where captioning has them mean something else.
_WORDS = {
    "generation_model": "The tagger that is evaluated. Not given: that of the run that made the dataset, or the usual"
    " one.",
    "edits": "A person's corrections, which the review page saves as edits.json: made in the captions before they are"
    " compared.",
    "trigger_words": "Words of captions that are no tags. Not given: those of the run.",
    "undesired_tags": "Tags that the captions leave out on purpose: they do not count. Wildcards: * and ?.",
    "tag_replacement": "What the captions have in place of tags. Not given: that of the run.",
    "caption_style": "The base model that the captions are written for. Not given: that of the run.",
    "split": "Split to read. Not given: all.",
    "caption_column": "Column of the captions, in datasets that have columns. Default: caption, or another usual name.",
    "cache": "Use stored scores, and store those of pictures that have none. Default: on.",
}
#: Tags that the table lists.
_MOST_LISTED = 20
#: Characters of a tag in the table, so that it has at most 100 columns.
_LONGEST_NAME = 24


def add_command(commands: Any) -> None:
    """Adds `evaluate` to the program's commands."""
    parser = commands.add_parser(
        "evaluate",
        usage="%(prog)s DATASET [--edits FILE] [--thresholds-out FILE.csv] [--csv FILE.csv] [--json] [parameters]",
        help="measure a model on a captioned dataset, and find better thresholds",
        description="Takes the captions of DATASET as the truth, after corrections (--edits), and says how well a"
        " model's tags agree with them: precision, recall and F1, and for each tag the threshold that suits it best."
        " Stored scores are used; pictures without any go through the model. DATASET stays as it is, unless --keep is"
        " given.",
        formatter_class=HelpFormatter,
    )
    parser.add_argument("source", metavar="DATASET", help="any dataset that can be captioned, with its captions")
    parser.add_argument(
        "--thresholds-out",
        metavar="FILE.csv",
        help="write a threshold for each tag that was seen, for --tag-thresholds of `caption`",
    )
    parser.add_argument("--csv", metavar="FILE.csv", help="write the numbers of all tags that were seen")
    parser.add_argument(
        "--keep",
        action="store_true",
        help="keep the result in DATASET as .wd14/evaluation.json: `review` then makes a page with its curves",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, and nothing else, on stdout")
    add_parameter_groups(parser, _PARAMETERS, words=_WORDS)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluates; returns the exit code."""
    from wd14.evaluating import evaluate
    from wd14.evaluation import tables
    from wd14.evaluation.kept import KeptPlace

    thresholds, numbers = file_named(args.thresholds_out, "--thresholds-out"), file_named(args.csv, "--csv")
    tables.check_places(thresholds, numbers)
    kept = KeptPlace(args.source) if args.keep else None
    evaluation = show_while(
        lambda log, progress, stop: evaluate(args.source, parameters_in(args), log=log, progress=progress, stop=stop),
        aside=args.json,
    )
    # Before the files are written: what was found is not lost where the disk is full.
    if args.json:
        say_json(evaluation.as_json())
    else:
        for line in evaluation_lines(evaluation):
            say(line)
    tell = say_aside if args.json else say
    if thresholds is not None:
        text = tables.thresholds(evaluation.result, evaluation.own_thresholds)
        tables.write_table(thresholds, tables.THRESHOLD_COLUMNS, text)
        tell(f"Thresholds: {thresholds}; use them: {evaluation.command('PICTURES', thresholds)}")
    if numbers is not None:
        tables.write_table(numbers, tables.ALL_COLUMNS, tables.all_numbers(evaluation.result))
        tell(f"All tags: {numbers}")
    if kept is not None:
        kept.write(evaluation.as_json(), evaluation.result)
        tell(f"Kept: {kept.path} (`wd14-captioner review {args.source}` shows it)")
    return 0 if is_heard() else 1


def evaluation_lines(evaluation: Evaluation) -> Iterator[str]:
    """An evaluation, for a person."""
    from wd14.truth import in_words

    result = evaluation.result
    left_out = in_words(evaluation.left_out, "picture")
    yield from wrapped(
        f"{evaluation.dataset}: {count(evaluation.pictures, 'picture')} compared"
        f" ({evaluation.from_scores:,} from stored scores){f'; left out: {left_out}' if left_out else ''}."
    )
    for failure in evaluation.failures:
        yield f"Failed: {failure}"
    if (more := evaluation.failed - len(evaluation.failures)) > 0:
        yield f"Failed: {more:,} more"
    if evaluation.not_counted:
        yield from wrapped(f"Not compared: {in_words(evaluation.not_counted, 'tag')}.")
    if evaluation.unknown:
        words = listed([f"{word} ({number:,})" for word, number in evaluation.unknown], len(evaluation.unknown))
        number = count(evaluation.unknown_words, "word")
        yield from wrapped(f"Not compared: {number} of captions that the model does not know: {words}.")
    for remark in evaluation.remarks:
        yield from wrapped(f"Note: {remark}.")
    if result.all.in_use.f1 == 1 and not evaluation.remarks:
        yield from wrapped(
            "Note: the captions have exactly the tags that the model keeps: if it wrote them, it is compared with"
            " itself, and its thresholds with themselves."
        )
    yield ""
    if evaluation.models:
        yield from _models(evaluation)
    yield from _groups("", [result.all, *result.categories])
    yield from _groups("tags on …", list(result.frequencies))
    yield from wrapped(_unseen(evaluation))
    yield from _least_well(list(result.tags()))


def _models(evaluation: Evaluation) -> Iterator[str]:
    """Each model of an ensemble by itself, beside the ensemble: what a model does not know it does not find."""
    rows = [["", "kept", "precision", "recall", "F1", "macro F1"]]
    for name, measured in (*evaluation.models, ("together", evaluation.result.all.in_use)):
        rows.append([name, f"{measured.kept:,}", *_shares(measured)])
    yield from table(rows)
    yield ""


def _groups(title: str, groups: Sequence[GroupResult]) -> Iterator[str]:
    heads = ["tags", "support", "kept", "precision", "recall", "F1", "macro F1", "F1 chosen", "macro chosen"]
    rows = [[title, *heads]]
    for group in groups:
        now, then = group.in_use, group.chosen
        numbers = [f"{number:,}" for number in (now.tags, now.support, now.kept)]
        rows.append([group.name, *numbers, *_shares(now), f"{then.f1:.3f}", f"{then.macro_f1:.3f}"])
    yield from table(rows)
    yield ""


def _shares(measured: Measures) -> list[str]:
    return [f"{value:.3f}" for value in (measured.precision, measured.recall, measured.f1, measured.macro_f1)]


def _unseen(evaluation: Evaluation) -> str:
    unseen, in_use = evaluation.result.unseen, evaluation.result.all.in_use
    categories = ", ".join(f"{name} {edge:g}" for name, edge in evaluation.result.category_thresholds().items())
    words = f"The best threshold of each category as a whole: {categories}. " if categories else ""
    if unseen is None:
        return f"{words}There are too few pictures to tell what the chosen thresholds are worth on others."
    verdict = "better than" if unseen.f1 > in_use.f1 else "no better than"
    return (
        f"{words}What the chosen thresholds are worth on pictures that they were not chosen from (each half of these"
        f" pictures with those of the other half): F1 {unseen.f1:.3f}, macro {unseen.macro_f1:.3f}; {verdict} the"
        f" thresholds in use (F1 {in_use.f1:.3f}, macro {in_use.macro_f1:.3f})."
    )


def _least_well(tags: Sequence[TagResult]) -> Iterator[str]:
    """The tags that cost the most: those with the most mistakes."""
    mistakes = sorted(tags, key=lambda tag: -(tag.support + tag.kept) * (1 - tag.f1))
    shown = [tag for tag in mistakes[:_MOST_LISTED] if tag.f1 < 1]
    if not shown:
        return
    yield ""
    yield "Tags with the most mistakes:"
    heads = ["tag", "support", "kept", "precision", "recall", "F1", "in use", "best", "chosen", "F1 chosen"]
    yield from table([heads, *map(_cells, shown)])
    if (others := len(tags) - len(shown)) > 0:
        yield f"… and {others:,} more tags; --csv FILE has all of them"


def _cells(tag: TagResult) -> list[str]:
    edges = ["-" if edge is None else f"{edge:g}" for edge in (tag.threshold, tag.best, tag.chosen)]
    shares = [f"{value:.3f}" for value in (tag.precision, tag.recall, tag.f1)]
    name = tag.tag if len(tag.tag) <= _LONGEST_NAME else f"{tag.tag[: _LONGEST_NAME - 1]}…"
    return [name, f"{tag.support:,}", f"{tag.kept:,}", *shares, *edges, f"{tag.f1_chosen:.3f}"]
