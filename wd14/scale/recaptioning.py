"""The phases `caption` and `plan`: the captions of a shard made again from its stored scores. No picture is looked at.

    caption   a shard of an earlier run becomes one of this run
    plan      a shard of this run is written again in its place, with the plan of the dataset

Memory does not depend on the shard's size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from wd14.data.pieces import Piece
from wd14.errors import PlaceError, RowError, ScaleError, ScoringError, SourceChangedError, SourceError
from wd14.places import Place
from wd14.run_folder import temporary_folder
from wd14.scale.archive import ArchivePictures
from wd14.scale.context import WorkerContext
from wd14.scale.manifest import read_manifest, read_pieces
from wd14.scale.marker import Marker, read_marker
from wd14.scale.output import Output, shard_of
from wd14.scale.shard_file import RowRecord, ShardFile
from wd14.scale.shard_output import ShardOutput
from wd14.scale.summary import SummaryWriter
from wd14.types import Edit, Status

#: What is read of a stored row: captions and their tags are made anew.
_WANTED = RowRecord.__dataclass_fields__.keys() - {"caption", "tags"}
#: Bytes that are hashed at once.
_STEP = 1 << 20
#: Rows between two looks at whether a stop was asked for.
_LOOK = 256
_WITHOUT_REASON = "it was rejected before it was scored: begin again from the pictures"
_WITHOUT_PICTURE = "it was rejected before, so its picture is not in the archive: begin again from the pictures"


def caption_shard(context: WorkerContext, shard: int) -> Marker:
    """Writes a shard's files with captions made anew; the marker is not written yet.

    Rows that failed stay failed. What a person's edits reject is decided anew.

    Raises:
        SourceError: the stored shard has gone, has changed or is damaged.
        ScaleError: the run's own shard is.
        RowError: a row failed, and the run is to stop then.
        OSError: the output cannot be written.
        JobStoppedError: a stop was asked for.
    """
    if context.phase == "plan":
        return _plan(context, shard)
    return _caption(context, shard)


def _caption(context: WorkerContext, shard: int) -> Marker:
    manifest = context.manifest
    (piece,) = read_pieces(context.output, manifest, shard)
    source = Output(Place(manifest.source))
    before = _marker_of(source, piece)
    labels = context.model.labels
    summary = SummaryWriter(labels, manifest.study_every, piece.begin)
    with ExitStack() as stack:
        path = stack.enter_context(_here(source.root / piece.file, piece, context))
        rows = stack.enter_context(_shard_file(path, context, before))
        pictures = None
        if manifest.format == "webdataset":
            place = source.archive(before.shard)
            with _source_errors(place):
                pictures = ArchivePictures(stack.enter_context(place.open()), place)
        files = stack.enter_context(ShardOutput(context.output, manifest, shard, labels))
        _Rows(context, files, pictures, summary).write_all(rows)
        marker = files.finish()
    written = summary.write(context.output.summary(shard))
    return replace(marker, reasons=_reasons(before, marker), summary_sha256=written)


def _plan(context: WorkerContext, shard: int) -> Marker:
    output, manifest = context.output, context.manifest
    first = manifest.phases[0]
    try:
        before = read_marker(output, manifest, first, shard)
    except FileNotFoundError as error:
        raise ScaleError(f"{output.marker(first, shard)} has gone: run the same command again") from error
    with ExitStack() as stack:
        rows = stack.enter_context(_shard_file(output.rows(shard), context, before))
        pictures = None
        if manifest.format == "webdataset":
            archive = output.archive(shard)
            pictures = ArchivePictures(stack.enter_context(archive.open()), archive)
        files = stack.enter_context(ShardOutput(output, manifest, shard, context.model.labels))
        _Rows(context, files, pictures).write_all(rows)
        marker = files.finish(device=before.device, precision=before.precision)
    return replace(marker, reasons=_reasons(before, marker), summary_sha256=before.summary_sha256)


def _marker_of(source: Output, piece: Piece) -> Marker:
    """The marker of a stored shard.

    Raises:
        SourceError: it cannot be read, or is another run's.
    """
    place = source.marker("score", shard_of(piece.file.rpartition("/")[2]))
    with _source_errors(place):
        manifest = read_manifest(source)
        marker = Marker.from_bytes(place.read(), place=str(place))
    if manifest is None or marker.manifest != manifest.hash:
        raise SourceError(f"{place} belongs to another run than the manifest.json of {source.root}")
    return marker


@contextmanager
def _source_errors(place: Place) -> Iterator[None]:
    """Says of what cannot be read that it is the source's, or it would be taken for the output's."""
    try:
        yield
    except FileNotFoundError as error:
        raise SourceError(f"{place} has gone: put it back, or run the command that made it again") from error
    except (OSError, PlaceError) as error:
        raise SourceError(f"{place} cannot be read: {error}") from error


@contextmanager
def _here(place: Place, piece: Piece, context: WorkerContext) -> Iterator[Place]:
    """A stored shard on this machine, whose sha256 is the one that it had when the run was planned."""
    with ExitStack() as stack:
        with _source_errors(place):
            here = place
            if not place.is_local:
                here = Place(stack.enter_context(temporary_folder()).path / place.name)
                place.download(here.local, stop=context.stop)
            digest = hashlib.sha256()
            with here.open() as file:
                while data := file.read(_STEP):
                    context.stop.check()
                    digest.update(data)
        if digest.hexdigest() != piece.stamp:
            raise SourceChangedError(
                f"{place} has changed since the run was planned, or is damaged: its sha256 is"
                f" {digest.hexdigest()[:16]}…, not {piece.stamp[:16]}…. Put it back, or begin again with another OUTPUT"
            )
        yield here


def _shard_file(place: Place, context: WorkerContext, before: Marker) -> ShardFile:
    """The rows of the shard that a marker tells of.

    Raises:
        ScaleError: it has gone, is damaged or is another run's.
    """
    try:
        file = ShardFile(place, context.model.labels, _WANTED)
    except FileNotFoundError as error:
        raise ScaleError(f"{place} has gone: run the same command again") from error
    if (file.manifest, file.shard, file.rows) != (before.manifest, before.shard, before.rows):
        file.close()
        raise ScaleError(
            f"{place} is not the shard that its marker tells of: it is shard {file.shard} of run {file.manifest[:12]},"
            f" with {file.rows:,} rows, not shard {before.shard} of run {before.manifest[:12]}, with {before.rows:,}"
        )
    return file


def _reasons(before: Marker, marker: Marker) -> dict[str, int]:
    """The failures by their kind; shards do not keep the kind of each, but they have failed before."""
    if marker.failed == before.failed:
        return dict(before.reasons)
    return {"failed": marker.failed} if marker.failed else {}


@dataclass
class _Rows:
    """Makes the rows of a shard anew.

    Attributes:
        summary: where it is to be made anew; None in the phase `plan`, in which it stays.
    """

    context: WorkerContext
    files: ShardOutput
    pictures: ArchivePictures | None
    summary: SummaryWriter | None = None

    def write_all(self, rows: ShardFile) -> None:
        """Writes all rows."""
        edits = self.context.edits.all
        for position, record in enumerate(rows):
            if position % _LOOK == 0:
                self.context.stop.check()
            digest = bytes.fromhex(record.sha256)
            own = None if edits is None else edits.of(digest)
            if own is not None and own.rejected:
                self._write_without(record, Status.REJECTED, digest)
            else:
                self._write(position, record, digest, () if own is None else own.edits)
            self.context.rows_done += 1

    def _write(self, position: int, record: RowRecord, digest: bytes, edits: Sequence[Edit]) -> None:
        try:
            self._write_captioned(position, record, digest, edits)
        except RowError as error:
            if self.context.config.on_error == "stop":
                raise type(error)(f"{record.id}: {error}") from error
            self._write_without(record, Status.FAILED, digest, str(error), error.kind)

    def _write_captioned(self, position: int, record: RowRecord, digest: bytes, edits: Sequence[Edit]) -> None:
        if record.scores is None:
            raise ScoringError(record.reason or _WITHOUT_REASON)
        scores = record.dense(len(self.context.model.labels))
        captioner = self.context.captioner
        kept = captioner.kept(scores)
        made = captioner(scores, record.existing, edits, kept)
        picture = None
        if self.pictures is not None and (picture := self.pictures.picture(position)) is None:
            raise ScoringError(_WITHOUT_PICTURE)
        is_new = self.summary is not None
        if self.summary is not None:
            self.summary.add(kept, scores, name=record.id, digest=digest)
        status = Status.FROM_SCORES if is_new else Status(record.status)
        tags = tuple(tag for tag, _ in made.tags)
        new = replace(record, status=status.value, caption=made.text, tags=tags, reason=None)
        too_long = made.tokens is not None and made.tokens > self.context.config.max_tokens
        self.files.add(new, picture=picture, too_long=too_long, is_edited=any(made.applied))

    def _write_without(
        self, record: RowRecord, status: Status, digest: bytes, reason: str | None = None, kind: str = ""
    ) -> None:
        """Writes a row that has no caption."""
        if self.summary is not None:
            self.summary.skip(digest)
        self.files.add(replace(record, status=status.value, caption=None, tags=None, reason=reason), kind=kind)
