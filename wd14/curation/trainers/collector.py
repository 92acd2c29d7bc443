"""Collects from the rows of a job what the trainer's files need, and writes them as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from wd14.config import CaptionConfig
from wd14.curation.even_sample import EvenSample
from wd14.curation.trainers.ai_toolkit import AI_TOOLKIT
from wd14.curation.trainers.diffusion_pipe import DIFFUSION_PIPE
from wd14.curation.trainers.kohya import KOHYA
from wd14.curation.trainers.onetrainer import ONETRAINER
from wd14.curation.trainers.sample_prompts import MOST_CAPTIONS, sample_prompts
from wd14.curation.trainers.training_set import Concept, Trainer, TrainingSet, balanced
from wd14.errors import ConfigError
from wd14.spelling import each_once, sentence_before
from wd14.text import count, printable, share
from wd14.types import Destination, RowReport, Summary

TRAINERS: Mapping[str, Trainer] = {
    "kohya": KOHYA,
    "onetrainer": ONETRAINER,
    "ai-toolkit": AI_TOOLKIT,
    "diffusion-pipe": DIFFUSION_PIPE,
}

#: Folder of the files in the dataset.
_HIDDEN = ".wd14"
#: Concepts or kinds of files that a line names.
_MOST_NAMED = 10


class TrainerFiles:
    """The files of one trainer for one dataset. Costs a few counts for each row, and a count for each folder.

    Args:
        config: the parameters, with a trainer.

    Raises:
        ConfigError: the trainer cannot read what the parameters ask for.
    """

    def __init__(self, config: CaptionConfig) -> None:
        self._config = config
        self._trainer = TRAINERS[config.trainer]
        if config.in_place:
            raise ConfigError(
                "Trainer (trainer) and In Place (in_place) are both set: a trainer's files belong to a new dataset."
                " Leave one of them out"
            )
        if self._trainer.only_txt and config.caption_extension != ".txt":
            raise ConfigError(
                f"Caption File Extension (caption_extension) is {config.caption_extension!r}, and"
                f" {self._trainer.title} reads captions from .txt files only: leave it at .txt"
            )
        self._triggers = tuple(each_once(config.trigger_words))  # as captions have them
        self._pictures: Counter[str] = Counter()  # by folder in the output
        self._unread: Counter[str] = Counter()  # by extension
        self._masks = 0
        self._captions = EvenSample[str](MOST_CAPTIONS)
        self._of_several_lines = self._with_sentences = 0

    def add(self, row: RowReport) -> None:
        """Counts one row that was written; others do not matter."""
        if row.name is None or row.caption is None:
            return
        folder, _, name = row.name.rpartition("/")
        if self._trainer.reads(name):
            self._pictures[folder] += 1
            caption = row.caption
            self._captions.add(lambda: caption)
            self._of_several_lines += "\n" in row.caption
            # Only captions that were there have sentences. (Tags with a full stop would pass for some.)
            if self._config.append_tags and sentence_before(self._config.caption_separator).search(row.caption):
                self._with_sentences += 1
        else:
            kind = name[name.rfind(".") :]
            if self._trainer.reads(f"a{kind}"):  # it is the rest of the name: a mask
                self._masks += 1
            else:
                self._unread[kind] += 1

    def added_to(self, destination: Destination) -> Destination:
        """The destination, with the trainer's files among those that are made when the dataset's name is final."""

        def files(name: str, summary: Summary, size: int) -> Mapping[str, str]:
            others = {} if destination.extra_files is None else destination.extra_files(name, summary, size)
            training = self._training_set(destination.parent / name)
            own = {} if training is None else self._trainer.files(training)
            return {**others, **{f"{_HIDDEN}/{file}": text for file, text in own.items()}}

        return replace(destination, extra_files=files)

    def closing_lines(self, output: Path) -> Iterator[str]:
        """What to do with the files of a dataset that is in its place, and which pictures the trainer does not read."""
        title = self._trainer.title
        training = self._training_set(output)
        if self._masks:
            yield f"Taken for masks by {title}: {count(self._masks, 'picture')} (by the end of the name, -masklabel)."
        if self._unread:
            kinds = ", ".join(f"{kind or 'none'} {number:,}" for kind, number in self._unread.most_common(_MOST_NAMED))
            unread = self._unread.total()
            total = unread + self._pictures.total()
            yield f"Not read by {title}: {share(unread, total, 'picture')} (endings: {kinds}). Save them as PNG."
        if self._of_several_lines and self._trainer.one_line:
            number = count(self._of_several_lines, "caption")
            yield f"Of several lines: {number}; {title} will train with one line of each."
        if self._with_sentences and self._trainer.shuffles:
            number = count(self._with_sentences, "caption")
            yield f"With sentences: {number}; {title} will shuffle no caption, since it would cut them at their commas."
        if training is None:
            yield f"No file for {title} was written, since none of the pictures can be read."
            return
        concepts = training.concepts
        listed = "; ".join(concept.in_words for concept in concepts[:_MOST_NAMED])
        more = f"; and {len(concepts) - _MOST_NAMED:,} more" if len(concepts) > _MOST_NAMED else ""
        yield f"{training.epoch()} {listed}{more}."
        yield from self._trainer.how_to_start(training)

    def _training_set(self, place: Path) -> TrainingSet | None:
        """The dataset at its place; None where there is nothing to train on."""
        config = self._config
        splits = [folder.partition("/")[0] for folder in self._pictures]
        if not splits:
            return None
        # The other splits are there to test with.
        beginning = "train/" if "train" in splits else f"{splits[0]}/"
        pictures = {
            folder.removeprefix(beginning): number
            for folder, number in self._pictures.items()
            if folder.startswith(beginning)
        }
        repeats = balanced(pictures)
        return TrainingSet(
            folder=place / _HIDDEN,
            name=printable(place.name),
            concepts=tuple(
                Concept(place / beginning / folder, number, repeats[folder]) for folder, number in pictures.items()
            ),
            trigger_words=self._triggers,
            separator=config.caption_separator,
            has_sentences=self._with_sentences > 0,
            caption_extension=config.caption_extension,
            max_tokens=config.max_tokens,
            prompts=sample_prompts(self._captions.items, self._triggers, config.caption_separator),
        )
