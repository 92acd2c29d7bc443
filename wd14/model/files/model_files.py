"""A model on this machine, as everything that scores or captions gets it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wd14.input_spec import InputSpec
from wd14.model.activation import Activation
from wd14.model.files.hashes import FileHash
from wd14.published import Published
from wd14.types import Labels


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
