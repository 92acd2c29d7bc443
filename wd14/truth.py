"""The captions of a dataset as truth: which of a model's tags each picture has, after a person's edits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from wd14.caption.known_tags import KnownTagReader
from wd14.caption.styles import SINGLE_CATEGORIES
from wd14.check_settings import CheckSettings
from wd14.config import CaptionConfig
from wd14.evaluation.histograms import Flags
from wd14.job_edits import JobEdits
from wd14.messages import AND
from wd14.regular_files import mode_of
from wd14.spelling import folded
from wd14.types import UNUSED, DecodedRow, IndexArray, Labels

#: Different words that are no tags of the model, of which the captions are counted.
_MOST_WORDS = 100_000
#: Parameters of a run whose captions lack tags that their pictures have.
_LEAVING_OUT = ("max_tags", "max_tokens", "implications", "remove_implied_tags")


class Truth:
    """Reads the captions of a dataset, row by row.

    Args:
        labels: the tags that are looked for.
        config: says how captions are written.
        settings: what is known of the dataset.
        edits: a person's.

    Attributes:
        counted: which tags are compared at all, (T,).
        not_counted: why others are not, with how many they are.
        left_out: why pictures are left out, with how many they are.
        unknown: words of captions that are no tag of the model, `folded`, with the number of their captions.

    Raises:
        ConfigError: an edit does not suit the captions.
    """

    def __init__(self, labels: Labels, config: CaptionConfig, settings: CheckSettings, edits: JobEdits) -> None:
        self._reader = KnownTagReader(labels, config)
        self._edits = edits
        self._editor = edits.editor(labels)
        self._triggers = frozenset(map(folded, config.trigger_words))
        self.left_out: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        self.not_counted: dict[str, int] = {}
        self.counted: Flags = np.array([category not in (*SINGLE_CATEGORIES, UNUSED) for category in labels.categories])
        reader = self._reader
        self._do_not_count(reader.unreadable, "written as other tags are, or not at all")
        self._do_not_count(reader.named(config.trigger_words), "among the trigger words")
        entries = (*config.undesired_tags, *config.fold_tags, *settings.planned)
        self._do_not_count(reader.matching(entries), "left out of all captions on purpose")

    def _do_not_count(self, tags: IndexArray, why: str) -> None:
        if number := int(self.counted[tags].sum()):
            self.not_counted[why] = number
            self.counted[tags] = False

    def of(self, row: DecodedRow) -> IndexArray | None:
        """The tags that count, ascending; None = the picture is left out. Rows come in the order of the source."""
        edits, all_edits = self._edits.of(row), self._edits.all
        caption = row.input.caption
        applied: tuple[bool, ...] = ()
        if self._editor is not None and edits.edits and not edits.rejected:
            caption, applied = self._editor(caption or "", edits.edits)
        if all_edits is not None:
            all_edits.note(row.digest, applied, rejected=edits.rejected)
        if edits.rejected:
            self.left_out["rejected by the edits"] += 1
            return None
        if caption is None:
            self.left_out["without a caption"] += 1
            return None
        known = self._reader(caption)
        self._count_unknown(known.others)
        if not known.tags.size:
            self.left_out["whose captions have no tag of the model"] += 1
            return None
        return known.tags[self.counted[known.tags]]

    def _count_unknown(self, words: tuple[str, ...]) -> None:
        for word in words:
            if word not in self._triggers and (word in self.unknown or len(self.unknown) < _MOST_WORDS):
                self.unknown[word] += 1


def doubts(run: CaptionConfig | None, config: CaptionConfig, folder: Path) -> Iterator[str]:
    """Why the captions of a dataset may be no truth, for a person.

    Args:
        run: the parameters of the run that made them; None = not known.
        config: the parameters, with the edits that are made before.
        folder: of the dataset.
    """
    edits = folder / ".wd14" / "edits.json"
    if mode_of(edits) and not config.edits and (run is None or not run.edits):
        yield f"corrections of these captions are in {edits}, and were not made in them (--edits {edits})"
    elif run is not None and not (run.adds_no_tags or config.edits or run.edits or run.append_tags):
        models = AND.join((run.model, *run.ensemble))
        yield (
            f"these captions were written by {models}, and no edits were made in them: where nobody corrected them, a"
            " model is compared with itself, and its thresholds with themselves (--edits FILE: what the review page"
            " saves)"
        )
    if run is None:
        return
    if made := [str(CaptionConfig.model_fields[key].title) for key in _LEAVING_OUT if getattr(run, key)]:
        yield (
            f"the run that made these captions left out tags of them ({', '.join(made)}): these count as wrong where a"
            " model finds them"
        )


def in_words(numbers: Mapping[str, int], noun: str) -> str:
    """`2 pictures without a caption, 1 picture rejected by the edits`."""
    return ", ".join(f"{number:,} {noun if number == 1 else noun + 's'} {why}" for why, number in numbers.items())
