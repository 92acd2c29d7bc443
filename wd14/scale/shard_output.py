"""The files of one shard, and its counts: what every phase writes."""

from __future__ import annotations

import socket
import time
from collections import Counter
from contextlib import ExitStack, suppress
from typing import Self

from wd14.data.provenance import versions
from wd14.data.report import NAMED_FAILURES
from wd14.scale.archive import ArchiveWriter
from wd14.scale.hashed_file import HashedFile
from wd14.scale.manifest import Manifest
from wd14.scale.marker import Marker
from wd14.scale.output import Output
from wd14.scale.shard_file import RowRecord, ShardFileWriter, schema, stored_names
from wd14.scale.staged_pictures import Staged
from wd14.types import Labels, Status


class _UnfinishedError(Exception):
    """Ends the writing of files that are not to appear."""


class ShardOutput:
    """Writes the rows of a shard, and its archive where the run has archives; a context manager.

    The files appear, whole, when `finish` is called; without it nothing does.

    Args:
        output: of the run.
        manifest: of the run.
        shard: the shard's number.
        labels: the tags of the model.

    Raises (in every method):
        OSError: the output cannot be written.
        PlaceError: the same, on an object store.
    """

    def __init__(self, output: Output, manifest: Manifest, shard: int, labels: Labels) -> None:
        self._manifest, self._shard = manifest, shard
        self._counts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._failures: list[tuple[str, str]] = []
        self._without_tags = self._too_long = 0
        self._first = self._last = ""
        parameters = manifest.parameters
        columns = schema(
            manifest=manifest.hash,
            shard=shard,
            with_columns=bool(parameters.get("keep_columns")),
            with_existing=bool(parameters.get("append_tags")),
        )
        self._archive: ArchiveWriter | None = None
        self._archive_file: HashedFile | None = None
        with ExitStack() as stack:
            # What is entered first is left last: the rows appear after the archive.
            aside = stack.enter_context(output.rows(shard).writing())
            self._file = stack.enter_context(HashedFile(aside))
            self._rows = ShardFileWriter(self._file, stored_names(labels), columns)
            stack.callback(self._rows.abandon)
            if manifest.format == "webdataset":
                aside = stack.enter_context(output.archive(shard).writing())
                self._archive_file = stack.enter_context(HashedFile(aside))
                self._archive = ArchiveWriter(self._archive_file, shard)
            self._on_exit = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # The files that are being written must be told of an error, or they would appear.
        with suppress(_UnfinishedError), self._on_exit:
            raise _UnfinishedError

    def add(
        self,
        row: RowRecord,
        *,
        picture: Staged | None = None,
        kind: str = "",
        too_long: bool = False,
        is_edited: bool = False,
    ) -> None:
        """Writes a row.

        Args:
            row: the row.
            picture: its picture, for the archive.
            kind: of its failure, see `RowError.kind`.
            too_long: whether its caption has more tokens than it may.
            is_edited: whether a person edited its caption, and so wanted it without tags where it has none.
        """
        position = self._counts.total()
        self._counts[row.status] += 1
        self._first, self._last = self._first or row.id, row.id
        if row.status == Status.FAILED:
            self._reasons[kind] += 1
            if len(self._failures) < NAMED_FAILURES:
                self._failures.append((row.id, row.reason or "unknown"))
        elif row.status != Status.REJECTED:
            self._without_tags += not row.tags and not is_edited
            self._too_long += too_long
            if self._archive is not None and picture is not None:
                self._archive.add(position, row, picture.extension, picture.bytes())
        self._rows.add(row)

    def finish(self, *, device: str | None = None, precision: str | None = None) -> Marker:
        """Completes the files and moves them into place; returns the marker, which is not written, nor timed, yet.

        Args:
            device: what the model ran on; None where it was not needed.
            precision: what it ran in.
        """
        self._rows.close()
        self._file.close()
        archive = self._archive_file
        if self._archive is not None and archive is not None:
            self._archive.close()
            archive.close()
        self._on_exit.pop_all().close()
        counts = self._counts
        return Marker(
            shard=self._shard,
            manifest=self._manifest.hash,
            rows=counts.total(),
            captioned=counts[Status.CAPTIONED] + counts[Status.FROM_SCORES],
            failed=counts[Status.FAILED],
            rejected=counts[Status.REJECTED],
            reasons=dict(sorted(self._reasons.items())),
            failures=tuple(self._failures),
            without_tags=self._without_tags,
            too_long=self._too_long,
            first=self._first,
            last=self._last,
            size=self._file.size + (0 if archive is None else archive.size),
            sha256=self._file.sha256,
            archive_sha256="" if archive is None else archive.sha256,
            at=round(time.time(), 3),
            host=socket.gethostname(),
            device=device,
            precision=precision,
            versions=versions(),
        )
