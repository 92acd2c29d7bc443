"""The host of a shell, a notebook or CI: the result is a folder, and progress is a bar or lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wd14.config import CaptionConfig
from wd14.errors import ConfigError
from wd14.messages import result_in_words
from wd14.progress import ShownProgress
from wd14.stop import StopToken
from wd14.text import printable
from wd14.types import Destination, Progress, Summary, Written


class LocalHost:
    """Runs a job for a shell or for Python.

    Attributes:
        written: what is there to stay of a job that failed or was stopped.

    Args:
        source: the dataset to read.
        values: parameters, typed or as strings.
        output: folder to write; None = a folder in the current one, named as the parameters say.
        say: shows a line to the user.
        bar: draw a tqdm bar (on stderr) instead of saying lines of progress.
        stop: stops the job; None = a new token.
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
        self.written = Written()
        self._progress = ShownProgress(say, bar=bar)

    def settings(self) -> Mapping[str, Any]:
        """The caller's parameters."""
        return self._values

    def source(self, config: CaptionConfig) -> str | Path:  # noqa: ARG002 - the Host protocol's
        """The caller's source."""
        return self._source

    def destination(self, config: CaptionConfig, source_name: str) -> Destination:
        """The caller's folder, or a new one in the current folder.

        Raises:
            ConfigError: the output is no folder that can be made, or `output_dataset_name` is a path instead of a name.
        """
        if self._output is not None:
            folder = self._output_folder(self._output)
        else:
            name = config.output_dataset_name or f"{source_name}_captions"
            if Path(name).name != name or name in {".", ".."}:
                raise ConfigError(
                    f"Output Dataset Name (output_dataset_name) is {name!r}; allowed: a name without folders"
                )
            folder = _absolute(name)
        return Destination(parent=folder.parent, name=folder.name, staging=folder.parent)

    def _output_folder(self, output: str | Path) -> Path:
        """The folder that the caller names.

        Raises:
            ConfigError: none can be made there.
        """
        if not str(output).strip() or "\0" in str(output):
            raise ConfigError(f"the output is {str(output)!r}; expected the folder to write")
        try:
            folder = _absolute(Path(output).expanduser())  # a shell leaves the ~ of `--output=~/x` as it is
        except RuntimeError as error:
            raise ConfigError(f"the output is {output}: no such user") from error
        if folder.name in {"", ".."}:
            folder = folder.resolve()
        if not folder.name:
            raise ConfigError(f"the output is {folder}, which is no folder that can be made: name one in it")
        return folder

    def log(self, line: str) -> None:
        """Says a line, above the bar if there is one."""
        self._progress.log(line)

    def progress(self, progress: Progress) -> None:
        """Moves the bar, or says a line every few seconds."""
        self._progress.show(progress)

    def finish(self, summary: Summary) -> None:
        """Removes the bar, and says where the page and the result are, if there are some."""
        self._progress.close()
        if summary.output is not None and summary.written.caption_files is None:
            page = Path(summary.output) / ".wd14" / "review.html"
            if page.exists():
                self._say(f"Review page, for a browser: {printable(str(page))}")
        if summary.output is not None:
            self._say(f"Result: {printable(result_in_words(summary))}")

    def fail(self, error: BaseException, written: Written) -> None:  # noqa: ARG002 - the caller gets the error itself
        """Removes the bar, and keeps what was written for the caller."""
        self.written = written
        self._progress.close()


def _absolute(path: str | Path) -> Path:
    """A path from the current folder.

    Raises:
        ConfigError: the current folder was deleted.
    """
    try:
        return Path(path).absolute()
    except FileNotFoundError as error:
        raise ConfigError(
            f"the current folder was deleted, so there is no {path} in it: change to another one"
        ) from error
