"""Checks a captioned dataset: reads its captions, looks at its pictures, says what is wrong. Nothing is written to it.

    source ─▶ captions, pictures (threads: hash, stored facts and scores, or the picture opened) ─▶ Checker ─▶ findings

Pictures whose facts are stored are not decoded. The model is never run, and never downloaded. A watcher sees the same
rows: `reviewing` makes the review page of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from wd14.check_settings import CheckSettings, settings_for
from wd14.curation.checks.checker import Checker
from wd14.curation.checks.expected import Expected
from wd14.curation.checks.finding import Finding, number_by_severity
from wd14.data.reader import Source, open_source
from wd14.errors import ConfigError, ModelError
from wd14.looking import LookedRow, Looking
from wd14.model.files.clip_vocabulary import clip_vocabulary_is_here
from wd14.model.files.find import find_here
from wd14.model.score_store.store import ScoreStore
from wd14.progress import ProgressMeter
from wd14.regular_files import mode_of
from wd14.similar_search import SimilarSearch
from wd14.stop import StopToken
from wd14.tagging import Tagging, find_tagging_here, models_of
from wd14.threads import BackgroundCall
from wd14.ticking import Ticker
from wd14.token_counting import clip_tokens
from wd14.types import Labels, Log, Progress, TokenCounter

if TYPE_CHECKING:
    from wd14.ensemble_rows import StoredScores
    from wd14.scale.run_check import StoredRun

R = TypeVar("R")


@dataclass(frozen=True)
class CheckReport:
    """What a check found.

    Attributes:
        dataset: as the caller named it.
        pictures: rows that were read.
        findings: the gravest first.
        remarks: lines about what could not be checked.
    """

    dataset: str
    pictures: int
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...] = ()

    @property
    def errors(self) -> int:
        """Findings that are errors."""
        return number_by_severity(self.findings)["error"]

    def as_json(self) -> dict[str, Any]:
        """The report, as JSON can hold it."""
        return {
            "dataset": self.dataset,
            "pictures": self.pictures,
            "numbers": dict(number_by_severity(self.findings)),
            "remarks": list(self.remarks),
            "findings": [finding.as_json() for finding in self.findings],
        }


def check_source(
    source: str | Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    log: Log = lambda _: None,
    progress: Callable[[Progress], None] = lambda _: None,
    stop: StopToken | None = None,
) -> CheckReport:
    """Checks a captioned dataset.

    Args:
        source: anything that can be captioned; captions come from its caption column, else from the text files beside
            its pictures.
        parameters: as `CaptionConfig` takes them, see `check_settings`; all splits are read unless `split` names one.
        log: is told what is left out while reading, and why.
        progress: is shown where the check stands, twice a second.
        stop: ends the check.

    Raises:
        SourceError: the dataset cannot be read.
        ConfigError: a parameter cannot have this value.
        ModelError: the model that the caller names cannot be used.
        ScaleError: the dataset is a run of `scale`, and not as a run writes it.
        JobStoppedError: a stop was asked for.
    """
    settings = settings_for(source, parameters or {})
    check = DatasetCheck(str(source), settings, log, progress, StopToken(stop))
    run = stored_run(str(source))
    return check.run() if run is None else check.run_stored(run)


def stored_run(dataset: str) -> StoredRun | None:
    """The run of `scale` that a dataset is; None where it is none.

    Raises:
        PlaceError: it cannot be read.
    """
    if "://" not in dataset and not mode_of(Path(dataset, "manifest.json")):
        return None
    from wd14.scale.run_check import run_at

    return run_at(dataset)


@dataclass(frozen=True)
class Known:
    """What a check has before the first row."""

    source: Source
    tagging: Tagging | Labels | None  #: what tags it, as far as it is here
    store: ScoreStore
    scores: StoredScores | None  #: of what tags it
    tokens: TokenCounter | None  #: where tokens are counted


class Watcher(Protocol):
    """Sees what a check sees; it wants thumbnails."""

    def begin(self, known: Known) -> None:
        """Told before the first row."""

    def original(self, digest: bytes) -> bytes:
        """From the sha256 of a picture to that of the one it was made from. Called by any thread."""

    def add(self, looked: LookedRow) -> None:
        """Takes the next row."""

    def end(self) -> None:
        """Told behind the last row."""


class DatasetCheck:
    """One check.

    Args:
        dataset: as the caller named it.
        settings: what is known of it.
        log: is told what is left out while reading, and why.
        progress: is shown where the check stands.
        stop: ends the check.
        watcher: sees every row as well.
    """

    def __init__(
        self,
        dataset: str,
        settings: CheckSettings,
        log: Log,
        progress: Callable[[Progress], None],
        stop: StopToken,
        *,
        watcher: Watcher | None = None,
    ) -> None:
        self._watcher = watcher
        self._dataset = dataset
        self._settings = settings
        self._config = settings.config
        self._log = log
        self._progress = progress
        self._stop = stop
        self._remarks = list(settings.remarks)
        self._search = SimilarSearch(self._config, self._remarks, log, self._stop)
        self._meter = ProgressMeter()
        self._ticker = Ticker(self._show, stop)
        self._done = self._failed = 0
        self._total: int | None = None

    def run(self) -> CheckReport:
        """Checks; raises as `check_source`."""
        config, watcher = self._config, self._watcher
        with ExitStack() as stack:
            stack.callback(self._stop.request, "the check has ended")
            source = self._wait_for(lambda: open_source(self._dataset, config, log=self._log))
            stack.enter_context(source)
            self._total = source.total
            store = ScoreStore.open(config.cache_path, log=self._log) if config.cache else ScoreStore.off()
            stack.enter_context(store)
            tagging = self._wait_for(self._tagging)
            labels, scores = self._labels_and_scores(tagging, store)
            published = tagging.model.thresholds if isinstance(tagging, Tagging) else None
            expected = self._settings.expected(labels, published)
            tokens = self._wait_for(lambda: self._token_counter(expected))
            checker = Checker(replace(expected, count_tokens=tokens), self._search)
            more: dict[str, Any] = {}
            if watcher is not None:
                watcher.begin(Known(source, tagging, store, scores, tokens))
                more = {"original": watcher.original, "with_thumbnails": True}
            rows = stack.enter_context(Looking(self._dataset, source, config, store, scores, **more))
            self._read_all(rows, checker, store)
            if watcher is not None:
                watcher.end()
            findings = self._wait_for(checker.findings)
        return CheckReport(self._dataset, len(checker), tuple(findings), tuple(self._remarks))

    def run_stored(self, run: StoredRun) -> CheckReport:
        """Checks what `scale` wrote, without a picture; raises as `check_source`."""
        tokens = self._wait_for(lambda: self._token_counter(self._settings.expected(None)))
        checked = self._wait_for(lambda: run.check(self._settings, tokens, self._tick))
        return CheckReport(self._dataset, checked.pictures, checked.findings, (*self._remarks, *checked.remarks))

    def _tick(self, done: int, total: int | None) -> None:
        self._done, self._total = done, total
        self._stop.check()

    def _tagging(self) -> Tagging | Labels | None:
        """What tags the dataset, as far as it is here.

        Raises:
            ConfigError: the models that the caller names do not make an ensemble.
            ModelError: a model that the caller names cannot be used.
        """
        config = self._config
        if config.adds_no_tags:
            return None
        try:
            found = find_tagging_here(config, stop=self._stop)
        except (ConfigError, ModelError) as error:
            if self._settings.given & {"generation_model", "custom_model", "ensemble"}:
                raise
            self._remarks.append(f"whether words are tags of the model: {error}")
            return None
        if found is None:
            missing = next(name for name in models_of(config) if find_here(name, stop=self._stop) is None)
            self._remarks.append(
                f"whether words are tags of the model: {missing} is not on this machine (wd14-captioner download"
                f" {missing}, or --generation-model with one that is)"
            )
        return found

    def _labels_and_scores(
        self, tagging: Tagging | Labels | None, store: ScoreStore
    ) -> tuple[Labels | None, StoredScores | None]:
        if not isinstance(tagging, Tagging):
            return tagging, None
        return tagging.model.labels, tagging.stored(store, self._config)

    def _token_counter(self, expected: Expected) -> TokenCounter | None:
        """What counts tokens. The vocabulary is fetched only for a limit that somebody asked for."""
        if not expected.max_tokens:
            return None
        if expected.asked_tokens or clip_vocabulary_is_here():
            return clip_tokens(log=self._log, stop=self._stop)
        self._remarks.append(
            "the number of tokens: CLIP's vocabulary is not on this machine (--max-tokens 75 fetches it)"
        )
        return None

    def _read_all(self, rows: Looking, checker: Checker, store: ScoreStore) -> None:
        for looked in self._ticker.each(rows.take):
            self._search.add(looked.row)
            checker.add(looked.checked)
            self._done += 1
            self._failed += looked.checked.error is not None
            if looked.has_new_facts and looked.checked.facts is not None:
                store.put_facts([(looked.checked.digest, looked.checked.facts)])
            if looked.has_new_thumbnail and looked.thumbnail is not None:
                store.put_thumbnails([(looked.checked.digest, looked.thumbnail)])
            if self._watcher is not None:
                self._watcher.add(looked)

    def _wait_for(self, make: Callable[[], R]) -> R:
        return self._ticker.wait_for(BackgroundCall(make, "wd14-check"))

    def _show(self, now: float) -> None:
        self._progress(
            self._meter.progress(done=self._done, total=self._total, failed=self._failed, from_scores=0, now=now)
        )
