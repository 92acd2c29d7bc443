"""Descriptions of taggers: which files a model has, how it wants its pictures, and what its output is.

They are JSON: those of the known models in `wd14/model/taggers`, a person's own in a `tagger.json` beside the model.
docs/taggers.md explains every field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

from wd14.input_spec import WHITE, InputSpec
from wd14.model.activation import Activation
from wd14.model.files.stages import colour_of, stage_of

#: Files that a model's folder or repository may have beside the model: a person's description of it; what many authors
#: say of how pictures are prepared, and of thresholds.
DESCRIPTION_FILE = "tagger.json"
PREPROCESS_FILE = "preprocess.json"
THRESHOLDS_FILE = "thresholds.csv"

#: Forms of label files; docs/taggers.md shows each.
LabelForm = Literal["csv", "tag_mapping", "idx_to_tag", "tags_split", "lines"]


@dataclass(frozen=True, slots=True)
class FileDescription:
    """A file of a model."""

    path: str  #: in the repository
    sha256: str | None = None
    size: int | None = None  #: bytes

    @property
    def name(self) -> str:
        """The path's last part."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class LabelsDescription(FileDescription):
    """A model's label file."""

    form: LabelForm | None = None  #: None = as its name and its content say
    skip: tuple[int | str, ...] = ()  #: outputs that are no tags, by position or name: 0, "<PAD>"
    categories: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The file's category -> ours, where it has its own: `{"1": "style"}`."""
    tags: Mapping[str, tuple[str, str]] = field(default_factory=lambda: MappingProxyType({}))
    """The file's tag -> our name and category, where they differ: `{"rating:g": ("general", "rating")}`."""


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """A tagger that is described by data. None stands for "not published, or not known".

    Attributes:
        id: what a user writes; empty for a model that a person describes in its folder.
        repo: its repository on the Hugging Face hub; None for what ships with the package, and in a person's folder.
        revision: the pinned commit.
        model: the ONNX file; `builtin/none` has neither file.
        labels: the file that lists the tags.
        tags: how many tags it knows.
        licence: the model's: an SPDX identifier, or the name of its own.
        spec: how it wants pictures: size, layout, channels, range of values, padded or stretched. Where there is a
            `preprocess`, that says it, and `spec` has layout, channels and background only. None = the graph says it.
        activation: what its output still needs: "sigmoid" for logits, "none" for probabilities; None = the graph says.
        output_name: the output that holds the scores; None = the only one.
        thresholds: published by the author, 0..1, by category, or for "all" of them.
        prefers_own_thresholds: whether they are used where a person sets none: it works far from the usual 0.35.
        family: what its kind is called.
        external: files with weights beside the model, under the names that the graph has for them.
        published: the file of thresholds for single tags or categories; `labels` may hold them too.
        preprocess: the `preprocess.json` that says how pictures are prepared.
        input_name: the input for pictures; None = the only one.
        mask_name: the input that says which pixels are padding; None = there is none.
        gated: whether the hub gives its files only to those who accepted its terms.
        terms: what a person should know of the licence, as a sentence.
    """

    id: str
    repo: str | None
    revision: str | None
    model: FileDescription
    labels: LabelsDescription
    tags: int | None = None
    licence: str | None = None
    spec: InputSpec | None = field(default_factory=InputSpec)
    activation: Activation | None = "none"
    output_name: str | None = None
    thresholds: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    prefers_own_thresholds: bool = False
    family: str = ""
    external: tuple[FileDescription, ...] = ()
    published: FileDescription | None = None
    preprocess: FileDescription | None = None
    input_name: str | None = None
    mask_name: str | None = None
    gated: bool = False
    terms: str = ""

    @property
    def needed(self) -> tuple[FileDescription, ...]:
        """The files without which it does not run: all but thresholds of which nobody confirmed that they are there."""
        unsure = None if self.published is None or self.published.sha256 is not None else self.published
        return tuple(file for file in self.files if file is not unsure)

    @property
    def files(self) -> tuple[FileDescription, ...]:
        """All files that it needs: the graph, its weights, the labels, and what else there is."""
        optional = (self.published, self.preprocess)
        return (self.model, *self.external, self.labels, *(file for file in optional if file is not None))


def described(value: Mapping[str, Any]) -> ModelDescription:
    """The model of a description that is known to be right: `description_file.check` has seen it, or the tests have."""
    input_, output = value.get("input", {}), value.get("output", {})
    published, preprocess = value.get("thresholds_file"), value.get("preprocess")
    return ModelDescription(
        id=value.get("id", ""),
        repo=value.get("repo"),
        revision=value.get("revision"),
        model=FileDescription(**value["model"]),
        labels=_labels(**value["labels"]),
        tags=value.get("tags"),
        licence=value.get("licence"),
        spec=_spec(input_, has_preprocess=preprocess is not None),
        activation=output.get("activation"),
        output_name=output.get("name"),
        thresholds=MappingProxyType(value.get("thresholds", {})),
        prefers_own_thresholds=value.get("use_own_thresholds", False),
        family=value.get("family", ""),
        external=tuple(FileDescription(**file) for file in value.get("external", ())),
        published=None if published is None else FileDescription(**published),
        preprocess=None if preprocess is None else FileDescription(**preprocess),
        input_name=input_.get("name"),
        mask_name=input_.get("mask"),
        gated=value.get("gated", False),
        terms=value.get("terms", ""),
    )


def _labels(
    *, skip: Iterable[int | str] = (), categories: Any = None, tags: Any = None, **file: Any
) -> LabelsDescription:
    pairs = {name: (ours, category) for name, (ours, category) in (tags or {}).items()}
    return LabelsDescription(
        **file, skip=tuple(skip), categories=MappingProxyType(categories or {}), tags=MappingProxyType(pairs)
    )


def _spec(value: Mapping[str, Any], *, has_preprocess: bool) -> InputSpec | None:
    """How pictures go in; beside a `preprocess.json` only what that does not say. None = nothing is said here."""
    layout, channels = value.get("layout", "NCHW"), value.get("channels", "RGB")
    range_: Any = value.get("range")
    background = colour_of(value.get("background", WHITE))
    if has_preprocess:
        return InputSpec(layout=layout, channels=channels, background=background)
    if "size" not in value:
        return None
    resize = value["resize"]
    has_stages = not isinstance(resize, str)
    spec = InputSpec(
        value["size"],
        layout,
        channels,
        fit="stages" if has_stages else resize,
        stages=tuple(map(stage_of, resize)) if has_stages else (),
        background=background,
    )
    if range_ == "0..1":
        return replace(spec, value_range="normalized")
    if range_ in ("0..255", "-1..1"):
        return replace(spec, value_range=range_)
    numbers: Any = {key: tuple(map(float, range_[key])) for key in ("mean", "deviation")}
    return replace(spec, value_range="normalized", **numbers)
