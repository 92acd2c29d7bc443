"""Compares what a model says of a captioned dataset with its captions: precision, recall, F1, and better thresholds.

    source ─▶ scored rows (stored scores, else the model) ─▶ truth from captions and edits ─▶ histograms ─▶ result

Nothing is written to the dataset. Memory does not depend on the number of pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wd14.caption.styles import SINGLE_CATEGORIES
from wd14.caption.tag_thresholds import given_by_name
from wd14.caption.thresholds import TagSelector
from wd14.check_settings import settings_for
from wd14.checking import stored_run
from wd14.config import NO_MODEL, CaptionConfig
from wd14.data.reader import Source, open_source
from wd14.errors import ConfigError, RowError, SourceError
from wd14.evaluating_rows import ComparedRow, ComparedRows
from wd14.evaluation.histograms import KeptTally, ScoreHistograms
from wd14.evaluation.measures import Measures, measures
from wd14.evaluation.result import Result
from wd14.job_edits import JobEdits
from wd14.looking import root_of
from wd14.messages import command_in_words
from wd14.reported_rows import originals_of
from wd14.scale.link import RunLink
from wd14.stop import StopToken
from wd14.tagging import Tagging, find_tagging
from wd14.text import count
from wd14.threads import BackgroundCall
from wd14.truth import Truth, doubts
from wd14.types import UNUSED, FloatArray, Log, Progress, ScoringResult

#: Parameters that say which tags are kept: of the run that made the dataset, where they are for the same model.
_THRESHOLDS = frozenset(
    {
        *("thresh", "general_threshold", "character_threshold", "category_thresholds", "threshold_mode"),
        *("tag_thresholds", "ensemble", "ensemble_votes"),
    }
)
#: Parameters that say which model it is.
_MODEL = frozenset({"generation_model", "custom_model"})
#: Failed pictures that are named, and words that the model does not know.
_MOST_NAMED = 10


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        dataset: as the caller named it.
        model: its id or folder.
        thresholds: those in use, in words.
        pictures: that were compared.
        from_scores: of them those whose scores were stored.
        failed: pictures that could not be scored; the first of them, with why, are in `failures`.
        left_out: why other pictures were left out, with how many they are.
        not_counted: why some of the model's tags do not count, with how many they are.
        unknown: the most frequent words of captions that are no tag of the model, with the number of their captions.
        unknown_words: how many there are.
        remarks: lines about what the numbers are worth.
        result: the numbers.
        config: the parameters in use.
        own_thresholds: thresholds in use that a person set for single tags, as a file of `tag_thresholds` has them.
        models: of an ensemble, each model by itself at its own thresholds; what it does not know it does not find.
    """

    dataset: str
    model: str
    thresholds: str
    pictures: int
    from_scores: int
    failed: int
    failures: tuple[str, ...]
    left_out: Mapping[str, int]
    not_counted: Mapping[str, int]
    unknown: tuple[tuple[str, int], ...]
    unknown_words: int
    remarks: tuple[str, ...]
    result: Result
    config: CaptionConfig
    own_thresholds: Mapping[str, str]
    models: tuple[tuple[str, Measures], ...] = ()

    def command(self, source: str, thresholds: Path) -> str:
        """The command line that captions a dataset with the model and the thresholds in use, and with those of a file.

        Args:
            source: the dataset.
            thresholds: the file.
        """
        values = self.config.model_dump(mode="json", include=self.config.model_fields_set & (_MODEL | _THRESHOLDS))
        return command_in_words(source, CaptionConfig.from_values({**values, "tag_thresholds": str(thresholds)}))

    def as_json(self) -> dict[str, Any]:
        """The evaluation, as JSON can hold it."""
        keys = ("dataset", "model", "thresholds", "pictures", "from_scores", "failed")
        result = self.result
        return {
            **{key: getattr(self, key) for key in keys},
            "failures": list(self.failures),
            "left_out": dict(self.left_out),
            "not_counted": dict(self.not_counted),
            "unknown": {"words": self.unknown_words, "most_frequent": dict(self.unknown)},
            "remarks": list(self.remarks),
            "all": result.all.as_json(),
            "models": [{"model": name, **measured.as_json()} for name, measured in self.models],
            "unseen": None if result.unseen is None else result.unseen.as_json(),
            "categories": [group.as_json() for group in result.categories],
            "frequencies": [group.as_json() for group in result.frequencies],
            "category_thresholds": dict(result.category_thresholds()),
            "tags": [tag.as_json() for tag in result.tags()],
        }


