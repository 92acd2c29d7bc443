"""From a model's id or folder to its files on this machine, checked and named. Opens no session."""

from __future__ import annotations

import difflib
import re
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from wd14.config import NO_MODEL
from wd14.errors import DownloadError, ModelContractError, ModelNotFoundError
from wd14.input_spec import InputSpec
from wd14.model.files import download, registry
from wd14.model.files.assembling import Assembler, Parts
from wd14.model.files.by_hand import put_by_hand
from wd14.model.files.description import DESCRIPTION_FILE, PREPROCESS_FILE, THRESHOLDS_FILE, ModelDescription
from wd14.model.files.download_errors import FileNotInRepositoryError
from wd14.model.files.hub_model import (
    MODEL_FILES,
    Cache,
    Hub,
    HubModel,
    HubSource,
    known_parts,
    left_open,
    read_description,
    remote_files,
)
from wd14.model.files.labels import LABEL_FILES, hashed_labels
from wd14.model.files.model_files import ModelFiles
from wd14.model.graph.facts import read_graph
from wd14.published import Published
from wd14.regular_files import mode_of
from wd14.stop import StopToken
from wd14.types import Labels, Log

__all__ = ["ModelFiles", "find_here", "find_model", "is_here"]

#: Characters of a model's id or folder: what Linux allows a path.
LONGEST_NAME = 4096
#: Characters of it that a message shows.
_SHOWN = 200

_BUILTIN_FOLDER = Path(__file__).parents[1] / "builtin"

#: owner/name, owner/name/sub/folder, each with @revision; no part may be ".." or begin with a dot.
_HUB_ID = re.compile(
    r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9_][\w.-]*)"
    r"(?P<subfolder>(?:/[A-Za-z0-9_][\w. -]*)*)"
    r"(?:@(?P<revision>[\w./-]+))?",
    re.ASCII,
)


def find_model(model: str | Path, *, log: Log | None = None, stop: StopToken | None = None) -> ModelFiles:
    """The files of a model: found or downloaded, verified, its labels read, its interface known.

    Args:
        model: an id of the registry, `owner/name` or `owner/name/subfolder` on the hub (each with `@revision`), a
            folder with `model.onnx` and `selected_tags.csv` or `tag_mapping.json`, or with a `tagger.json` that names
            its files, or an `.onnx` file in such a folder.
        log: is told about a download.
        stop: ends a download or a check.

    Raises:
        ModelNotFoundError: no such model, or a file of it is missing.
        DownloadError: it could not be fetched.
        LabelsError: its label file, or that of its thresholds, cannot be read.
        DescriptionError: its `tagger.json` or `preprocess.json` cannot be read.
        ModelContractError: it is no tagger, or does not fit its labels or its description.
        JobStoppedError: a stop was asked for.
    """
    text = str(model).strip()
    if len(text) > LONGEST_NAME or "\0" in text:
        raise ModelNotFoundError(_unknown(text))
    finder = _Finder(text, log or (lambda _: None), stop or StopToken())
    name, _, revision = text.partition("@")
    if isinstance(model, str) and (known := registry.find(name)) is not None:
        return finder.in_registry(known, revision)
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:  # no user of that name
        raise ModelNotFoundError(_unknown(text)) from error
    if text and (stat.S_ISDIR(mode_of(path)) or path.suffix.lower() == ".onnx"):
        return finder.in_folder(path)
    wanted = _HUB_ID.fullmatch(text)
    if wanted is None or isinstance(model, Path) or text.lower().startswith("builtin/"):
        raise ModelNotFoundError(_unknown(text))
    return finder.on_hub(wanted["repo"], wanted["subfolder"].strip("/"), wanted["revision"] or "main")


def find_here(model: str, *, stop: StopToken | None = None) -> ModelFiles | Labels | None:
    """What of a model is on this machine: all of it, its labels alone, or nothing (None). Asks nobody.

    Raises:
        ModelNotFoundError: no such model.
        LabelsError: its label file, or that of its thresholds, cannot be read.
        DescriptionError: its `tagger.json` or `preprocess.json` cannot be read.
        ModelContractError: it is no tagger, or does not fit its labels or its description.
        JobStoppedError: a stop was asked for.
    """
    text = model.strip()
    finder = _Finder(text, lambda _: None, stop or StopToken())
    name, _, revision = text.partition("@")
    known = registry.find(name)
    if known is not None and known.repo is not None:
        return finder.in_cache(known, revision)
    wanted = _HUB_ID.fullmatch(text) if known is None else None
    if wanted is None or mode_of(Path(text)):
        return find_model(model, stop=stop)
    return finder.of_hub_in_cache(wanted["repo"], wanted["subfolder"].strip("/"), wanted["revision"] or "main")


