"""From a model's id or folder to its files on this machine, checked and named. Opens no session."""

from __future__ import annotations

import contextlib
import difflib
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wd14.cache_folders import cache_folder
from wd14.config import NO_MODEL
from wd14.errors import DownloadError, ModelNotFoundError, StoreError
from wd14.input_spec import InputSpec
from wd14.model.activation import Activation
from wd14.model.files import download, registry
from wd14.model.files.download import RemoteFile
from wd14.model.files.download_errors import FileNotInRepositoryError
from wd14.model.files.hashes import FileHash, hash_file, identity_of
from wd14.model.files.interface import check_external, guess_spec, read_interface
from wd14.model.files.labels import LABEL_FILES, hashed_labels
from wd14.model.files.registry import ModelDescription
from wd14.model.graph.facts import read_graph
from wd14.published import Published
from wd14.regular_files import mode_of
from wd14.stop import StopToken
from wd14.types import Labels, Log

#: Names under which a folder may hold the graph; the second is what kohya loads of cl_tagger.
MODEL_FILES = (registry.MODEL_FILE, "model_optimized.onnx")

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


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model on this machine: everything but the session."""

    id: str  #: the id or folder, as the user wrote it
    model_path: Path
    labels_path: Path
    labels: Labels
    spec: InputSpec
    activation: Activation  #: what the output still needs
    output_name: str | None  #: None = the only output
    hashes: tuple[FileHash, ...]  #: of the files with weights
    pinned: bool  #: whether the graph is one that the registry or this package vouches for
    identity: str  #: names weights and labels; the same files have the same one wherever they lie
    thresholds: Published  #: those that the author published
    input_name: str | None = None  #: of the pictures; None = the only input
    mask_name: str | None = None  #: of the input that says which pixels are padding; None = there is none


def find_model(model: str | Path, *, log: Log | None = None, stop: StopToken | None = None) -> ModelFiles:
    """The files of a model: found or downloaded, verified, its labels read, its interface known.

    Args:
        model: an id of the registry, `owner/name` or `owner/name/subfolder` on the hub (each with `@revision`), a
            folder with `model.onnx` and `selected_tags.csv` or `tag_mapping.json`, or an `.onnx` file in such a folder.
        log: is told about a download.
        stop: ends a download or a check.

    Raises:
        ModelNotFoundError: no such model, or a file of it is missing.
        DownloadError: it could not be fetched.
        LabelsError: its label file cannot be read.
        ModelContractError: it is no tagger, or does not fit its labels.
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
        LabelsError: its label file cannot be read.
        ModelContractError: it is no tagger, or does not fit its labels.
        JobStoppedError: a stop was asked for.
    """
    text = model.strip()
    finder = _Finder(text, lambda _: None, stop or StopToken())
    name, _, revision = text.partition("@")
    known = registry.find(name)
    if known is not None and known.repo is not None:
        by_hand = None if revision else _put_by_hand(known)
        return finder.in_cache(*(by_hand or map(download.cached, _remote_files(known, revision))))
    wanted = _HUB_ID.fullmatch(text) if known is None else None
    if wanted is None or mode_of(Path(text)):
        return find_model(model, stop=stop)
    prefix = f"{wanted['subfolder'].strip('/')}/".lstrip("/")
    files = [
        [RemoteFile(wanted["repo"], prefix + name, wanted["revision"] or "main") for name in names]
        for names in (MODEL_FILES, LABEL_FILES)
    ]
    return finder.in_cache(*(next(filter(None, map(download.cached, several)), None) for several in files))


def is_here(known: ModelDescription) -> bool:
    """Whether a model can be used with no network: shipped, put here by hand, or in the hub's cache. Checks no hash."""
    if known.repo is None or _put_by_hand(known) is not None:
        return True
    return all(download.cached(file) is not None for file in _remote_files(known))


def folder_by_hand(model_id: str) -> Path | None:
    """Where a person can put a model's files when this machine cannot fetch them; None without a home folder."""
    try:
        return cache_folder() / "models" / model_id.partition("@")[0].replace("/", "_")
    except StoreError:
        return None


