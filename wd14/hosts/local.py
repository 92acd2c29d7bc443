"""No host: a person's shell, a notebook, CI."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wd14.config import CaptionConfig
from wd14.errors import ConfigError
from wd14.stop import StopToken
from wd14.text import count, duration
from wd14.types import Destination, Progress, Summary

if TYPE_CHECKING:
    from tqdm import tqdm

#: Where nobody sees a bar move, a line this often (seconds) tells that the job lives.
LINE_EVERY = 10.0


class LocalHost:
    """Runs a job for whoever called it.

    Args:
        source: the dataset to read.
        values: parameters, typed or as strings.
        output: folder that the result is to appear as; None = named as the parameters say, in the current folder.
        say: takes each line for the person who watches.
        bar: draw a tqdm bar (on stderr) instead of saying lines of progress.
        stop: the token that stops the job; None = one of its own.
    """

    def __init__(
        self,
        source: str | Path,
        values: Mapping[str, Any],
        output: str | Path | None = None,
        *,
        say: Callable[[str], None],
        bar: bool = False,
        stop: StopToken | None = None,
    ) -> None:
        self._source = source
        self._values = values
        self._output = output
        self._say = say
        self.stop = stop or StopToken()
        self._wants_bar = bar
        self._bar: tqdm[Any] | None = None
        self._last_line = time.monotonic()

    def settings(self) -> Mapping[str, Any]:
        """The parameters as the caller gave them."""
        return self._values

    def source(self, config: CaptionConfig) -> str | Path:  # noqa: ARG002 - the Host protocol's
        """The source that the caller named."""
        return self._source

    def destination(self, config: CaptionConfig, source_name: str) -> Destination:
        """The folder that the caller named, or a new one in the current folder.

        Raises:
            ConfigError: `output_dataset_name` is no plain name.
        """
        if self._output is not None:
            place = Path(self._output).absolute()
        else:
            name = config.output_dataset_name or f"{source_name}_captions"
            if Path(name).name != name or name in {".", ".."}:
                raise ConfigError(
                    f"Output Dataset Name (output_dataset_name) is {name!r}; allowed: a name without folders"
                )
            place = Path.cwd() / name
        if place.name in {"", ".."}:
            place = place.resolve()
        return Destination(parent=place.parent, name=place.name, staging=place.parent)

    def log(self, line: str) -> None:
        """Says a line, above the bar if there is one."""
        if self._bar is not None:
            self._bar.clear()
        self._say(line)

    def progress(self, progress: Progress) -> None:
        """Moves the bar, or says a line now and then."""
        if self._wants_bar:
            self._move_bar(progress)
            return
        now = time.monotonic()
        if now - self._last_line >= LINE_EVERY:
            self._last_line = now
            self._say(progress_line(progress))

    def finish(self, summary: Summary) -> None:  # noqa: ARG002 - the Host protocol's
        """Takes the bar away."""
        self._close_bar()

    def fail(self, error: BaseException) -> None:  # noqa: ARG002 - the caller gets the error itself
        """Takes the bar away."""
        self._close_bar()

    def _move_bar(self, progress: Progress) -> None:
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=progress.total, unit="image", dynamic_ncols=True, smoothing=0.1, leave=False)
        if progress.failed:
            self._bar.set_postfix(failed=progress.failed, refresh=False)
        self._bar.update(progress.done - self._bar.n)
        self._bar.refresh()

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def progress_line(progress: Progress) -> str:
    """One line of progress: how far, how fast, how long still."""
    words = (
        f"{progress.done:,} of {count(progress.total, 'picture')}" if progress.total else f"{progress.done:,} pictures"
    )
    if progress.fraction is not None:
        words += f" ({progress.fraction:.0%})"
    words += f", {progress.images_per_second:.1f} images/s"
    if progress.remaining_seconds is not None:
        words += f", {duration(progress.remaining_seconds)} left"
    if progress.failed:
        words += f", {progress.failed:,} failed"
    return words
