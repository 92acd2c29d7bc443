"""A model as a candidate wants it: the same graph, written in another way, in memory."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from wd14.errors import ModelContractError, ModelError
from wd14.model.files.find import ModelFiles
from wd14.model.graph.editing import EditableGraph
from wd14.model.graph.mapped_weights import MappedWeights
from wd14.model.runtimes.session import Precision
from wd14.model.trial.candidates import Candidate


@dataclass(frozen=True, slots=True)
class RewrittenModel:
    """A model that refers to its weights where they lie."""

    content: bytes
    folder: Path  #: that its weights are named from
    precision: Precision  #: what it computes in


def rewritten(files: ModelFiles, candidate: Candidate, *, gpu: bool) -> RewrittenModel:
    """Writes a model's graph as a candidate wants it. Some 30 ms for a tagger; what has to be computed in 16 bits
    beforehand costs more.

    Args:
        files: of the model.
        candidate: what the graph is for.
        gpu: whether that has memory of its own: the graph then takes pixels as bytes, and computes in float16 for a
            fast one.

    Raises:
        ModelError: no such file, no ONNX model, damaged, or one that cannot be edited.
    """
    graph = _read(files, fused=candidate.fused)
    half = gpu and _prepare_for_gpu(graph, files, fast=candidate.precision == "fast")
    plain = not gpu and not candidate.fused
    if plain and graph.has_defaults:  # as constants, onnxruntime would join them: other last bits than the file's
        raise ModelContractError(f"{files.model_path} has weights that may be given anew with each run")
    return RewrittenModel(graph.to_bytes(unchanged=plain), graph.folder, "fast" if half else "exact")


def with_weights_apart(files: ModelFiles, *, fused: bool) -> tuple[bytes, MappedWeights]:
    """A model whose packed weights are inputs, and these weights by the names of the inputs. Some 30 ms for a tagger.

    Args:
        files: of the model.
        fused: whether LayerNorm and GELU become one operator each.

    Raises:
        ModelError: as `rewritten`.
    """
    graph = _read(files, fused=fused)
    graph.drop_unused()  # OpenVINO computes with them while it reads a graph
    weights = graph.packed_weights()
    return graph.to_bytes(apart=weights), MappedWeights(weights)


def fusible(files: ModelFiles) -> bool:
    """Whether fusing finds anything in a model; some 50 ms. A model that cannot be edited has nothing."""
    try:
        return _read_and_fuse(files, fused=True)[1] > 0
    except ModelError:
        return False


def _read(files: ModelFiles, *, fused: bool) -> EditableGraph:
    return _read_and_fuse(files, fused=fused)[0]


# What a plain session on a CPU has no use for is imported where it is used.


def _read_and_fuse(files: ModelFiles, *, fused: bool) -> tuple[EditableGraph, int]:
    """The graph, and how many operators stand for pieces now."""
    try:
        graph = EditableGraph.read(files.model_path)
        if not fused:
            return graph, 0
        from wd14.model.graph.fusion import fuse

        return graph, fuse(graph)
    except (LookupError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise ModelContractError(f"the graph has nodes that lack what their operators need: {error}") from error


def _prepare_for_gpu(graph: EditableGraph, files: ModelFiles, *, fast: bool) -> bool:
    """Makes a graph take pixels as bytes, and compute in float16 for a fast one; returns whether it does."""
    from wd14.model.graph.half import to_half
    from wd14.model.graph.pixels import take_pixels

    half = fast and to_half(graph)
    pictures = [name for name in graph.inputs if name != files.mask_name]
    if len(pictures) == 1:
        with contextlib.suppress(ValueError):  # it takes no float32: it goes on taking what it does
            take_pixels(graph, pictures[0], files.spec)
    return half