def evaluate(
    source: str | Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    log: Log = lambda _: None,
    progress: Callable[[Progress], None] = lambda _: None,
    stop: StopToken | None = None,
) -> Evaluation:
    """Compares what a model says with the captions of a dataset.

    Pictures without stored scores go through the model, as in a job; the rest costs 0.2 ms a picture. Takes 3.2 KB of
    memory for each tag that is found.

    Args:
        source: anything that can be captioned, with its captions.
        parameters: as `CaptionConfig` takes them; those that are not given are those of the run that made the dataset,
            where that is known. All splits are read unless `split` names one.
        log: is told what is done, and what a person should know.
        progress: is shown where the work stands, twice a second.
        stop: ends it.

    Raises:
        SourceError: the dataset cannot be read, or has no captions.
        ConfigError: a parameter cannot have this value.
        ModelError: the model cannot be used.
        JobStoppedError: a stop was asked for.
    """
    if stored_run(str(source)) is not None:
        raise SourceError(
            f"{source} was written by `scale`: its shards hold captions and scores, and an evaluation wants pictures."
            " Evaluate a part of the source that `wd14-captioner caption` has captioned"
        )
    with ExitStack() as stack:
        stop = StopToken(stop)
        stack.callback(stop.request, "the evaluation has ended")
        link = RunLink(log, progress, stop)
        stack.callback(link.say_waiting)
        return _Evaluating(str(source), parameters or {}, link, stop).run()


