"""Runs one job: read, score, caption, write.

    source ─▶ scored rows (threads work ahead) ─▶ captions, in order (the caller's thread) ─▶ output

The dataset is read once more for each further model of an ensemble, and once more where it is to be studied first.

The caller's thread never waits longer than a tick, so a stop is obeyed also while a batch is slow.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wd14.caption.captioner import Captioner
from wd14.caption.editing import Editor
from wd14.config import CaptionConfig
from wd14.data.provenance import provenance
from wd14.data.reader import Source, open_source
from wd14.data.report import Tally
from wd14.data.writer import Sink
from wd14.finishing import Finisher
from wd14.host_link import HostLink
from wd14.hosts.base import Host
from wd14.hosts.local import LocalHost
from wd14.job_edits import JobEdits
from wd14.job_scores import JobScores
from wd14.messages import closing_lines, command_in_words
from wd14.output_place import open_sink
from wd14.passes import Passes
from wd14.stop import StopToken
from wd14.tagging import Tagging, find_tagging, with_whole_paths
from wd14.text import count
from wd14.threads import BackgroundCall
from wd14.token_counting import token_counter
from wd14.types import FinishedRow, Summary, TokenCounter, Written

if TYPE_CHECKING:
    from wd14.curation.trainers.collector import TrainerFiles
    from wd14.disagreement_pass import DisagreementPass
    from wd14.model.files.find import ModelFiles
    from wd14.result_check import ResultCheck
    from wd14.review_pass import ReviewPass
    from wd14.study_pass import Studied, StudyPass

logger = logging.getLogger("wd14")


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


def run_job(host: Host, *, dry_run: bool = False, save_plan: Path | None = None) -> Summary:
    """Runs the job that a host describes, and tells the host how it ended.

    Args:
        host: where the job runs.
        dry_run: stop when the plan is made and said; nothing is written.
        save_plan: a file that the plan is written to.

    Raises:
        CaptionerError: the job failed or was stopped; the host knows.
    """
    job: _Job | None = None
    try:
        job = _Job(host, CaptionConfig.from_values(host.settings()), dry_run=dry_run, save_plan=save_plan)
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

    def __init__(
        self, host: Host, config: CaptionConfig, *, dry_run: bool = False, save_plan: Path | None = None
    ) -> None:
        self.host = host
        self._config = config
        self._dry_run = dry_run
        self._save_plan = save_plan
        self._stop = StopToken(host.stop)
        self._started = time.monotonic()
        self._link = HostLink(host, self._stop, Tally())
        self._sink: Sink | None = None
        self._studied: Studied | None = None
        self._check: ResultCheck | None = None
        self._review: ReviewPass | None = None
        self._trainer = _trainer_files(config)
        self._wanted: str | None = None
        self._edits: JobEdits  # read when the source is known
        self._editor: Editor | None = None
        self._passes: Passes  # known with the source and the models
        self._disagreement: DisagreementPass | None = None

    def run(self) -> Summary:
        config, stop, link = self._config, self._stop, self._link
        with ExitStack() as stack:
            # The model is looked for while the source is looked over.
            finding = BackgroundCall(lambda: find_tagging(config, log=link.say, stop=stop), "wd14-model")
            counting = BackgroundCall(lambda: token_counter(config, log=link.say, stop=stop), "wd14-tokens")
            place = self.host.source(config)
            edits = self._edits = link.wait_for(BackgroundCall(lambda: JobEdits(config, place), "wd14-edits"))
            finding.start()
            counting.start()
            source = link.wait_for(BackgroundCall(lambda: open_source(place, config, log=link.say), "wd14-source"))
            stack.enter_context(source)
            link.begin_pass(Tally(), total=source.total)
            total = "" if source.total is None else f", {count(source.total, 'picture')}"
            link.say(f"Dataset: {source.name}{total}")
            tagging = link.wait_for(finding)
            link.say_all(tagging.opening_lines(config))
            self._editor = edits.editor(tagging.model.labels)
            studies = config.studies or self._dry_run or self._save_plan is not None
            self._passes = Passes(config, link, edits, source.total, models=len(tagging.models), studies=studies)
            several = studies or bool(tagging.further)
            kept = stack.enter_context(JobScores(config, several=several, needed=bool(tagging.further)))
            for model in tagging.further:
                self._score(model, tagging, source, kept)
            if studies:
                from wd14.study_pass import StudyPass

                study = StudyPass(tagging.model, self._config, place, save_as=self._save_plan)
                self._studied = self._study(study, tagging, source, kept, counting)
            if self._dry_run:
                link.say("Dry run: no dataset is written.")
                if edits.all is not None:
                    link.say("Above, pictures that the edits reject are left out, and other edits are not made.")
                return self._summary(tagging)
            summary, output = self._caption(source, tagging, kept, counting)
        link.say_all([*closing_lines(summary), *edits.closing_lines()])
        if self._wanted not in (None, output):
            link.say(f"{self._wanted} was there already and is untouched.")
        if self._trainer is not None:
            link.say_all(self._trainer.closing_lines(Path(output)))
        return summary

    def _score(self, model: ModelFiles, tagging: Tagging, source: Source, kept: JobScores) -> None:
        """Goes over the dataset with a further model of an ensemble, whose scores are kept."""
        self._passes.begin(model.id)
        more: dict[str, Any] = {"spare": kept.spare, "pictures": self._passes.total}
        with tagging.further_rows(model, source, self._config, stop=self._stop, log=self._link.say, **more) as rows:
            self._passes.look_over(rows, lambda row: row.result.require_scores())

    def _study(
        self,
        study: StudyPass,
        tagging: Tagging,
        source: Source,
        kept: JobScores,
        counting: BackgroundCall[TokenCounter | None],
    ) -> Studied:
        """Goes over the dataset once, and says what the plan is."""
        self._passes.begin(tagging.models[0].id)
        more: dict[str, Any] = {"spare": kept.spare, "pictures": self._passes.total}
        if self._config.review and not self._config.in_place and not self._dry_run:
            from wd14.review_pass import thumbnails_ahead

            more["thumbnails"] = thumbnails_ahead(self._passes.total)
        with tagging.rows(source, self._config, stop=self._stop, log=self._link.say, **more) as rows:
            self._passes.look_over(rows, study.add)
        tokens = self._link.wait_for(counting)
        studied = self._link.wait_for(BackgroundCall(lambda: study.conclude(source.name, tokens), "wd14-plan"))
        self._link.say_all(studied.lines())
        return studied

    def _caption(
        self, source: Source, tagging: Tagging, kept: JobScores, counting: BackgroundCall[TokenCounter | None]
    ) -> tuple[Summary, str]:
        """Goes over the dataset and writes it; returns how it ended, and where the result is."""
        link, studied, passes = self._link, self._studied, self._passes
        config, model = self._config, tagging.model
        with ExitStack() as stack:
            added_to = None if self._trainer is None else self._trainer.added_to
            sink, self._wanted = open_sink(self.host, config, source.name, added_to, log=link.say, tick=link.tick)
            self._sink = sink
            stack.callback(sink.abandon)
            review = self._review = self._review_pass(sink, source)
            passes.begin(tagging.models[0].id, writes=True)
            more: dict[str, Any] = {"pictures": passes.total, "spare": kept.spare}
            if studied is not None:
                more["with_facts"] = True
            if review is not None and review.thumbnails is not None:
                more |= {"with_facts": True, "thumbnails": review.thumbnails}
            curation = None if studied is None else studied.curation
            if tagging.combiner is not None:
                from wd14.disagreement_pass import DisagreementPass

                self._disagreement = DisagreementPass(tagging, config, curation)
                more["each_model"] = self._disagreement.hear
            scored = tagging.rows(source, config, stop=self._stop, log=link.say, stage=sink.stage, **more)
            rows = stack.enter_context(scored)
            # Pictures and the model are being opened from here on: the captioner takes its time meanwhile.
            tokens = link.wait_for(counting)
            more = {"published": model.thresholds, "curation": curation, "tokens": tokens, "editor": self._editor}
            captioner = Captioner(model.labels, config, **more)
            for remark in captioner.remarks:
                link.say(f"Note: {remark}")
            if studied is not None:
                self._check = studied.check(model, tokens)
            if review is not None:
                review.begin(model, config, curation, tokens)
            passes.write(rows, self._finisher(captioner, sink))
            summary = self._summary(tagging)
            if self._disagreement is not None:
                summary = replace(summary, disagreement=self._disagreement.conclude())
            notes = {} if studied is None else self._notes(studied)
            if self._edits.all is not None:
                notes["edits"] = self._edits.all.text
            made = self._provenance(source, tagging, summary)
            if review is not None:
                beside = (notes, self._edits.all, summary.disagreement)
                writing = BackgroundCall(lambda: review.write(made, *beside), "wd14-review")
                link.say_all(link.wait_for(writing))
            output = sink.finish(summary, made, notes)
            return replace(summary, seconds=self._seconds(), output=output, written=sink.written()), output

    def _finisher(self, captioner: Captioner, sink: Sink) -> Finisher:
        trainer, check = self._trainer, self._check
        listeners: list[Callable[[FinishedRow], None]] = [self._count, self._edits.note]
        if trainer is not None:
            listeners.append(lambda finished: trainer.add(finished.report))
        if check is not None:
            listeners.append(check.add)
        if self._disagreement is not None:
            listeners.append(self._disagreement.add)
        if self._review is not None:
            listeners.append(self._review.add)
        return Finisher(
            captioner,
            sink,
            self._config,
            self._edits,
            failed=self._passes.failed,
            scored_before=lambda row: row not in self._passes.scored_now,
            listeners=listeners,
        )

    def _review_pass(self, sink: Sink, source: Source) -> ReviewPass | None:
        """What collects the rows for the review page, where there is to be one."""
        if not self._config.review or sink.hidden_folder is None:
            return None
        from wd14.review_pass import ReviewPass

        return ReviewPass(sink.hidden_folder, Path(self._wanted or source.name).name, source.total)

    def _count(self, finished: FinishedRow) -> None:
        more = {"too_long": finished.too_long, "is_edited": any(finished.applied)}
        self._passes.tally.add(finished.report, finished.row.input.label, finished.tags, **more)

    def _notes(self, studied: Studied) -> dict[str, Any]:
        """What lies beside a dataset that was studied."""
        notes: dict[str, Any] = {"plan": studied.plan.to_json()}
        if self._check is not None:
            notes["findings"], line = self._link.wait_for(BackgroundCall(self._check.conclude, "wd14-check"))
            self._link.say(line)
        return notes

    def _summary(self, tagging: Tagging) -> Summary:
        config = self._config
        return self._passes.tally.summary(
            seconds=self._seconds(),
            output=None,
            **self._passes.ran._asdict(),
            model=tagging.name,
            thresholds=tagging.thresholds_in_words(config),
            caption_column=config.caption_column,
        )

    def written(self) -> Written:
        """What is there to stay, whatever becomes of the job."""
        return Written() if self._sink is None else self._sink.written()

    def _provenance(self, source: Source, tagging: Tagging, summary: Summary) -> dict[str, Any]:
        return provenance(
            with_whole_paths(self._config),
            summary,
            source=source.name,
            command=command_in_words(str(self.host.source(self._config)), self._config),
            model=tagging.provenance(self._config),
        )

    def _seconds(self) -> float:
        return time.monotonic() - self._started

    def end(self) -> None:
        """Tells what still runs in threads that the job is over, and says what they said."""
        self._stop.request("the job has ended")
        self._link.say_waiting()


def _trainer_files(config: CaptionConfig) -> TrainerFiles | None:
    if config.trainer == "none":
        return None
    from wd14.curation.trainers.collector import TrainerFiles

    return TrainerFiles(config)
