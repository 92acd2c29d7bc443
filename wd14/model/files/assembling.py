"""From the places of a model's files to `ModelFiles`: read, checked against each other, named. Opens no session."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wd14.errors import DescriptionError, ModelContractError, ModelNotFoundError
from wd14.input_spec import InputSpec
from wd14.model.activation import SIGMOIDS, Activation
from wd14.model.files import registry
from wd14.model.files.description import LabelsDescription, ModelDescription
from wd14.model.files.hashes import FileHash, hash_file, identity_of
from wd14.model.files.interface import Interface, check_external, check_spec, guess_spec, read_interface
from wd14.model.files.labels import hashed_labels
from wd14.model.files.model_files import ModelFiles
from wd14.model.files.threshold_file import hashed_thresholds
from wd14.model.graph.facts import GraphFacts, read_graph
from wd14.published import Published
from wd14.stop import StopToken
from wd14.types import UNUSED, Labels


@dataclass(frozen=True, slots=True)
class Parts:
    """Where a model's files lie. Weights that the graph keeps in other files lie beside it."""

    model: Path
    labels: Path
    published: Path | None = None  #: thresholds
    preprocess: Path | None = None
    described_in: Path | None = None  #: a person's own description; None = a known model, or one that nobody described

    @classmethod
    def of(
        cls, description: ModelDescription, places: Mapping[str, Path], *, described_in: Path | None = None
    ) -> Parts:
        """The parts of a described model.

        Args:
            description: of the model.
            places: of its files, by their paths in the description.
            described_in: the description, where it is a person's own.
        """
        published, preprocess = (
            None if file is None else places.get(file.path) for file in (description.published, description.preprocess)
        )
        model, labels = places[description.model.path], places[description.labels.path]
        return cls(model, labels, published, preprocess, described_in)


class Assembler:
    """Assembles one model, which the user calls `name`."""

    def __init__(self, name: str, stop: StopToken) -> None:
        self._name = name
        self._stop = stop
        self._hashes: dict[Path, FileHash] = {}

    def sha256(self, path: Path) -> str:
        """The file's hash, worked out once."""
        return self._hash(path).sha256

    def assemble(self, parts: Parts, description: ModelDescription | None) -> ModelFiles:
        """Reads the labels and the thresholds, and the graph where it is not one that the registry knows.

        Costs 0.05 s for 10,000 tags, some 30 ms for a graph that is read, and the hashing of what is not remembered.

        Args:
            parts: where the files are.
            description: of the model; None where there is none.

        Raises:
            ModelNotFoundError: a file is missing.
            LabelsError: the labels or the thresholds cannot be read, or do not fit their description.
            DescriptionError: the `preprocess.json` cannot be read, or thresholds of the `tagger.json` mean nothing.
            ModelContractError: it is no tagger, or does not fit its labels or its description.
            JobStoppedError: a stop was asked for.
        """
        labels, labels_sha256, by_tag = hashed_labels(parts.labels, _of_labels(parts.labels, description))
        sha256 = self.sha256(parts.model)
        pinned = _is_pinned(parts, description, sha256)
        weights = [parts.model]
        graph: GraphFacts | None = None
        if description is None or not pinned or description.external or parts.described_in is not None:
            graph = read_graph(parts.model)
            check_external(parts.model, graph)
            weights += [parts.model.parent / location for location in graph.external]
        contract = _Contract.of(parts, description, graph, labels)
        hashes = tuple({file.path: file for file in map(self._hash, weights)}.values())
        for file in hashes:  # what was read of the graph is of the file that was hashed
            file.check()
        of_files = [sha256, labels_sha256, *map(self.sha256, weights[1:])]
        meaning = [str(contract.spec), contract.activation, *_own_meaning(parts, description, graph, labels)]
        return ModelFiles(
            id=self._name,
            model_path=parts.model,
            labels_path=parts.labels,
            labels=labels,
            spec=contract.spec,
            activation=contract.activation,
            output_name=contract.output_name,
            hashes=hashes,
            pinned=pinned,
            identity=identity_of(*of_files, *meaning),
            thresholds=_published(parts, description, labels, by_tag),
            input_name=None if description is None else description.input_name,
            mask_name=None if description is None else description.mask_name,
        )

    def _hash(self, path: Path) -> FileHash:
        real = path.resolve()
        if real not in self._hashes:
            self._hashes[real] = hash_file(path, stop=self._stop)
        return self._hashes[real]


@dataclass(frozen=True, slots=True)
class _Contract:
    """How a model is fed and read."""

    spec: InputSpec
    activation: Activation
    output_name: str | None

    @classmethod
    def of(
        cls, parts: Parts, description: ModelDescription | None, graph: GraphFacts | None, labels: Labels
    ) -> _Contract:
        """As the description says; what that leaves open, a `preprocess.json` and the graph say.

        Raises:
            ModelContractError: the graph is none of such a tagger.
        """
        spec = _described_spec(parts, description)
        output_name = None if description is None else description.output_name
        activation = None if description is None else description.activation
        if graph is None and (spec is None or activation is None):
            graph = read_graph(parts.model)
        if graph is not None:
            interface = _interface(parts, description, graph, labels)
            if spec is None:
                spec = guess_spec(interface, labels)
            elif description is None or description.spec is None:
                spec = replace(spec, layout=interface.layout)  # of which a `preprocess.json` says nothing
            steps = parts.preprocess if spec.fit == "stages" else None
            check_spec(interface, spec, str(parts.model), said_by=_speaker(parts), steps=steps)
            output_name = interface.output_name
            if parts.described_in is not None and activation == "sigmoid":
                _check_activation(parts, graph, output_name)
            activation = activation or graph.activations[output_name]
        return cls(spec or InputSpec(), activation or "none", output_name)


