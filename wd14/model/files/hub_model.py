"""A model's files on the hub, or those of them that are in the client's cache."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from wd14.errors import DescriptionError, DownloadError, ModelNotFoundError
from wd14.model.files import download
from wd14.model.files.assembling import Parts
from wd14.model.files.by_hand import hint
from wd14.model.files.description import (
    DESCRIPTION_FILE,
    PREPROCESS_FILE,
    THRESHOLDS_FILE,
    FileDescription,
    ModelDescription,
)
from wd14.model.files.download import RemoteFile
from wd14.model.files.download_errors import FileNotInRepositoryError
from wd14.model.files.interface import check_location
from wd14.model.files.labels import LABEL_FILES
from wd14.model.files.registry import MODEL_FILE
from wd14.model.graph.facts import read_graph
from wd14.regular_files import read_file
from wd14.stop import StopToken
from wd14.types import Log

#: Names under which a folder may hold the graph; the second is what kohya loads of cl_tagger.
MODEL_FILES = (MODEL_FILE, "model_optimized.onnx")
#: The revision of a repository where none is named or pinned.
_NEWEST = "main"


class HubSource(Protocol):
    """Where files of the hub come from."""

    def required(self, file: RemoteFile, hint: str) -> Path:
        """The file. Raises FileNotInRepositoryError where there is none, and what `download.fetch` does."""

    def optional(self, file: RemoteFile, *, may_fail: bool) -> Path | None:
        """A file that may be there.

        Raises:
            DownloadError: that could not be found out; not where it may.
        """


class Hub:
    """The hub itself, behind the client's cache."""

    def __init__(self, log: Log, stop: StopToken) -> None:
        self._log = log
        self._stop = stop
        self._answers = True

    def required(self, file: RemoteFile, hint: str) -> Path:
        """See `HubSource`."""
        return download.fetch(file, by_hand=hint, log=self._log, stop=self._stop)

    def optional(self, file: RemoteFile, *, may_fail: bool) -> Path | None:
        """See `HubSource`. Costs one request, once for each commit."""
        if not self._answers:
            return download.cached(file)
        try:
            return download.fetch_if_there(file, log=self._log, stop=self._stop)
        except DownloadError as error:
            if not may_fail:
                raise
            self._log(f"Warning: going on without asking what else {file.repo} has: {error}")
            self._answers = False
            return None


class Cache:
    """The client's cache alone; nobody is asked."""

    def required(self, file: RemoteFile, hint: str) -> Path:
        """See `HubSource`."""
        path = download.cached(file)
        if path is None:
            raise FileNotInRepositoryError(f"{file} is not on this machine. {hint}")
        return path

    def optional(self, file: RemoteFile, *, may_fail: bool) -> Path | None:  # noqa: ARG002 - of the protocol
        """See `HubSource`."""
        return download.cached(file)


def remote_files(known: ModelDescription, revision: str = "") -> Mapping[str, RemoteFile]:
    """The files of a known model by their paths; of another revision than the pinned one no hash is known."""
    pinned = known.revision is not None and revision in ("", known.revision)
    at = revision or known.revision or _NEWEST
    return {
        file.path: RemoteFile(known.repo or "", file.path, at, file.sha256 if pinned else None, gated=known.gated)
        for file in known.files
    }


def known_parts(source: HubSource, known: ModelDescription, revision: str) -> Parts:
    """The files of a known model, the small ones first.

    Raises:
        ModelNotFoundError: the hub has no such repository, revision or file.
        DownloadError: one could not be fetched, or is another than the pinned one.
        JobStoppedError: a stop was asked for.
    """
    files = remote_files(known, revision)
    by_hand = hint(known.id, list(files.values()))
    places = {known.labels.path: source.required(files[known.labels.path], by_hand)}
    commit = download.revision_of(places[known.labels.path])  # of all files, though a branch may move in between
    files = {path: replace(file, revision=commit or file.revision) for path, file in files.items()}
    needed = {file.path for file in known.needed}
    may_fail = all(download.cached(files[path]) for path in needed)
    rank = dict.fromkeys((file.path for file in known.external), 1) | {known.model.path: 2}
    for path in sorted(files.keys() - places.keys(), key=lambda path: (rank.get(path, 0), path)):
        found = (
            source.required(files[path], by_hand) if path in needed else source.optional(files[path], may_fail=may_fail)
        )
        places |= {} if found is None else {path: found}
    file = files[known.model.path]
    if file.sha256 is None:
        _find_weights(source, places[file.path], file, by_hand)
    return Parts.of(known, places)