class _Finder:
    """Finds one model, which the user calls `text`."""

    def __init__(self, text: str, log: Log, stop: StopToken) -> None:
        self._text = text
        self._log = log
        self._stop = stop
        self._hashes: dict[Path, FileHash] = {}

    def in_registry(self, known: ModelDescription, revision: str) -> ModelFiles:
        """A model of the registry: at its pinned revision, or at another one that the user names."""
        if known.repo is None:
            if revision:
                raise ModelNotFoundError(f"{known.id} has no revisions: leave out @{revision[:_SHOWN]}")
            if known.id == NO_MODEL:
                return _without_tags(known)
            return self._files(_BUILTIN_FOLDER / known.model.name, _BUILTIN_FOLDER / known.labels.name, known)
        files = _remote_files(known, revision)
        by_hand = None if revision else _put_by_hand(known)
        if by_hand is None:
            hint = _hint(known.id, *files)
            labels_path, model_path = self._fetch(files[1], hint), self._fetch(files[0], hint)
            return self._files(model_path, labels_path, known)
        for file, path in zip(files, by_hand, strict=True):
            if file.sha256 is not None and self._sha256(path) != file.sha256:
                raise DownloadError(f"{path} is not the file of {known.id} (sha256 {file.sha256}); fetch {file.url}")
        return self._files(*by_hand, known)

    def on_hub(self, repo: str, subfolder: str, revision: str) -> ModelFiles:
        """A model that the registry does not have. The labels come first: without them it is no tagger's repository."""
        prefix = f"{subfolder}/" if subfolder else ""
        label_names = LABEL_FILES[::-1] if subfolder else LABEL_FILES  # cl_tagger has subfolders, and JSON in them
        likely = [RemoteFile(repo, prefix + name, revision) for name in (MODEL_FILES[0], label_names[0])]
        hint = _hint(self._text, *likely)
        try:
            labels_path = self._first_on_hub(repo, prefix, label_names, revision, hint)
        except ModelNotFoundError as error:
            if meant := _meant(self._text):
                raise ModelNotFoundError(f"{error} Did you mean {meant}?") from error
            raise
        commit = download.revision_of(labels_path) or revision  # of both files, though a branch may move in between
        model_path = self._first_on_hub(repo, prefix, MODEL_FILES, commit, hint)
        return self._files(model_path, labels_path, registry.find_by_sha256(self._sha256(model_path)))

    def in_folder(self, path: Path) -> ModelFiles:
        """A model folder, or an `.onnx` file in one."""
        folder = path if stat.S_ISDIR(mode_of(path)) else path.parent
        model_path = _model_in(folder) if folder == path else path
        labels_path = next((folder / name for name in LABEL_FILES if mode_of(folder / name)), None)
        if labels_path is None:
            names = " or ".join(LABEL_FILES)
            raise ModelNotFoundError(
                f"{folder}: expected {names} beside the model, found neither; it lists the model's tags"
            )
        read_graph(model_path)  # what is no model at all is said before a second goes into hashing it
        return self._files(model_path, labels_path, registry.find_by_sha256(self._sha256(model_path)))

    def in_cache(self, model_path: Path | None, labels_path: Path | None) -> ModelFiles | Labels | None:
        """A model of which these files are here. What is known of it is found by its hash, so nothing is fetched."""
        if labels_path is None:
            return None
        if model_path is None:
            return hashed_labels(labels_path)[0]
        return self._files(model_path, labels_path, registry.find_by_sha256(self._sha256(model_path)))

    def _first_on_hub(self, repo: str, prefix: str, names: Sequence[str], revision: str, hint: str) -> Path:
        """The first of these files that the repository has."""
        for name in names:
            with contextlib.suppress(FileNotInRepositoryError):
                return self._fetch(RemoteFile(repo, prefix + name, revision), hint)
        raise ModelNotFoundError(
            f"{repo} has no {' and no '.join(prefix + name for name in names)} at revision {revision};"
            " a tagger needs model.onnx and selected_tags.csv or tag_mapping.json"
        )

    def _fetch(self, file: RemoteFile, hint: str) -> Path:
        return download.fetch(file, by_hand=hint, log=self._log, stop=self._stop)

    def _sha256(self, path: Path) -> str:
        return self._hash(path).sha256

    def _hash(self, path: Path) -> FileHash:
        """The file's hash, worked out once."""
        real = path.resolve()
        if real not in self._hashes:
            self._hashes[real] = hash_file(path, stop=self._stop)
        return self._hashes[real]

    def _files(self, model_path: Path, labels_path: Path, known: ModelDescription | None) -> ModelFiles:
        """Reads the labels, and the graph where it is not the one that the registry knows."""
        labels, labels_sha256 = hashed_labels(labels_path)
        parts = [self._sha256(model_path), labels_sha256]
        weights = [model_path]
        pinned = known is not None and (known.repo is None or parts[0] == known.model.sha256)
        graph = None if pinned else read_graph(model_path)
        if graph is not None:
            check_external(model_path, graph)
            weights += [model_path.parent / location for location in graph.external]
        if known is not None and known.spec is not None and known.activation is not None:
            spec, output_name, activation = known.spec, known.output_name, known.activation
        else:
            graph = graph or read_graph(model_path)
            interface = read_interface(graph.inputs, graph.outputs, labels, model=str(model_path))
            spec, output_name = guess_spec(interface, labels), interface.output_name
            activation = graph.activations[output_name]
        parts += map(self._sha256, weights[1:])
        hashes = tuple({file.path: file for file in map(self._hash, weights)}.values())
        for file in hashes:  # what was read of the graph is of the file that was hashed
            file.check()
        return ModelFiles(
            id=self._text,
            model_path=model_path,
            labels_path=labels_path,
            labels=labels,
            spec=spec,
            activation=activation,
            output_name=output_name,
            hashes=hashes,
            pinned=pinned,
            identity=identity_of(*parts, str(spec), activation),
            thresholds=Published()
            if known is None
            else Published(known.thresholds, is_preferred=known.prefers_own_thresholds),
        )


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


def _remote_files(known: ModelDescription, revision: str = "") -> tuple[RemoteFile, RemoteFile]:
    """The model and its labels; of another revision than the pinned one nothing is known beforehand."""
    pinned = revision in ("", known.revision)
    model, labels = (
        RemoteFile(known.repo or "", file.path, revision or known.revision or "", file.sha256 if pinned else None)
        for file in (known.model, known.labels)
    )
    return model, labels


def _put_by_hand(known: ModelDescription) -> tuple[Path, Path] | None:
    """The model and its labels, where a person has put both into their folder."""
    folder = folder_by_hand(known.id)
    if folder is None:
        return None
    model_path, labels_path = folder / known.model.name, folder / known.labels.name
    here = all(stat.S_ISREG(mode_of(path)) for path in (model_path, labels_path))
    return (model_path, labels_path) if here else None


def _hint(model_id: str, *files: RemoteFile) -> str:
    """How to get a model without the hub."""
    folder = folder_by_hand(model_id)
    place = "" if folder is None else f" {folder}, or into"
    urls = " and ".join(file.url for file in files)
    return f"Without the hub: fetch {urls}, put both files into{place} any folder and name that as model."


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
