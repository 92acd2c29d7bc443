"""`review DATASET --serve`: the review server with a dataset behind it, and the job that applies what was edited."""

from __future__ import annotations

import logging
import os
import threading
import webbrowser
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from wd14.config import CaptionConfig
from wd14.errors import CaptionerError, ConfigError, JobStoppedError
from wd14.hosts.local import LocalHost
from wd14.images.reading import MAX_BYTES
from wd14.messages import failure_in_words
from wd14.pipeline import run_job
from wd14.progress import progress_line
from wd14.regular_files import read_file
from wd14.review.edit_file import EditFile
from wd14.review.page import page
from wd14.review.server import JobRunsError, ReviewServer, Site
from wd14.stop import StopToken
from wd14.text import duration, share
from wd14.types import Log, Progress

logger = logging.getLogger("wd14")

INSTALL = (
    'review --serve needs two small packages that are not here: pip install "wd14-captioner[review]". Without them,'
    " wd14-captioner review DATASET writes the same page as a file."
)


class Reviewed(Protocol):
    """A captioned dataset, as the page shows it.

    Attributes:
        data: the page's data.
        folder: the dataset's folder; None where it is none.
        parameters: of a job that writes the dataset again: those of the run that made it, else those with which its
            pictures keep their captions.
        is_ours: whether a run of this program made it.
    """

    @property
    def data(self) -> Mapping[str, Any]: ...
    @property
    def folder(self) -> Path | None: ...
    @property
    def parameters(self) -> Mapping[str, Any]: ...
    @property
    def is_ours(self) -> bool: ...

    def picture(self, row: int) -> Path | None:
        """The file of a row's picture; None where it has none."""

    def thumbnail(self, row: int) -> Path | None:
        """The file of a row's thumbnail; None where it has none."""


def serve_review(
    review: Reviewed,
    *,
    port: int = 0,
    source: str | None = None,
    open_browser: bool = True,
    say: Log,
    stop: StopToken,
) -> None:
    """Serves the page of a dataset until `stop` is requested. What a page was told is saved is on the disk.

    Args:
        review: the dataset.
        port: to listen on, on 127.0.0.1 only; 0 = a free one.
        source: what Apply captions; None = the dataset itself.
        open_browser: open the page in the user's browser.
        say: shows a line to the user; called by several threads.
        stop: ends the server, and a job that runs.

    Raises:
        ConfigError: the dataset is no folder, the extra packages are not installed, or the port is taken.
        CaptionerError: `.wd14/edits.json` cannot be used.
    """
    check_packages()
    folder = review.folder
    if folder is None:
        raise ConfigError("--serve expects a folder: edits are saved in it. For other datasets leave --serve out.")
    folder = Path(os.path.realpath(folder))
    edits = EditFile(folder)
    job = ApplyJob(review, folder, source, edits.path, say=say, stop=stop)
    server = ReviewServer(port)
    content = page({**_served_data(review.data), "server": {"token": server.token, "apply": True}}, is_served=True)
    site = Site(
        page=content.encode("utf-8", "replace"),
        picture=lambda row: _picture(review, folder, row, review.picture),
        thumbnail=lambda row: _picture(review, folder, row, review.thumbnail),
        edits=edits,
        apply=job.start,
        state=job.state,
    )
    with server.running(site) as once:
        say(f"Review: {server.address}")
        say(f"Edits are saved in {edits.path}. Ctrl-C ends the server.")
        if open_browser:
            threading.Thread(target=webbrowser.open, args=(once,), name="wd14-browser", daemon=True).start()
        stop.wait(float("inf"))
    job.wait()
    say(f"Ended. Edits: {edits.path}" if edits.path.exists() else "Ended. No edits were made.")


def check_packages() -> None:
    """Looks for the packages of the extra `review`.

    Raises:
        ConfigError: one is missing.
    """
    if not all(map(find_spec, ("starlette", "uvicorn"))):
        raise ConfigError(INSTALL)


