"""Runs one job: read, score, caption, write.

    source ─▶ scored rows (threads work ahead) ─▶ captions, in order (the caller's thread) ─▶ output

The caller's thread never waits longer than a tick, so a stop is obeyed also while a batch is slow.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from wd14.caption.captioner import Captioner
from wd14.config import CaptionConfig
from wd14.curation.trainers.collector import TrainerFiles
from wd14.data.provenance import provenance
from wd14.data.reader import Source, open_source
from wd14.data.report import Tally
from wd14.data.sidecar import SidecarWriter
from wd14.data.writer import DatasetWriter, OutputRow, Sink
from wd14.errors import AllRowsFailedError, EmptySourceError, RowError
from wd14.hosts.base import Host
from wd14.hosts.local import LocalHost
from wd14.messages import closing_lines, opening_lines, thresholds_in_words
from wd14.model.files.find import ModelFiles, find_model
from wd14.progress import ProgressMeter
from wd14.scored_rows import ScoredRows
from wd14.stop import StopToken
from wd14.text import count, printable
from wd14.threads import BackgroundCall, Exhausted
from wd14.token_counting import token_counter
from wd14.types import DecodedRow, RowReport, Status, Summary, Written

R = TypeVar("R")

logger = logging.getLogger("wd14")

#: How often (seconds) the host sees progress and a stop is looked for.
TICK = 0.5


def caption_dataset(
    source: str | Path,
    config: CaptionConfig | None = None,
    *,
    output: str | Path | None = None,
    host: Host | None = None,
) -> Summary:
    """Captions a dataset.

    Args:
        source: a folder of images, an imagefolder with metadata, parquet or arrow files, a webdataset tar, a folder
            of `Dataset.save_to_disk`, or a hub dataset id.
        config: the parameters; None = all defaults.
        output: folder that the result is to appear as; an existing one is left alone and the next free name taken.
        host: where the job runs; None = here, with its lines going to the logger `wd14`.

    Returns:
        How it ended. Rows may have failed: `Summary.failed`.

    Raises:
        CaptionerError: the job could not be done. No dataset was written; text files that it wrote in place stay.
    """
    if host is None:
        host = LocalHost(source, {}, output, say=logger.info)
    return _run(_Job(host, config or CaptionConfig()))


def run_job(host: Host) -> Summary:
    """Runs the job that a host describes, and tells the host how it ended.

    Raises:
        CaptionerError: the job failed or was stopped; the host knows.
    """
    job: _Job | None = None
    try:
        job = _Job(host, CaptionConfig.from_values(host.settings()))
        return _run(job)
    except BaseException as error:
        host.fail(error, Written() if job is None else job.written())
        raise


def _run(job: _Job) -> Summary:
    try:
        summary = job.run()
    finally:
        job.end()
    job.host.finish(summary)
    return summary


class _Job:
    """One run, from its config to its summary."""

    def __init__(self, host: Host, config: CaptionConfig) -> None:
        self.host = host
        self._config = config
        self._stop = StopToken(host.stop)
        self._tally = Tally()
        self._started = time.monotonic()
        self._meter = ProgressMeter()
        self._next_tick = 0.0
        self._sink: Sink | None = None
        self._trainer = None if config.trainer == "none" else TrainerFiles(config)
        self._total: int | None = None
        self._wanted: str | None = None
        self._thread = threading.get_ident()
        self._lines: deque[str] = deque()  #: said by other threads: the host hears them from its own

    def say(self, line: str) -> None:
        """Says a line, from any thread; names of files and tags in it cannot do anything to a terminal."""
        self._lines.append(printable(line))
        if threading.get_ident() == self._thread:
            self._say_lines()

    def run(self) -> Summary:
        config, stop = self._config, self._stop
        with ExitStack() as stack:
            # The model is looked for while the source is looked over.
            finding = BackgroundCall(lambda: find_model(config.model, log=self.say, stop=stop), "wd14-model")
            counting = BackgroundCall(lambda: token_counter(config, log=self.say, stop=stop), "wd14-tokens")
            place = self.host.source(config)
            finding.start()
            counting.start()
            source = self._wait_for(BackgroundCall(lambda: open_source(place, config, log=self.say), "wd14-source"))
            stack.enter_context(source)
            self._total = source.total
            total = "" if source.total is None else f", {count(source.total, 'picture')}"
            self.say(f"Dataset: {source.name}{total}")
            model = self._wait_for(finding)
            self._say_all(opening_lines(config, model.labels, model.thresholds, config.model))
            sink = self._sink = self._open_sink(source)
            stack.callback(sink.abandon)
            rows = stack.enter_context(ScoredRows(source, model, config, stop=stop, log=self.say, stage=sink.stage))
            # Pictures and the model are being opened from here on: the captioner takes its time meanwhile.
            tokens = self._wait_for(counting)
            captioner = Captioner(model.labels, config, published=model.thresholds, tokens=tokens)
            for remark in captioner.remarks:
                self.say(f"Note: {remark}")
            self._caption_all(rows, captioner, sink)
            self._check_any()
            summary = self._tally.summary(
                seconds=self._seconds(),
                output=None,
                device=rows.device,
                model=config.model,
                thresholds=thresholds_in_words(config, model.labels, model.thresholds),
                caption_column=config.caption_column,
            )
            output = sink.finish(summary, self._provenance(source, model, summary))
            summary = replace(summary, seconds=self._seconds(), output=output, written=sink.written())
        self._say_all(closing_lines(summary))
        if self._wanted not in (None, output):
            self.say(f"{self._wanted} was there already and is untouched.")
        if self._trainer is not None:
            self._say_all(self._trainer.closing_lines(Path(output)))
        return summary

    def written(self) -> Written:
        """What is there to stay, whatever becomes of the job."""
        return Written() if self._sink is None else self._sink.written()

    def _say_all(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.say(line)

    def _provenance(self, source: Source, model: ModelFiles, summary: Summary) -> dict[str, Any]:
        return provenance(
            self._config,
            summary,
            source=source.name,
            model={"id": self._config.model, "identity": model.identity, "published": dict(model.thresholds)},
        )

    def _seconds(self) -> float:
        return time.monotonic() - self._started

    def _open_sink(self, source: Source) -> Sink:
        """Where the rows go; `self._wanted` is the place that was asked for."""
        config = self._config
        if config.in_place:
            return SidecarWriter(
                Path(self.host.source(config)).expanduser(),
                extension=config.caption_extension,
                append=config.append_tags,
                follow_symlinks=config.follow_symlinks,
            )
        destination = self.host.destination(config, source.name)
        self._wanted = str(destination.parent / destination.name)
        if self._trainer is not None:
            destination = self._trainer.added_to(destination)
        return DatasetWriter(
            destination,
            caption_column=config.caption_column,
            caption_files=config.text_files,
            log=self.say,
            tick=self._tick,
        )

    def _caption_all(self, scored: ScoredRows, captioner: Captioner, sink: Sink) -> None:
        self._tick()
        while True:
            try:
                rows = scored.take(timeout=TICK / 2)
            except TimeoutError:
                self._tick()
                continue
            except Exhausted:
                break
            for row in rows:
                self._finish_row(row, captioner, sink)
                self._tick()
        self._next_tick = 0.0
        self._tick()

    def _finish_row(self, row: DecodedRow, captioner: Captioner, sink: Sink) -> None:
        source_row = row.input
        caption = name = None
        tags: list[str] = []
        too_long = False
        status, reason = Status.FAILED, None
        try:
            made = captioner(row.result.require_scores(), source_row.caption)
            if too_long := made.tokens is not None and made.tokens > self._config.max_tokens:
                row.notes.append(f"{made.tokens:,} tokens; the limit is {self._config.max_tokens:,}")
            scores = tuple(made.scores().items()) if self._config.include_scores else None
            name = sink.add(OutputRow(input=source_row, caption=made.text, staged=row.staged, scores=scores))
            caption = made.text
            tags = [tag for tag, _ in made.tags]
            status = Status.FROM_SCORES if row.from_scores else Status.CAPTIONED
        except RowError as error:
            if self._config.on_error == "stop":
                raise type(error)(f"{source_row.label}: {error}") from error
            if row.staged is not None:
                sink.discard(row.staged)
            reason = str(error)
            self.say(f"Failed: {source_row.label}: {reason}")
        report = RowReport(
            source_row.index, source_row.source, status, source_row.name, name, caption, reason, tuple(row.notes)
        )
        sink.report(report)
        self._tally.add(report, source_row.label, tags, too_long=too_long)
        if self._trainer is not None:
            self._trainer.add(report)

    def end(self) -> None:
        """Tells what still runs in threads that the job is over, and says what they said."""
        self._stop.request("the job has ended")
        self._say_lines()

    def _wait_for(self, deferred: BackgroundCall[R]) -> R:
        """What is being made in a thread, since it may take long: the job can be stopped meanwhile."""
        deferred.start()
        while not deferred.wait(TICK / 2):
            self._tick()
        return deferred.result()

    def _say_lines(self) -> None:
        while self._lines:
            self.host.log(self._lines.popleft())

    def _tick(self) -> None:
        """Raises when the job is to stop; shows progress about twice a second."""
        now = time.monotonic()
        if now >= self._next_tick:
            self._next_tick = now + TICK
            self._show_progress(now)
        self._stop.check()

    def _show_progress(self, now: float) -> None:
        self._say_lines()
        tally = self._tally
        self.host.progress(
            self._meter.progress(
                done=tally.done, total=self._total, failed=tally.failed, from_scores=tally.from_scores, now=now
            )
        )

    def _check_any(self) -> None:
        tally = self._tally
        if tally.done == 0:
            raise EmptySourceError("the dataset holds no pictures")
        if tally.failed == tally.done:
            source, reason = tally.failures[0]  # the others were said when they failed
            raise AllRowsFailedError(
                f"none of {count(tally.done, 'picture')} could be captioned; the first: {source}: {reason}"
            )
