"""The phase `score`: the pictures of a shard through the engine that `caption` has, into the shard's files."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import replace

from wd14.caption.captioner import Captioner
from wd14.data.cutting import open_shard
from wd14.data.writer import OutputRow
from wd14.errors import EmptySourceError, RowError
from wd14.finishing import Finisher
from wd14.places import Place
from wd14.scale.context import WorkerContext
from wd14.scale.manifest import read_pieces
from wd14.scale.marker import Marker
from wd14.scale.shard_file import RowRecord, sparse
from wd14.scale.shard_output import ShardOutput
from wd14.scale.staged_pictures import Staged, StagedPictures
from wd14.scale.summary import SummaryWriter
from wd14.scored_rows import ScoredRows
from wd14.ticking import Ticker
from wd14.types import DecodedRow, FinishedRow, RowReport, Status


def score_shard(context: WorkerContext, shard: int) -> Marker:
    """Scores a shard and writes its files; the marker is not written yet.

    Memory does not depend on the shard's size.

    Raises:
        SourceError: its files cannot be read, or have changed.
        ModelError: the tagger cannot be used.
        RowError: a row failed, and the run is to stop then.
        OSError: the output cannot be written.
        JobStoppedError: a stop was asked for.
    """
    labels, manifest, captioner = context.model.labels, context.manifest, context.captioner
    with ExitStack() as stack:
        files = stack.enter_context(ShardOutput(context.output, manifest, shard, labels))
        scored = _scored(context, shard, stack)
        summary = SummaryWriter(labels, manifest.study_every, shard * manifest.shard_rows)
        writer = _ShardRows(files, summary, captioner, stops=context.config.on_error == "stop")
        finish = Finisher(
            captioner,
            writer,
            context.config,
            context.edits,
            failed=writer.failed,
            scored_before=lambda _: False,
            listeners=[writer.write],
        )
        try:
            for rows in Ticker(lambda _: None, context.stop).each(scored.take):
                for row in rows:
                    finish(row)
                context.rows_done += len(rows)
        except EmptySourceError:
            pass  # such as an archive in which nobody put a picture: the others have some
        written = summary.write(context.output.summary(shard))
        return replace(files.finish(**scored.ran._asdict()), summary_sha256=written)


def _scored(context: WorkerContext, shard: int, stack: ExitStack) -> ScoredRows:
    """The rows of a shard with their scores; what they need goes with the stack."""
    manifest, config, say, stop = context.manifest, context.config, context.say, context.stop
    pieces = read_pieces(context.output, manifest, shard)
    pictures = stack.enter_context(StagedPictures()) if manifest.format == "webdataset" else None
    source = stack.enter_context(
        open_shard(Place(manifest.source), manifest.kind, pieces, config, columns=manifest.columns, log=say, stop=stop)
    )
    return stack.enter_context(
        ScoredRows(
            source,
            context.model,
            config,
            stop=stop,
            log=say,
            stage=(lambda *_: None) if pictures is None else pictures.stage,
            session=context.session,
            with_facts=True,
        )
    )


class _ShardRows:
    """Brings finished rows into the files of a shard."""

    def __init__(self, files: ShardOutput, summary: SummaryWriter, captioner: Captioner, *, stops: bool) -> None:
        self._files = files
        self._summary = summary
        self._captioner = captioner
        self._stops = stops
        self._kind = ""  # of the row's failure

    def failed(self, row: DecodedRow, error: RowError) -> str:
        """Notes what kind of failure it is, or raises it where the run is to stop; returns the reason."""
        if self._stops:
            raise type(error)(f"{row.input.label}: {error}") from error
        self._kind = error.kind
        return str(error)

    def add(self, row: OutputRow) -> str:
        """Rows are written when everything is known of them."""
        return row.input.name

    def report(self, row: RowReport) -> None:
        """See `add`."""

    def discard(self, staged: Staged) -> None:
        """Removes the picture of a row without a caption."""
        staged.remove()

    def write(self, finished: FinishedRow) -> None:
        """Writes a row."""
        row, report = finished.row, finished.report
        staged: Staged | None = row.staged if report.name is not None else None
        record = record_of(finished)
        scores = row.result.scores
        if scores is None or report.status in (Status.FAILED, Status.REJECTED):
            self._summary.skip(row.digest)
        else:
            self._summary.add(self._captioner.kept(scores), scores, name=record.id, digest=row.digest)
        self._files.add(
            record,
            picture=staged,
            kind=self._kind,
            too_long=finished.too_long,
            is_edited=any(finished.applied),
        )
        if staged is not None:
            staged.remove()


def record_of(finished: FinishedRow) -> RowRecord:
    """A finished row as a shard has it."""
    row, report = finished.row, finished.report
    facts, result = row.facts, row.result
    has_scores = result.error is None and result.scores is not None
    return RowRecord(
        id=row.input.key or row.input.source,
        status=report.status.value,
        sha256=row.digest.hex(),
        size=row.size,
        width=None if facts is None else facts.width,
        height=None if facts is None else facts.height,
        reason=report.reason,
        caption=report.caption,
        tags=None if report.caption is None else finished.tags,
        scores=sparse(result.scores) if has_scores and result.scores is not None else None,
        sharpness=None if facts is None else facts.sharpness,
        thumbnail=None if facts is None else facts.thumbnail,
        columns=json.dumps(row.input.columns, ensure_ascii=False),
        existing=row.input.caption,
    )
