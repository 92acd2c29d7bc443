"""Writes `model.onnx` and `selected_tags.csv` of the offline model.

python -m scripts.builtin_model [--output FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import onnx

from scripts.builtin_model import colours, tags
from scripts.builtin_model.expr import Graph, concat
from scripts.builtin_model.picture import SIDE, find_black_bars, find_padding, measure

FOLDER = Path(__file__).resolve().parents[2] / "wd14" / "model" / "builtin"

DOC = "builtin/colours: formulas over a picture's colours and edges, no neural network. See README.md beside this file."

#: The model does not look for what a rating is about. Constants, which say "general" to whoever asks.
RATING_SCORES = (0.90, 0.07, 0.02, 0.01)


def build() -> onnx.ModelProto:
    """The model, the same to the byte each time."""
    graph = Graph()
    bgr = graph.tensor("input").transpose(0, 3, 1, 2)
    box, white_border = find_padding(bgr)
    box, bars = find_black_bars(bgr, box)
    cells = measure(bgr, box)
    names = colours.naming(cells.lab)
    found = colours.background(cells, names)
    found |= colours.whole_picture(cells, names, found["simple_background"])
    found |= {"white_border": white_border} | bars
    found["border"] = white_border.maximum(bars["black_border"])

    first = found["simple_background"].reshape(-1, 1)
    ratings = [first * 0.0 + score for score in RATING_SCORES]
    general = [found[name].reshape(-1, 1) for _, name, _ in tags.GENERAL]
    scores = concat([*ratings, *general], 1).clip(0.0, 1.0)
    return graph.model(scores, input_shape=["batch", SIDE, SIDE, 3], width=len(ratings) + len(general), doc=DOC)


def labels() -> str:
    """`selected_tags.csv`: category 9 is a rating, 0 a general tag."""
    lines = ["tag_id,name,category,count"]
    for category, rows in ((9, tags.RATINGS), (0, tags.GENERAL)):
        lines += [f"{tag_id},{name},{category},{count}" for tag_id, name, count in rows]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Writes the two files."""
    parser = argparse.ArgumentParser(description="Builds the offline model builtin/colours.")
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder to write to (default: in the package)")
    folder: Path = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    data = build().SerializeToString(deterministic=True)
    (folder / "model.onnx").write_bytes(data)
    (folder / "selected_tags.csv").write_bytes(labels().encode())
    print(f"{folder / 'model.onnx'}: {len(data)} bytes, {len(tags.RATINGS) + len(tags.GENERAL)} tags")


if __name__ == "__main__":
    main()
