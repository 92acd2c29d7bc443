"""What a job says at its start, about what it runs with, and at its end, about what came out."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence

from wd14.config import NO_MODEL, CaptionConfig
from wd14.parsing import names_csv, parse_list
from wd14.published import SAY_THRESHOLDS, Published, mode_in_use, uses_own_unasked
from wd14.regular_files import last_part, whole_path
from wd14.text import count, duration, share
from wd14.types import UNUSED, Labels, Summary, Written

#: Parameters that the line about the model has.
_SAID_WITH_THE_MODEL = frozenset(
    {*("generation_model", "custom_model", "ensemble", "ensemble_votes", "device", "precision"), *SAY_THRESHOLDS}
)
#: Between the names of an ensemble's models, where they stand in for the name of one.
AND = " + "
#: Parameters that may name a file or a folder.
_PATHS = frozenset(
    {"generation_model", "custom_model", "ensemble", "cache_folder", "implications", "plan", "tag_thresholds"}
)


def opening_lines(
    config: CaptionConfig, labels: Labels, published: Published, model_name: str, *, runs: bool = True
) -> Iterator[str]:
    """The model, the thresholds, and every parameter that is not at its default.

    Args:
        config: the parameters.
        labels: the model's tags.
        published: thresholds that the model's author recommends.
        model_name: what a person calls the model.
        runs: whether the model is run; else its scores are stored ones.
    """
    if config.adds_no_tags:
        yield f"Model: {NO_MODEL}, which adds no tag: captions are those that the pictures have."
    else:
        thresholds = thresholds_in_words(config, labels, published)
        runs_on = f" Device: {config.device}." if runs else ""
        runs_on += " Precision: fast." if config.precision == "fast" else ""
        yield f"Model: {model_name} ({_tags(labels):,} tags). Thresholds: {thresholds}.{runs_on}"
    yield from _set(config)


def ensemble_lines(config: CaptionConfig, tags: int, models: Sequence[tuple[str, Labels, Published]]) -> Iterator[str]:
    """As `opening_lines`, of several models.

    Args:
        config: the parameters.
        tags: how many the models know together.
        models: name, tags and published thresholds of each, the first model's first.
    """
    precision = " Precision: fast." if config.precision == "fast" else ""
    yield (
        f"Ensemble: {len(models)} models, {tags:,} tags together. A tag is kept when {_votes(config, len(models))}."
        f" Device: {config.device}.{precision}"
    )
    for name, labels, published in models:
        yield f"Model: {name} ({_tags(labels):,} tags). Thresholds: {thresholds_in_words(config, labels, published)}."
    yield from _set(config)


def _tags(labels: Labels) -> int:
    """How many there are, without outputs that stand for none."""
    return len(labels) - labels.categories.count(UNUSED)


def _votes(config: CaptionConfig, models: int) -> str:
    if config.ensemble_votes == 1:
        return "one of them keeps it"
    if config.ensemble_votes >= models:
        return "all that know it keep it"
    return f"{config.ensemble_votes} of them keep it, or all that know it where fewer do"


def _set(config: CaptionConfig) -> Iterator[str]:
    if changed := list(set_in_words(config)):
        yield f"Set: {'; '.join(changed)}."


def set_in_words(config: CaptionConfig) -> Iterator[str]:
    """Every parameter that is not at its default, but those that the line about the model has: `Rating = first`."""
    for key, field in CaptionConfig.model_fields.items():
        if (value := getattr(config, key)) != field.default and key not in _SAID_WITH_THE_MODEL:
            yield f"{field.title} = {_in_words(value)}"


def command_in_words(
    source: str,
    config: CaptionConfig,
    *,
    command: str = "caption",
    output: Sequence[str] = (),
    named: Callable[[str], str] = whole_path,
) -> str:
    """The command line of a job with these parameters, but for its output and its edits, quoted for a shell.

    It works in any folder: what lies on this machine is named by its whole path. An option at its default counts where
    it was given: a threshold, as it keeps a model from its own, and any beside a caption style.

    Args:
        source: the dataset.
        config: the parameters.
        command: its name.
        output: words behind the dataset.
        named: how files and folders are named.
    """
    given = config.model_fields_set & (
        CaptionConfig.model_fields.keys() if config.caption_style != "kohya" else SAY_THRESHOLDS
    )
    options = [
        option
        for key, field in CaptionConfig.model_fields.items()
        if key not in ("output_dataset_name", "edits")
        and ((value := getattr(config, key)) != field.default or key in given)
        for option in _options(key, _named(value, named) if key in _PATHS else value)
    ]
    return shlex.join(["wd14-captioner", command, named(source), *output, *options])


def _named(value: str | tuple[str, ...], named: Callable[[str], str]) -> str | tuple[str, ...]:
    return named(value) if isinstance(value, str) else tuple(map(named, value))


def _options(key: str, value: object) -> list[str]:
    option = "--" + key.replace("_", "-")
    if isinstance(value, bool):
        return [option if value else option.replace("--", "--no-", 1)]
    if isinstance(value, tuple):
        return [f"{option}={' -> '.join(each) if isinstance(each, tuple) else each}" for each in value]
    if isinstance(value, dict):
        entries = (f"{name}={'off' if number > 1 else number}" for name, number in value.items())
        return [f"{option}={','.join(entries)}"]
    return [f"{option}={value}"]


def thresholds_in_words(config: CaptionConfig, labels: Labels, published: Published) -> str:
    """`general 0.35, character 0.85`; where they come from, if not from the person; and whether single tags have some.

    Args:
        config: the parameters.
        labels: the model's tags.
        published: the model's own thresholds.
    """
    if published.is_final:
        return "by each model"
    words = _by_category_in_words(config, labels, published)
    if names_csv(config.tag_thresholds):
        return f"{words}; more in {last_part(config.tag_thresholds)}"
    by_name = len(parse_list(config.tag_thresholds))
    return f"{words}; {by_name:,} set by name" if by_name else words


def _by_category_in_words(config: CaptionConfig, labels: Labels, published: Published) -> str:
    own = _numbers(config.category_thresholds)
    mode = mode_in_use(config, published)
    if mode == "mcut":
        return f"{own}, the others by mcut" if own else "by mcut"
    if mode == "model":
        origin = "the model's own, since none was set" if uses_own_unasked(config, published) else "published"
        if published.by_tag:
            return f"{own}, the others one for each tag ({origin})" if own else f"one for each tag ({origin})"
        of_model = {name: value for name, value in published.by_category.items() if name not in ("rating", "quality")}
        return f"{_numbers({**of_model, **config.category_thresholds})} ({origin})"
    categories: list[str] = [each for each in ("general", "character") if each in labels.categories]
    categories += [each for each in config.category_thresholds if each not in categories and each != UNUSED]
    return _numbers({category: config.threshold_for(category) for category in categories})


def _numbers(thresholds: Mapping[str, float]) -> str:
    return ", ".join(f"{category} {_threshold(value)}" for category, value in thresholds.items())


def closing_lines(summary: Summary, named_in: str = "named above") -> Iterator[str]:
    """How many pictures were captioned, and what a person wants to know of the captions.

    Args:
        summary: of the job.
        named_in: where a person finds the pictures that failed.
    """
    words = f"Captioned {share(summary.succeeded, summary.total, 'picture')} in {duration(summary.seconds)}"
    if summary.from_scores:
        words += f" ({summary.from_scores:,} from stored scores)"
    words += f"; {summary.rejected:,} rejected by the edits" if summary.rejected else ""
    yield words + (f"; {summary.failed:,} failed, each is {named_in}." if summary.failed else ".")
    if summary.frequent_tags:
        listed = ", ".join(f"{tag} {number:,}" for tag, number in summary.frequent_tags)
        yield f"Most frequent tags: {listed}"
    if summary.disagreement is not None:
        yield from summary.disagreement.lines()
    if summary.without_tags and summary.model.strip().lower() != NO_MODEL:
        yield f"Without any tag: {count(summary.without_tags, 'caption')}. A lower threshold gives more tags."
    if summary.too_long:
        number = count(summary.too_long, "caption")
        yield f"Over the maximum number of tokens: {number}. All that may be left out of them is left out."


def result_in_words(summary: Summary) -> str:
    """Where the result is: `photos_captions`, `24 caption files written in photos, 3 left alone`."""
    written = summary.written
    if written.caption_files is None:
        return str(summary.output)
    left_alone = f", {written.left_alone:,} left alone" if written.left_alone else ""
    return f"{count(written.caption_files, 'caption file')} written in {summary.output}{left_alone}"


def stop_in_words(written: Written) -> str:
    """What a stopped job leaves behind."""
    return f"stopped; {_there_to_stay(written) or _nothing(written)}, and stored scores are kept"


def failure_in_words(error: BaseException, written: Written) -> str:
    """Why a job failed, and what is there all the same."""
    there = _there_to_stay(written)
    return f"{error}; {there}" if there else str(error)


def _there_to_stay(written: Written) -> str:
    if written.output is not None:
        return f"the dataset is complete: {written.output}"
    if written.caption_files:
        verbs = "was written and stays" if written.caption_files == 1 else "were written and stay"
        return f"{count(written.caption_files, 'caption file')} {verbs}"
    return ""


def _nothing(written: Written) -> str:
    return "no dataset was written" if written.caption_files is None else "no caption file was written"


def made_with(summary: Summary) -> str:
    """The models, without owner or folder, and the thresholds: `wd-vit-tagger-v3, general 0.35`."""
    if summary.model.strip().lower() == NO_MODEL:
        return "no tagger"
    names = (name.strip().rstrip("/").rpartition("/")[2] for name in summary.model.split(AND))
    return f"{AND.join(names)}, {summary.thresholds}"


def short_description(summary: Summary) -> str:
    """The dataset in a line: `498 of 500 pictures, wd-vit-tagger-v3, general 0.35; most frequent: solo, 1girl`."""
    line = f"{share(summary.succeeded, summary.total, 'picture')}, {made_with(summary)}"
    tags = ", ".join(tag for tag, _ in summary.frequent_tags[:5])
    return f"{line}; most frequent: {tags}" if tags else line


def _threshold(value: float) -> str:
    return "off" if value > 1 else f"{value:g}"


def _in_words(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ", ".join(" -> ".join(each) if isinstance(each, tuple) else str(each) for each in value)
    return repr(value) if isinstance(value, str) and value != value.strip() else str(value)