def is_here(known: ModelDescription) -> bool:
    """Whether a model can be used with no network: shipped, put here by hand, or in the hub's cache. Checks no hash."""
    if known.repo is None or put_by_hand(known) is not None:
        return True
    files = remote_files(known)
    return all(download.cached(files[file.path]) is not None for file in known.needed)


class _Finder:
    """Finds one model, which the user calls `text`."""

    def __init__(self, text: str, log: Log, stop: StopToken) -> None:
        self._text = text
        self._hub = Hub(log, stop)
        self._assembler = Assembler(text, stop)

    def in_registry(self, known: ModelDescription, revision: str) -> ModelFiles:
        """A model of the registry: at its pinned revision, or at another one that the user names."""
        if known.repo is None:
            if revision:
                raise ModelNotFoundError(f"{known.id} has no revisions: leave out @{revision[:_SHOWN]}")
            if known.id == NO_MODEL:
                return _without_tags(known)
            parts = Parts(_BUILTIN_FOLDER / known.model.name, _BUILTIN_FOLDER / known.labels.name)
        else:
            parts = self._by_hand(known, revision) or known_parts(self._hub, known, revision)
        return self._assembler.assemble(parts, known)

    def on_hub(self, repo: str, folder: str, revision: str) -> ModelFiles:
        """A model that the registry does not have."""
        try:
            model = self._hub_model(self._hub, repo, folder, revision)
        except ModelNotFoundError as error:
            if meant := _meant(self._text):
                raise ModelNotFoundError(f"{error} Did you mean {meant}?") from error
            raise
        return self._assemble_from_hub(model)

    def in_folder(self, path: Path) -> ModelFiles:
        """A model folder, or an `.onnx` file in one. A description beside the model has the last word."""
        folder = path if stat.S_ISDIR(mode_of(path)) else path.parent
        if not mode_of(folder):
            raise ModelNotFoundError(f"there is no model file {path}: there is no folder {folder}")
        described_in = folder / DESCRIPTION_FILE
        if mode_of(described_in):
            description = read_description(described_in)
            if path in (folder, folder / description.model.path):
                return self._described_in_folder(folder, described_in, description)
        model_path = _model_in(folder) if folder == path else path
        labels_path = _first_there(folder, LABEL_FILES)
        known = None
        if labels_path is not None or mode_of(model_path):
            read_graph(model_path)  # what is no model at all is said before a second goes into hashing it
            known = self._known(model_path)
        if known is not None:
            labels_path = _first_there(folder, (known.labels.name,)) or labels_path
        if labels_path is None:
            names = " or ".join(LABEL_FILES if known is None else (known.labels.name,))
            raise ModelNotFoundError(
                f"{folder}: expected the model's list of tags, {names}, or a tagger.json that names it; found none"
            )
        published = () if known is None or known.published is None else (known.published.name,)
        parts = Parts(
            model_path,
            labels_path,
            _first_there(folder, (*published, THRESHOLDS_FILE)),
            _first_there(folder, (PREPROCESS_FILE,)),
        )
        return self._assembler.assemble(parts, known)

    def in_cache(self, known: ModelDescription, revision: str) -> ModelFiles | Labels | None:
        """What of a known model is here."""
        try:
            parts = self._by_hand(known, revision) or known_parts(Cache(), known, revision)
        except FileNotInRepositoryError:
            labels_path = download.cached(remote_files(known, revision)[known.labels.path])
            return None if labels_path is None else hashed_labels(labels_path, known.labels)[0]
        return self._assembler.assemble(parts, known)

    def of_hub_in_cache(self, repo: str, folder: str, revision: str) -> ModelFiles | Labels | None:
        """What is here of a model that the registry does not have. What is known of it is found by its hash."""
        try:
            model = self._hub_model(Cache(), repo, folder, revision)
        except FileNotInRepositoryError:
            return None
        try:
            return self._assemble_from_hub(model)
        except FileNotInRepositoryError:
            return hashed_labels(model.labels, None if model.description is None else model.description.labels)[0]

    def _hub_model(self, source: HubSource, repo: str, folder: str, revision: str) -> HubModel:
        return HubModel(source, self._text, repo, folder, revision)

    def _assemble_from_hub(self, model: HubModel) -> ModelFiles:
        parts = model.parts()
        return self._assembler.assemble(parts, model.description or self._known(parts.model))

    def _described_in_folder(self, folder: Path, described_in: Path, description: ModelDescription) -> ModelFiles:
        places = {file.path: folder / file.path for file in description.files}
        if missing := [path for path, place in places.items() if not mode_of(place)]:
            raise ModelNotFoundError(f"{described_in} names {', '.join(missing)}, which {folder} does not have")
        read_graph(places[description.model.path])
        for file in description.files:
            if file.sha256 is not None and (found := self._assembler.sha256(places[file.path])) != file.sha256:
                raise ModelContractError(
                    f"{described_in}: {file.path} has sha256 {found}, not {file.sha256}: fetch it again, or leave out"
                    " the sha256"
                )
        parts = Parts.of(description, places, described_in=described_in)
        published, preprocess = (
            _first_there(folder, (name,)) if is_open else None for name, is_open in left_open(description).items()
        )
        parts = replace(parts, published=parts.published or published, preprocess=parts.preprocess or preprocess)
        return self._assembler.assemble(parts, description)

    def _by_hand(self, known: ModelDescription, revision: str) -> Parts | None:
        """The files that a person has put into the model's folder, all of them and of the pinned revision."""
        places = None if revision else put_by_hand(known)
        if places is None:
            return None
        files = remote_files(known)
        for path, place in places.items():
            file = files[path]
            if file.sha256 is not None and self._assembler.sha256(place) != file.sha256:
                raise DownloadError(f"{place} is not the file of {known.id} (sha256 {file.sha256}); fetch {file.url}")
        return Parts.of(known, places)

    def _known(self, model_path: Path) -> ModelDescription | None:
        """The known model that this file is."""
        return registry.find_by_sha256(self._assembler.sha256(model_path))