def _check_activation(parts: Parts, graph: GraphFacts, output: str) -> None:
    """Raises `ModelContractError` where a sigmoid would follow another: no score would be below 0.5."""
    if (operator := graph.operators.get(output)) in SIGMOIDS:
        raise ModelContractError(
            f"{parts.model}: expected logits, the output {output!r} comes from {operator}, which gives probabilities;"
            f' output.activation of {_speaker(parts)} must be "none"'
        )


def _interface(parts: Parts, description: ModelDescription | None, graph: GraphFacts, labels: Labels) -> Interface:
    return read_interface(
        graph.inputs,
        graph.outputs,
        labels,
        model=str(parts.model),
        output_name=None if description is None else description.output_name,
        input_name=None if description is None else description.input_name,
        mask_name=None if description is None else description.mask_name,
        label_file=str(parts.labels),
        said_by=_speaker(parts),
    )


def _described_spec(parts: Parts, description: ModelDescription | None) -> InputSpec | None:
    """How pictures are prepared, as far as files beside the graph say it."""
    spec = None if description is None else description.spec
    elsewhere = None if description is None else description.preprocess
    if parts.preprocess is None and elsewhere is not None:
        raise ModelNotFoundError(
            f"{parts.model.parent}: expected {elsewhere.name} beside the model, found none; it says how the model wants"
            " its pictures"
        )
    if parts.preprocess is None or (spec is not None and elsewhere is None):
        return spec
    from wd14.model.files.preprocess_file import read_preprocess  # few models have one

    return read_preprocess(parts.preprocess) if spec is None else read_preprocess(parts.preprocess, spec)


def _speaker(parts: Parts) -> str:
    return "its description" if parts.described_in is None else str(parts.described_in)


def _of_labels(path: Path, description: ModelDescription | None) -> LabelsDescription | None:
    """What is said of the label file; nothing where a folder has another one than the model was published with."""
    return description.labels if description is not None and description.labels.name == path.name else None


def _is_pinned(parts: Parts, description: ModelDescription | None, sha256: str) -> bool:
    """Whether the graph is one that the list of known models vouches for, or that ships with the package."""
    if parts.described_in is None and description is not None and description.repo is None:
        return True
    if registry.find_by_sha256(sha256) is not None:
        return True
    return parts.described_in is None and description is not None and description.model.sha256 == sha256


def _published(
    parts: Parts, description: ModelDescription | None, labels: Labels, by_tag: dict[int, float]
) -> Published:
    """The author's thresholds: those of a file of their own come before the label file's, the description's before."""
    found = Published()
    if parts.published is not None:
        of_labels = None if description is None else description.labels
        found = hashed_thresholds(parts.published, labels, of_labels)[0]
    described = {} if description is None else description.thresholds
    published = Published(
        {**found.by_category, **described},
        {**by_tag, **found.by_tag},
        is_preferred=description is not None and description.prefers_own_thresholds,
    )
    if parts.described_in is not None:
        _check_thresholds(parts, described, published, labels)
    return published


def _check_thresholds(parts: Parts, described: Mapping[str, float], published: Published, labels: Labels) -> None:
    """Checks that thresholds of a person's description mean something.

    Raises:
        DescriptionError: one is of a category that no tag has, or there are none of which it says that they are used.
    """
    there = sorted({*labels.categories} - {UNUSED})
    for name in described:
        if name not in ("all", *there):
            raise DescriptionError(
                f"{parts.described_in}: thresholds.{name}: expected all, or a category of {parts.labels.name}:"
                f" {', '.join(there)}"
            )
    if published.is_preferred and not published.by_category and not published.by_tag:
        raise DescriptionError(
            f"{parts.described_in}: use_own_thresholds is true, and there are no thresholds: give some as thresholds or"
            " thresholds_file"
        )


def _own_meaning(
    parts: Parts, description: ModelDescription | None, graph: GraphFacts | None, labels: Labels
) -> Sequence[str]:
    """What beside the files and the input decides which scores are stored, where a description says it.

    That is which outputs count as ratings or as unused, and which of several outputs holds the scores. Nothing for the
    models of 1.x, whose stored scores stay valid.
    """
    if description is None:
        return ()
    meaning = []
    of_labels = _of_labels(parts.labels, description)
    if of_labels is not None and (of_labels.skip or of_labels.categories or of_labels.tags):
        meaning.append("categories " + hashlib.sha256("\n".join(labels.categories).encode()).hexdigest())
    if parts.described_in is not None and description.output_name is not None and graph and len(graph.outputs) > 1:
        meaning.append(f"output {description.output_name}")
    return meaning