class ApplyJob:
    """The job that writes the dataset anew, with edits and thresholds; one at a time, in a thread.

    Args:
        review: the dataset.
        folder: its folder; the new one gets the next free name beside it.
        source: what is captioned; None = the dataset itself.
        edits: the file of edits; it may not be there yet.
        say: shows a line to the user.
        stop: stops the job.
    """

    def __init__(
        self, review: Reviewed, folder: Path, source: str | None, edits: Path, *, say: Log, stop: StopToken
    ) -> None:
        self._review = review
        self._folder = folder
        self._source = source
        self._edits = edits
        self._say = say
        self._stop = stop
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._state: dict[str, Any] = _state("idle")

    def start(self, thresholds: Mapping[str, float]) -> None:
        """Starts the job.

        Args:
            thresholds: those that were moved, by category; the others are the dataset's own.

        Raises:
            JobRunsError: it runs already.
            ConfigError: a threshold is none, or the dataset cannot be written again from itself.
        """
        values = self._values(thresholds)
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                raise JobRunsError("the dataset is being written already: wait until that has ended")
            self._state = _state("running")
            self._thread = threading.Thread(target=self._run, args=(values,), name="wd14-apply")
            self._thread.start()

    def state(self) -> Mapping[str, Any]:
        """Where the job stands."""
        with self._lock:
            return dict(self._state)

    def wait(self) -> None:
        """Waits until the job has ended."""
        if self._thread is not None:
            self._thread.join()

    def _values(self, thresholds: Mapping[str, float]) -> dict[str, Any]:
        """The job's parameters."""
        values = dict(self._review.parameters)
        given = CaptionConfig.from_values(values)
        if self._source is None and self._review.is_ours:
            if given.append_tags:
                raise ConfigError(
                    "this dataset's captions hold the existing ones and the tags: start review with --source and the"
                    " dataset that it was made from, so that the tags are not added twice"
                )
            # These said how that one is read.
            values |= {"split": "all", "image_field": "image"}
        values |= {"edits": str(self._edits) if self._edits.exists() else "", "in_place": False}
        plan = self._folder / ".wd14" / "plan.json"
        if given.studies and plan.exists():
            values["plan"] = str(plan)  # the page's captions follow from it
        if thresholds:
            values["category_thresholds"] = {**given.category_thresholds, **thresholds}
            if (self._review.data.get("rules") or {}).get("prefers_own"):
                values["threshold_mode"] = "model"  # or the model's own would not be those of the other categories
        CaptionConfig.from_values(values)
        return values

    def _run(self, values: Mapping[str, Any]) -> None:
        host = _ApplyHost(
            self._folder if self._source is None else self._source,
            values,
            self._folder,  # it is there: the job takes the next free name
            say=self._hear,
            stop=StopToken(self._stop),
        )
        host.show = self._show
        try:
            summary = run_job(host)
        except JobStoppedError:
            self._note(state="failed", error="stopped: no dataset was written")
        except CaptionerError as error:
            words = failure_in_words(error, host.written)
            self._say(f"Failed: {words}")
            self._note(state="failed", error=words)
        except Exception as error:
            logger.exception("unexpected error: this is a flaw in the program, please report it")
            self._note(state="failed", error=f"unexpected error: {type(error).__name__}: {error}")
        else:
            words = f"{share(summary.succeeded, summary.total, 'picture')} captioned in {duration(summary.seconds)}"
            numbers = {"done": summary.total, "failed": summary.failed, "remaining": 0}
            self._note(state="done", text=words, output=summary.output, **numbers)

    def _hear(self, line: str) -> None:
        self._say(line)
        if not self.state()["done"]:  # progress says more from then on
            self._note(text=line)

    def _show(self, progress: Progress) -> None:
        self._note(
            done=progress.done,
            total=progress.total,
            failed=progress.failed,
            rate=round(progress.pictures_per_second, 1),
            remaining=progress.remaining_seconds,
            phase=progress.phase,
            text=progress_line(progress),
        )

    def _note(self, **fields: Any) -> None:
        with self._lock:
            self._state |= fields


class _ApplyHost(LocalHost):
    """The host of a job whose progress is shown by somebody else."""

    show: Callable[[Progress], None]

    def progress(self, progress: Progress) -> None:
        """Shows how far the job is."""
        self.show(progress)


def _state(word: str) -> dict[str, Any]:
    numbers = {"done": 0, "total": None, "failed": 0, "rate": 0.0, "remaining": None}
    return {"state": word, **numbers, "phase": "", "text": "", "output": None, "error": None}


def _served_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """The page's data with the server's addresses. The edits, other pages' among them, come from the server too."""
    served = {**data, "edits": [], "dataset": {**data.get("dataset", {}), "pictures": "picture/{row}"}}
    if (thumbnails := data.get("thumbnails")) is not None:
        served["thumbnails"] = {"pattern": "thumbnail/{row}", "missing": thumbnails.get("missing", [])}
    return served


def _picture(review: Reviewed, folder: Path, row: int, file_of: Callable[[int], Path | None]) -> bytes | None:
    """A row's picture or thumbnail, from a regular file inside the dataset's folder; None where there is none."""
    path = file_of(row) if row < len(review.data["status"]) else None
    if path is None:
        return None
    place = os.path.realpath(path)
    if not place.startswith(os.path.join(folder, "")):  # noqa: PTH118 - a link leads out
        return None
    try:
        return read_file(place, MAX_BYTES)
    except OSError:  # gone, or no file: the page shows that there is none
        return None
