"""The rows of an evaluation, with what one model or several keep of each.

Of an ensemble thresholds are looked for among scores that are not calibrated: a tag's own threshold (`tag_thresholds`)
is the same for each model, and keeps the tag where enough of them reach it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wd14.caption.styles import styled
from wd14.caption.thresholds import TagSelector
from wd14.config import CaptionConfig
from wd14.data.reader import Source
from wd14.ensemble.votes import Combiner
from wd14.job_scores import JobScores
from wd14.passes import ScoredNow
from wd14.scale.link import RunLink, Standing
from wd14.stop import StopToken
from wd14.tagging import Tagging
from wd14.types import DecodedRow, FloatArray, IndexArray

#: A threshold at which no score is moved: the same for all models.
_ANY = np.float32(0.5)


@dataclass(slots=True)
class ComparedRow:
    """A row with what is kept of it; positions are those of `Tagging.model`, ascending."""

    row: DecodedRow
    scores: FloatArray | None = None  #: those that thresholds are compared with; None = the row failed
    kept: IndexArray = field(default_factory=lambda: np.empty(0, np.intp))
    by_models: Sequence[IndexArray] = ()  #: what each model of an ensemble keeps by itself


class ComparedRows:
    """Goes over a dataset, once for each model.

    Args:
        tagging: one model, or an ensemble.
        config: the parameters.
        link: shows where the work stands.
        stop: ends it.
        original: from the sha256 of a picture to that of the one it was made from.

    Attributes:
        selector: says what is kept.

    Raises:
        ConfigError: the thresholds do not suit the model.
    """

    def __init__(
        self,
        tagging: Tagging,
        config: CaptionConfig,
        link: RunLink,
        stop: StopToken,
        original: Callable[[bytes], bytes],
    ) -> None:
        self._tagging = tagging
        self._config = config
        self._link = link
        self._more: dict[str, Any] = {"stop": stop, "log": link.say, "original": original}
        model = tagging.model
        self.selector = TagSelector(model.labels, styled(config), model.thresholds)
        self._own: Sequence[FloatArray] = () if tagging.combiner is None else tagging.combiner.own
        self._unmoved: Combiner | None = None
        if tagging.combiner is not None:
            same = [np.full(len(each.labels), _ANY) for each in tagging.models]
            self._unmoved = Combiner(tagging.combiner.vocabulary, same, tagging.combiner.votes)
        self._scored_now = ScoredNow()  # by a further model
        self._each: dict[int, tuple[FloatArray, Sequence[IndexArray]]] = {}  # by the position of a row

    def __call__(self, source: Source) -> Iterator[ComparedRow]:
        """The rows, in order.

        Raises:
            JobStoppedError: a stop was asked for.
            Exception: whatever ended the rows, or the opening of a model.
        """
        tagging, more = self._tagging, {**self._more, "pictures": source.total}
        with ExitStack() as stack:
            kept = stack.enter_context(JobScores(self._config, several=bool(tagging.further), needed=True))
            config, more["spare"] = self._config, kept.spare
            models = len(tagging.models)
            for number, model in enumerate(tagging.further, 1):
                name = f"Model {number} of {models}"
                self._link.say(f"{name}: {model.id}")
                with tagging.further_rows(model, source, config, **more) as rows:
                    for row in self._each_row(name, source, rows.take):
                        self._scored_now.note(row)
            name = f"Model {models} of {models}" if tagging.further else "Evaluate"
            if tagging.further:
                more["each_model"] = self._note
                self._link.say(f"{name}: {tagging.models[0].id}")
            with tagging.rows(source, config, **more) as rows:
                yield from map(self._compared, self._each_row(name, source, rows.take))

    def _each_row(self, name: str, source: Source, take: Callable[[float], list[DecodedRow]]) -> Iterator[DecodedRow]:
        done = failed = 0
        self._link.begin(name, lambda: Standing(done, source.total, failed))
        for group in self._link.each(take):
            for row in group:
                yield row
                done += 1
                failed += row.result.error is not None
        self._link.end()

    def _note(self, row: DecodedRow, scores: Sequence[FloatArray]) -> None:
        """Takes the scores of each model, before they are combined."""
        if self._tagging.combiner is None or self._unmoved is None:
            return
        vocabulary = self._tagging.combiner.vocabulary
        by_models = []
        for own, places, thresholds in zip(scores, vocabulary.places, self._own, strict=True):
            kept = np.unique(places[np.flatnonzero(own >= thresholds)])
            by_models.append(kept[kept < len(vocabulary.labels)])
        self._each[row.input.index] = self._unmoved(scores), by_models

    def _compared(self, row: DecodedRow) -> ComparedRow:
        unmoved = self._each.pop(row.input.index, None)
        if row.result.error is not None or row.result.scores is None:
            return ComparedRow(row)
        if row.input.index in self._scored_now:
            row.from_scores = False
        scores, by_models = (row.result.scores, ()) if unmoved is None else unmoved
        return ComparedRow(row, scores, self.selector.tags(row.result.scores), by_models)
