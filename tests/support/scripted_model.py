"""A model folder whose scores are written down: constants, or the brightness of single pixels."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 448
_VALUES = SIDE * SIDE * 3


@dataclass(frozen=True)
class Tag:
    """A tag and its score: `score`, plus `gain` times the blue value (0..1) at `pixel` = (row, column)."""

    name: str
    category: int | str  #: Danbooru's number for a CSV, a name for a `tag_mapping.json`
    score: float
    pixel: tuple[int, int] = (0, 0)
    gain: float = 0.0
    count: int = 1  #: pictures of the training site that have it


def save_scripted_model(folder: Path, tags: Sequence[Tag]) -> Path:
    """Writes `model.onnx` (NHWC, BGR, 0..255, 448, dynamic batch, probabilities) and its label file."""
    folder.mkdir(parents=True, exist_ok=True)
    places = np.array([(tag.pixel[0] * SIDE + tag.pixel[1]) * 3 for tag in tags], dtype=np.int64)
    gains = np.array([tag.gain / 255 for tag in tags], dtype=np.float32)
    scores = np.array([tag.score for tag in tags], dtype=np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Reshape", ["input", "flat"], ["values"]),
            helper.make_node("Gather", ["values", "places"], ["picked"], axis=1),
            helper.make_node("Mul", ["picked", "gains"], ["shares"]),
            helper.make_node("Add", ["shares", "scores"], ["sums"]),
            helper.make_node("Clip", ["sums", "low", "high"], ["output"]),
        ],
        "scripted",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N", len(tags)])],
        [
            numpy_helper.from_array(np.array([-1, _VALUES], dtype=np.int64), "flat"),
            numpy_helper.from_array(places, "places"),
            numpy_helper.from_array(gains, "gains"),
            numpy_helper.from_array(scores, "scores"),
            numpy_helper.from_array(np.array(0, dtype=np.float32), "low"),
            numpy_helper.from_array(np.array(1, dtype=np.float32), "high"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, str(folder / "model.onnx"))
    if any(isinstance(tag.category, str) for tag in tags):
        mapping = {str(number): {"tag": tag.name, "category": tag.category} for number, tag in enumerate(tags)}
        (folder / "tag_mapping.json").write_text(json.dumps(mapping), "utf-8")
        return folder
    with (folder / "selected_tags.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["tag_id", "name", "category", "count"])
        for number, tag in enumerate(tags):
            writer.writerow([number, tag.name, tag.category, tag.count])
    return folder