def _without_tags(known: ModelDescription) -> ModelFiles:
    """The model that adds no tag. Nothing of it lies on a disk."""
    return ModelFiles(
        id=known.id,
        model_path=_BUILTIN_FOLDER / "none",
        labels_path=_BUILTIN_FOLDER / "none",
        labels=Labels((), ()),
        spec=known.spec or InputSpec(),
        activation=known.activation or "none",
        output_name=None,
        hashes=(),
        pinned=True,
        identity=known.id,
        thresholds=Published(),
    )


def _first_there(folder: Path, names: Sequence[str]) -> Path | None:
    """The first of these names under which something lies in the folder."""
    return next((folder / name for name in names if mode_of(folder / name)), None)


def _model_in(folder: Path) -> Path:
    for name in MODEL_FILES:
        if mode_of(folder / name):
            return folder / name
    others = sorted(folder.glob("*.onnx"))
    if len(others) == 1:
        return others[0]
    found = ", ".join(path.name for path in others) or "no .onnx file"
    raise ModelNotFoundError(f"{folder}: expected {registry.MODEL_FILE}, found {found}")


def _unknown(text: str) -> str:
    """Says that a model is not known, and which one may be meant."""
    meant = _meant(text)
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    question = f" Did you mean {meant}?" if meant else ""
    return (
        f"there is no model {shown!r}.{question} Expected a model of the list ('wd14-captioner models'), owner/name on"
        " the Hugging Face hub, or a folder with model.onnx and selected_tags.csv"
    )


def _meant(text: str) -> str | None:
    """The known model whose id, or last part of it, is closest to what was written."""
    if len(text) > _SHOWN:
        return None
    known = {name.lower(): model.id for model in registry.MODELS for name in (model.id, model.id.rpartition("/")[2])}
    close = difflib.get_close_matches(text.partition("@")[0].lower(), list(known), n=1, cutoff=0.8)
    return known[close[0]] if close else None
