"""From a model's id or folder to its files on this machine, checked and named. Opens no session."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wd14.cache_folders import models_folder
from wd14.errors import DownloadError, ModelNotFoundError, StoreError
from wd14.model.activation import Activation
from wd14.model.files import contract, download, registry
from wd14.model.files.download import RemoteFile
from wd14.model.files.graph import GraphFacts, read_graph
from wd14.model.files.hashes import identity_of, sha256_of
from wd14.model.files.labels import JSON_NAME, LABEL_FILES, read_labels
from wd14.model.files.registry import ModelDescription
from wd14.stop import StopToken
from wd14.types import InputSpec, Labels, Log

#: Names under which a folder may hold the graph; the second is what kohya loads of cl_tagger.
MODEL_FILES = (registry.MODEL_FILE, "model_optimized.onnx")

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
    identity: str  #: names weights and labels; the same files have the same one wherever they lie
    thresholds: Mapping[str, float]  #: published, by category or for "all"; empty where none are known
    description: ModelDescription | None  #: None for a model that the registry does not have
    revision: str | None  #: commit on the hub; None for a folder


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
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:  # no user of that name
        raise ModelNotFoundError(_unknown(text)) from error
    name, _, revision = text.partition("@")
    known = registry.find(name) if isinstance(model, str) else None
    finder = _Finder(text, log, stop)
    if known is not None:
        return finder.known(known, revision)
    if text and (path.is_dir() or path.suffix.lower() == ".onnx"):
        return finder.local(path)
    wanted = _HUB_ID.fullmatch(text)
    if wanted is None or isinstance(model, Path) or text.lower().startswith("builtin/"):
        raise ModelNotFoundError(_unknown(text))
    return finder.on_the_hub(wanted["repo"], wanted["subfolder"].strip("/"), wanted["revision"] or "main")


def is_here(known: ModelDescription) -> bool:
    """Whether a model can be used with no network: shipped, put here by hand, or in the hub's cache. Checks no hash."""
    if known.repo is None or _put_by_hand(known) is not None:
        return True
    return all(download.cached(file) is not None for file in _remote_files(known))


class _Finder:
    """Finds one model.

    Args:
        text: the id or folder, as the user wrote it.
        log: is told about a download.
        stop: ends a download or a check.
    """

    def __init__(self, text: str, log: Log | None, stop: StopToken | None) -> None:
        self._text = text
        self._log = log
        self._stop = stop

    def known(self, known: ModelDescription, revision: str) -> ModelFiles:
        """A model of the registry: at its pinned revision, or at another one that the user names."""
        if known.repo is None:
            return self._files(_BUILTIN_FOLDER / known.model.name, _BUILTIN_FOLDER / known.labels.name, known)
        files = _remote_files(known, revision)
        folder = None if revision else _put_by_hand(known)
        if folder is not None:
            model_path, labels_path = folder / known.model.name, folder / known.labels.name
            for file, path in zip(files, (model_path, labels_path), strict=True):
                if file.sha256 is not None and self._sha256(path) != file.sha256:
                    raise DownloadError(
                        f"{path} is not the file of {known.id} (sha256 {file.sha256}); fetch {file.url}"
                    )
            return self._files(model_path, labels_path, known)
        hint = _hint(known.id, files)
        labels_path, model_path = self._fetch(files[1], hint), self._fetch(files[0], hint)
        return self._files(model_path, labels_path, known, revision=download.revision_of(model_path))

    def on_the_hub(self, repo: str, subfolder: str, revision: str) -> ModelFiles:
        """A model that the registry does not have. The labels come first: without them it is no tagger's repository."""
        prefix = f"{subfolder}/" if subfolder else ""
        label_names = sorted(LABEL_FILES, key=lambda name: name != JSON_NAME) if subfolder else LABEL_FILES
        files = tuple(RemoteFile(repo, prefix + name, revision) for name in (MODEL_FILES[0], label_names[0]))
        hint = _hint(self._text, files)
        try:
            labels_path = self._first_there(repo, prefix, label_names, revision, hint)
        except ModelNotFoundError as error:
            if meant := _meant(self._text):
                raise ModelNotFoundError(f"{error} Did you mean {meant}?") from error
            raise
        commit = download.revision_of(labels_path) or revision
        model_path = self._first_there(repo, prefix, MODEL_FILES, commit, hint)
        known = registry.find_by_sha256(self._sha256(model_path))
        return self._files(model_path, labels_path, known, revision=commit)

    def local(self, path: Path) -> ModelFiles:
        """A model folder, or an `.onnx` file in one."""
        folder = path if path.is_dir() else path.parent
        model_path = _model_in(folder) if path.is_dir() else path
        labels_path = _labels_in(folder)
        if not model_path.is_file():
            raise ModelNotFoundError(f"there is no model file {model_path}")
        graph = read_graph(model_path)  # what is no model at all is said before a second goes into hashing it
        return self._files(model_path, labels_path, registry.find_by_sha256(self._sha256(model_path)), graph=graph)

    def _first_there(self, repo: str, prefix: str, names: Sequence[str], revision: str, hint: str) -> Path:
        """The first of these files that the repository has."""
        missing: ModelNotFoundError | None = None
        for name in names:
            try:
                return self._fetch(RemoteFile(repo, prefix + name, revision), hint)
            except download.FileNotThereError as error:
                missing = error
        raise ModelNotFoundError(
            f"{repo} has no {' and no '.join(prefix + name for name in names)} at revision {revision};"
            " a tagger needs model.onnx and selected_tags.csv or tag_mapping.json"
        ) from missing

    def _fetch(self, file: RemoteFile, hint: str) -> Path:
        return download.fetch(file, by_hand=hint, log=self._log, stop=self._stop)

    def _sha256(self, path: Path) -> str:
        return sha256_of(path, stop=self._stop)

    def _files(
        self,
        model_path: Path,
        labels_path: Path,
        known: ModelDescription | None,
        *,
        revision: str | None = None,
        graph: GraphFacts | None = None,
    ) -> ModelFiles:
        """Reads the labels, and the graph where it is not the one that the registry knows."""
        labels = read_labels(labels_path)
        model_sha256, external = self._sha256(model_path), []
        if known is None or model_sha256 != known.model.sha256:  # not the pinned file: weights only in its own folder
            graph = graph or read_graph(model_path)
            contract.check_external(model_path, graph)
        if known is not None:
            spec, output_name, activation = known.spec, known.output_name, known.activation
        else:
            graph = graph or read_graph(model_path)
            external = [self._sha256(model_path.parent / location) for location in graph.external]
            interface = contract.read_interface(graph.inputs, graph.outputs, labels, model=str(model_path))
            spec, output_name = contract.spec_of(interface, labels), interface.output_name
            activation = graph.activations[interface.output_name]
        hashes = (model_sha256, self._sha256(labels_path), *external)
        return ModelFiles(
            id=self._text,
            model_path=model_path,
            labels_path=labels_path,
            labels=labels,
            spec=spec,
            activation=activation,
            output_name=output_name,
            identity=identity_of(*hashes, str(spec), activation),
            thresholds=known.thresholds if known is not None else {},
            description=known,
            revision=revision,
        )