class _Evaluating:
    """One evaluation; raises as `evaluate`."""

    def __init__(self, source: str, parameters: Mapping[str, Any], link: RunLink, stop: StopToken) -> None:
        self._source = source
        self._link = link
        self._stop = stop
        self._settings = settings_for(source, parameters)
        self._remarks = [*self._settings.remarks]
        run = self._run()
        self._config = _config(self._settings.config, run, parameters)
        if self._config.adds_no_tags:
            raise ConfigError(f"{NO_MODEL} adds no tag: name a model to evaluate (--generation-model)")
        self._remarks += doubts(run, self._config, Path(root_of(source)))
        self._pictures = self._from_scores = self._failed = 0
        self._failures: list[str] = []

    def _run(self) -> CaptionConfig | None:
        """The parameters of the run that made the dataset."""
        try:
            return self._settings.run
        except ConfigError as error:
            self._remarks.append(f"how these captions were made is not known: {error}")
            return None

    def run(self) -> Evaluation:
        config, link, stop = self._config, self._link, self._stop
        with ExitStack() as stack:
            finding = BackgroundCall(lambda: find_tagging(config, log=link.say, stop=stop), "wd14-model")
            edits = link.wait_for(BackgroundCall(lambda: JobEdits(config, self._source), "wd14-edits"))
            finding.start()
            source = link.wait_for(
                BackgroundCall(lambda: open_source(self._source, config, log=link.say), "wd14-source")
            )
            stack.enter_context(source)
            total = "" if source.total is None else f", {count(source.total, 'picture')}"
            link.say(f"Dataset: {source.name}{total}")
            tagging = link.wait_for(finding)
            model = tagging.model
            thresholds = tagging.thresholds_in_words(config)
            link.say(f"Model: {tagging.name} ({len(model.labels):,} tags). Thresholds: {thresholds}.")
            truth = link.wait_for(
                BackgroundCall(lambda: Truth(model.labels, config, self._settings, edits), "wd14-truth")
            )
            own = given_by_name(model.labels, config.tag_thresholds, without=(*SINGLE_CATEGORIES, UNUSED))
            tallies = [KeptTally(len(model.labels)) for _ in tagging.further and tagging.models]
            histograms, selector = self._compare(source, tagging, truth, tallies)
        if not histograms.pictures_of():
            raise SourceError(self._nothing(truth))
        link.say_all(edits.closing_lines())
        in_use = _thresholds(selector, len(model.labels))
        concluding = BackgroundCall(lambda: Result(model.labels, histograms, truth.counted, in_use), "wd14-result")
        return Evaluation(
            dataset=self._source,
            model=tagging.name,
            thresholds=thresholds,
            pictures=histograms.pictures_of(),
            from_scores=self._from_scores,
            failed=self._failed,
            failures=tuple(self._failures),
            left_out=truth.left_out,
            not_counted=truth.not_counted,
            unknown=tuple(truth.unknown.most_common(_MOST_NAMED)),
            unknown_words=len(truth.unknown),
            remarks=tuple(self._remarks),
            result=link.wait_for(concluding),
            config=config,
            own_thresholds=own,
            models=tuple(
                (each.id, measures(tally.tallied, truth.counted))
                for each, tally in zip(tagging.models, tallies, strict=False)
            ),
        )

    def _compare(
        self, source: Source, tagging: Tagging, truth: Truth, tallies: Sequence[KeptTally]
    ) -> tuple[ScoreHistograms, TagSelector]:
        """Goes over the dataset."""
        link = self._link
        histograms = ScoreHistograms(len(tagging.model.labels))
        originals = link.wait_for(BackgroundCall(self._originals, "wd14-report"))
        rows = ComparedRows(tagging, self._config, link, self._stop, lambda digest: originals.get(digest, digest))
        link.say_all(f"Note: {remark}" for remark in rows.selector.remarks)
        for compared in rows(source):
            self._add(compared, truth, histograms, tallies)
        return histograms, rows.selector

    def _originals(self) -> dict[bytes, bytes]:
        try:
            return originals_of(Path(root_of(self._source))) if self._settings.is_ours else {}
        except SourceError as error:
            self._remarks.append(f"pictures that were changed when they were saved are scored anew: {error}")
            return {}

    def _add(
        self, compared: ComparedRow, truth: Truth, histograms: ScoreHistograms, tallies: Sequence[KeptTally]
    ) -> None:
        self._pictures += 1
        row, scores = compared.row, compared.scores
        if scores is None:
            self._fail(row.input.label, row.result)
            return
        tags = truth.of(row)
        if tags is not None:
            kept = compared.kept
            histograms.add(scores, tags, kept[truth.counted[kept]], half=row.digest[0] & 1)
            for tally, own in zip(tallies, compared.by_models, strict=True):
                tally.add(tags, own[truth.counted[own]])
            self._from_scores += row.from_scores

    def _fail(self, label: str, result: ScoringResult) -> None:
        self._failed += 1
        if len(self._failures) < _MOST_NAMED:
            try:
                result.require_scores()
            except RowError as error:
                self._failures.append(f"{label}: {error}")

    def _nothing(self, truth: Truth) -> str:
        """Why there is nothing to compare."""
        if self._failed == self._pictures and self._failures:
            return f"not one picture could be scored; the first: {self._failures[0]}"
        why = ", ".join(f"{number:,} {reason}" for reason, number in truth.left_out.items())
        return (
            f"{self._source} has no captions that could be compared ({count(self._pictures, 'picture')}"
            f"{f': {why}' if why else ''}): an evaluation wants captions with tags that the model knows;"
            " --generation-model names another model, --caption-column the column of the captions, --caption-extension"
            " the text files beside the pictures"
        )


def _config(config: CaptionConfig, run: CaptionConfig | None, parameters: Mapping[str, Any]) -> CaptionConfig:
    """The caller's parameters; the thresholds of the run that made the dataset where the same model is asked.

    Args:
        config: the caller's parameters, and those of the run that any check takes.
        run: all parameters of the run; None = not known.
        parameters: the caller's.
    """
    kept = config.model_fields_set - (_THRESHOLDS - parameters.keys())
    values = config.model_dump(mode="json", include=kept)
    if run is not None:
        of_run = {"character_tag_expand"} | (_THRESHOLDS if run.model == config.model else frozenset())
        of_run &= run.model_fields_set - parameters.keys()
        values = run.model_dump(mode="json", include=of_run) | values
    return CaptionConfig.from_values(values)


def _thresholds(selector: TagSelector, tags: int) -> FloatArray:
    """Those in use, (T,); NaN for those that are another for each picture."""
    low, high = (selector.thresholds(np.full(tags, score, np.float32)) for score in (0, 1))
    return np.where(low == high, low, np.float32(np.nan))