class HubModel:
    """A model of the hub that the list of known models does not have.

    Args:
        source: of its files.
        name: what the user calls it.
        repo: its repository.
        folder: in the repository; "" = the repository itself.
        revision: a branch, a tag or a commit.

    Raises:
        ModelNotFoundError: the hub has no such repository or revision, or no labels there.
        DescriptionError: its `tagger.json` is none.
        DownloadError: something could not be fetched.
        JobStoppedError: a stop was asked for.
    """

    def __init__(self, source: HubSource, name: str, repo: str, folder: str, revision: str) -> None:
        self._source = source
        self._name = name
        self._repo = repo
        self._prefix = f"{folder}/" if folder else ""
        self._revision = revision
        label_names = LABEL_FILES[::-1] if folder else LABEL_FILES  # cl_tagger has subfolders, and JSON in them
        self._hint = hint(name, [self._file(MODEL_FILES[0]), self._file(label_names[0])])
        # The labels come first: without them it is no tagger's repository.
        labels = self._first(label_names)
        if labels is not None:  # of all files, though a branch may move in between
            self._revision = download.revision_of(labels) or revision
        self._may_fail = any(download.cached(self._file(name)) for name in MODEL_FILES)
        self._described_in = self._optional(DESCRIPTION_FILE)
        self.description: ModelDescription | None = None
        if self._described_in is not None:
            self.description = read_description(self._described_in)
            self._revision = download.revision_of(self._described_in) or self._revision
            self._hint = hint(name, [self._file(file.path) for file in self.description.files])
            labels = self._described(self.description.labels)
        if labels is None:
            raise self._without(label_names)
        self.labels = labels

    def parts(self) -> Parts:
        """All of its files.

        Raises:
            ModelNotFoundError: one is missing.
            DownloadError: one could not be fetched.
            ModelContractError: what was fetched is no model.
            JobStoppedError: a stop was asked for.
        """
        published, preprocess = (
            self._optional(name) if is_open else None for name, is_open in left_open(self.description).items()
        )
        if self.description is None:
            model = self._first(MODEL_FILES)
            if model is None:
                raise self._without(MODEL_FILES)
            parts = Parts(model, self.labels, published, preprocess)
            path = model.name
            names = (path, self.labels.name, *read_graph(model).external)
            self._hint = hint(self._name, [self._file(each) for each in names])
        else:
            places = {file.path: self._described(file) for file in reversed(self.description.files)}
            parts = Parts.of(self.description, places, described_in=self._described_in)
            parts = replace(parts, published=parts.published or published, preprocess=parts.preprocess or preprocess)
            path = self.description.model.path
        _find_weights(self._source, parts.model, self._file(path), self._hint)
        return parts

    def _file(self, path: str, sha256: str | None = None) -> RemoteFile:
        return RemoteFile(self._repo, self._prefix + path, self._revision, sha256)

    def _described(self, file: FileDescription) -> Path:
        try:
            return self._source.required(self._file(file.path, file.sha256), self._hint)
        except FileNotInRepositoryError as error:
            raise FileNotInRepositoryError(
                f"{self._prefix}{DESCRIPTION_FILE} of {self._repo} names {file.path}: {error}"
            ) from error

    def _optional(self, name: str) -> Path | None:
        return self._source.optional(self._file(name), may_fail=self._may_fail)

    def _first(self, names: Sequence[str]) -> Path | None:
        """The first of these files that the repository has."""
        for name in names:
            with suppress(FileNotInRepositoryError):
                return self._source.required(self._file(name), self._hint)
        return None

    def _without(self, names: Sequence[str]) -> ModelNotFoundError:
        missing = " and no ".join(self._prefix + name for name in names)
        return FileNotInRepositoryError(
            f"{self._repo} has no {missing} at revision {self._revision}; a tagger needs model.onnx and"
            " selected_tags.csv or tag_mapping.json, or a tagger.json that names its files"
        )


def left_open(description: ModelDescription | None) -> Mapping[str, bool]:
    """The usual names of files of thresholds and of steps: whether those are the ones, where they are there."""
    if description is None:
        return {THRESHOLDS_FILE: True, PREPROCESS_FILE: True}
    is_silent = description.preprocess is None and description.spec is None
    return {THRESHOLDS_FILE: description.published is None, PREPROCESS_FILE: is_silent}


def read_description(path: Path) -> ModelDescription:
    """A person's own description of a model.

    Raises:
        DescriptionError: it cannot be read, or is wrong; the message names file and field.
    """
    from wd14.model.files.description_file import LARGEST_DESCRIPTION, parse  # few models have one

    try:
        return parse(read_file(path, LARGEST_DESCRIPTION), str(path))
    except OSError as error:
        raise DescriptionError(f"{path} cannot be read: {error.strerror or error}") from error


def _find_weights(source: HubSource, model: Path, file: RemoteFile, by_hand: str) -> None:
    """Gets the files in which a graph keeps weights; some 30 ms where they are here.

    Args:
        source: of the files.
        model: the graph, on this machine.
        file: the same, on the hub.
        by_hand: ends a message of failure.
    """
    for name in read_graph(model).external:
        check_location(model, name)
        path = posixpath.normpath(posixpath.join(posixpath.dirname(file.path), name))
        try:
            source.required(replace(file, path=path, sha256=None), by_hand)
        except FileNotInRepositoryError as error:
            raise FileNotInRepositoryError(f"{file} keeps weights in {name!r}, which is missing: {error}") from error