def folder_by_hand(model_id: str) -> Path | None:
    """Where a person can put a model's files when this machine cannot fetch them; None without a home folder."""
    try:
        return models_folder() / model_id.partition("@")[0].replace("/", "_")
    except StoreError:
        return None


def _remote_files(known: ModelDescription, revision: str = "") -> tuple[RemoteFile, RemoteFile]:
    """The model and its labels; of a revision that the user names, nothing is known beforehand."""
    repo, at = known.repo or "", revision or known.revision or "main"
    if revision and revision != known.revision:
        return RemoteFile(repo, known.model.path, at), RemoteFile(repo, known.labels.path, at)
    return (
        RemoteFile(repo, known.model.path, at, known.model.sha256, known.model.size),
        RemoteFile(repo, known.labels.path, at, known.labels.sha256, known.labels.size),
    )


def _put_by_hand(known: ModelDescription) -> Path | None:
    folder = folder_by_hand(known.id)
    if folder is None or not ((folder / known.model.name).is_file() and (folder / known.labels.name).is_file()):
        return None
    return folder


def _hint(model_id: str, files: tuple[RemoteFile, ...]) -> str:
    """What a person can do without the hub."""
    folder = folder_by_hand(model_id)
    place = f"put both files into {folder}, or into" if folder is not None else "put both files into"
    return (
        f"Without the hub: fetch {' and '.join(file.url for file in files)}, {place} any folder and name that as model."
    )


def _model_in(folder: Path) -> Path:
    for name in MODEL_FILES:
        if (folder / name).is_file():
            return folder / name
    others = sorted(folder.glob("*.onnx"))
    if len(others) == 1:
        return others[0]
    found = ", ".join(path.name for path in others) or "no .onnx file"
    raise ModelNotFoundError(f"{folder}: expected {registry.MODEL_FILE}, found {found}")


def _labels_in(folder: Path) -> Path:
    for name in LABEL_FILES:
        if (folder / name).is_file():
            return folder / name
    raise ModelNotFoundError(
        f"{folder}: expected {' or '.join(LABEL_FILES)} beside the model, found neither; it lists the model's tags"
    )


def _unknown(text: str) -> str:
    """Says that a model is not known, and which one may be meant."""
    meant = _meant(text)
    question = f" Did you mean {meant}?" if meant else ""
    return (
        f"there is no model {text!r}.{question} Expected a model of the list ('wd14-captioner models'), owner/name on"
        " the Hugging Face hub, or a folder with model.onnx and selected_tags.csv"
    )


def _meant(text: str) -> str | None:
    """The known model whose id, or last part of it, is closest to what was written."""
    known = {model.id.lower(): model.id for model in registry.MODELS}
    known |= {model.id.rpartition("/")[2].lower(): model.id for model in registry.MODELS}
    close = difflib.get_close_matches(text.partition("@")[0].lower(), list(known), n=1, cutoff=0.8)
    return known[close[0]] if close else None
