"""The worker: one in each process, with one model; it does shards, one after the other."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from wd14.config import CaptionConfig
from wd14.errors import (
    CaptionerError,
    ConfigError,
    JobStoppedError,
    ModelError,
    PlaceError,
    RowError,
    ScaleError,
    UnreachablePlaceError,
    UnwritablePlaceError,
)
from wd14.patience import waits_watched
from wd14.places import Place
from wd14.run_folder import RunFolder, temporary_folder
from wd14.scale.attempts import Attempts
from wd14.scale.context import WorkerContext
from wd14.scale.manifest import read_manifest
from wd14.scale.marker import Marker, read_marker
from wd14.scale.output import Output
from wd14.scale.parameters import with_files_here
from wd14.scale.task import Outcome, Task
from wd14.stop import StopToken
from wd14.text import printable
from wd14.threads import limit_cores

#: Seconds before the second attempt at a shard.
_PAUSE = 0.5
#: Errors that the next shard would meet too.
_FATAL = (
    *(ModelError, ConfigError, RowError, JobStoppedError, ImportError),
    *(UnwritablePlaceError, UnreachablePlaceError),
)
#: Of a disk that takes nothing more, and of a place that is not to be written to.
_FULL = frozenset({errno.ENOSPC, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC)})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})


class Worker:
    """Does shards. Its model is found when it is made, and opened when the first picture needs it.

    A shard that is done already is not done again. One that fails is tried a second time; then it is set aside. An
    attempt is noted before it begins, so a shard that kills its process counts as well.

    Args:
        task: what is to be done. What is wrong with it, the first call answers.
    """

    def __init__(self, task: Task) -> None:
        limit_cores(task.cores)
        self._task = task
        self._stop = StopToken()
        self._lines: list[str] = []  # for the next outcome
        self._said: set[str] = set()
        self._broken: Exception | None = None
        self._temporary: RunFolder | None = None
        try:
            with waits_watched(self._say, self._stop):
                self._context = self._open()
        except Exception as error:  # noqa: BLE001 - told by the first call: an actor that raises here says nothing
            self._broken = error

    def __call__(self, shard: int) -> Outcome:
        """Does a shard. Never raises: what went wrong is in the outcome."""
        try:
            with waits_watched(self._say, self._stop):
                outcome = self._do(shard) if self._broken is None else _fatal(shard, self._broken)
        except Exception as error:  # noqa: BLE001 - it is in the outcome
            outcome = _fatal(shard, error)
        lines, self._lines = self._lines, []
        return replace(outcome, lines=tuple(lines))

    @property
    def rows_done(self) -> int:
        """Rows of the shard under way that are done; from any thread."""
        return 0 if self._broken is not None else self._context.rows_done

    def stop(self, reason: str) -> None:
        """Ends the shard under way, from any thread."""
        self._stop.request(reason)

    def _open(self) -> WorkerContext:
        task = self._task
        output = Output(Place(task.output))
        manifest = read_manifest(output)
        if manifest is None:
            raise ScaleError(
                f"{output.manifest} is not there on {socket.gethostname()}: workers on several machines want an OUTPUT"
                " that all of them reach"
            )
        if manifest.hash != task.manifest:
            raise ScaleError(f"{output.manifest} is that of another run: it was replaced meanwhile")
        changed: dict[str, object] = {"cache": False}
        if manifest.format == "parquet":
            changed["flatten_transparency"] = False  # no picture is written
        parameters = with_files_here(task.parameters, self._folder)
        config = CaptionConfig.from_values(parameters).model_copy(update=changed)
        context = WorkerContext(output, manifest, task.phase, config, self._stop, self._say)
        if task.phase == "score":
            context.captioner  # noqa: B018 - made now: what is wrong with it ends the run before the first picture
        return context

    def _folder(self) -> Path:
        """A folder that goes with this process, or with a later one's start where it is killed."""
        self._temporary = self._temporary or temporary_folder()
        return self._temporary.path

    def _do(self, shard: int) -> Outcome:
        output, phase = self._context.output, self._task.phase
        with suppress(FileNotFoundError):
            return Outcome(shard, read_marker(output, self._context.manifest, phase, shard))
        attempts = Attempts(output, self._task.start, shard)
        while not attempts.is_last_over:
            attempts.begin()
            self._context.rows_done = 0
            started = time.monotonic()
            try:
                marker = replace(self._files_of(shard), seconds=round(time.monotonic() - started, 3))
                output.marker(phase, shard).write(marker.to_bytes())
            except Exception as error:
                if _is_fatal(error):
                    with suppress(OSError, PlaceError):  # where nothing can be written, nothing can be removed
                        attempts.forget_last()
                    raise
                attempts.failed(_in_words(error))
                self._stop.wait(_PAUSE)
            else:
                attempts.forget_all()
                return Outcome(shard, marker)
        attempts.note_reason()
        return Outcome(shard, set_aside=attempts.reason)

    def _files_of(self, shard: int) -> Marker:
        if self._task.phase == "score":
            from wd14.scale.scoring import score_shard

            return score_shard(self._context, shard)
        from wd14.scale.recaptioning import caption_shard

        return caption_shard(self._context, shard)

    def _say(self, line: str) -> None:
        """Takes a line for the next outcome, once."""
        line = printable(line)
        if line not in self._said and len(self._said) < 1000:
            self._said.add(line)
            self._lines.append(line)


def _fatal(shard: int, error: Exception) -> Outcome:
    return Outcome(shard, fatal=_in_words(error), exit_code=error.exit_code if isinstance(error, CaptionerError) else 1)


def _is_fatal(error: Exception) -> bool:
    """Whether no other shard can be done either."""
    if isinstance(error, _FATAL):
        return True
    # What cannot be read of a source on this machine comes as a SourceError; this is something that is written.
    if isinstance(error, OSError) and error.errno in _FORBIDDEN:
        return True
    causes = _causes(error)
    return any(
        isinstance(each, (UnwritablePlaceError, UnreachablePlaceError)) or getattr(each, "errno", None) in _FULL
        for each in causes
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _in_words(error: Exception) -> str:
    if isinstance(error, OSError) and _is_fatal(error):
        place = error.filename or "the output"
        return printable(f"{place} cannot be written: {error.strerror}. When that is mended, run again: it goes on")
    if isinstance(error, CaptionerError):
        return printable(str(error))
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f" ({Path(trace.tb_frame.f_code.co_filename).name}, line {trace.tb_lineno})"
    return printable(f"{type(error).__name__}: {error}{where}")
