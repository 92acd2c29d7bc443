"""Writes `model.onnx` of the offline model `builtin/colours`: `python -m scripts.builtin_model [--output FOLDER]`.

The graph measures a picture in cells of 8 x 8 pixels; a tag is a list of limits on what was measured (RULES). Tags and
their order are those of `selected_tags.csv`.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from scripts.builtin_model.graph import Graph, Tensor

FOLDER = Path(__file__).resolve().parents[2] / "wd14" / "model" / "builtin"
SIDE, CELL = 448, 8
GRID = SIDE // CELL

#: The model does not look for what a rating is about. Constants, which say "general".
RATINGS = {"general": 0.90, "sensitive": 0.07, "questionable": 0.02, "explicit": 0.01}

#: Sample colours of each name, chosen by eye. "beige" (also skin) has no tag: it keeps its cells out of other colours.
PALETTE = {
    "white": "ffffff f6f6f6 eeeeee",
    "grey": "d8d8d8 bcbcbc a0a0a0 848484 686868 505050 3a3a3a",
    "black": "000000 121212 222222",
    "red": "ff0000 d40000 a80000 8b0000 600000 b22222 e03c3c f05a5a dc143c c8463c",
    "pink": "ffc0cb ffb6c1 ff69b4 ff8fb0 f4a6c0 e75480 ffd9e3 d98ca0 ff5fd0",
    "orange": "ff8000 ffa500 ff6a1a e87722 f2994a ffb366 e0662e f0643c d9502a c8502a",
    "brown": "8b4513 6b4423 a0522d 5c3a21 7a5230 3d2314 96693f b5835a 2e1c10 6e5138",
    "beige": "f5deb3 e8c9a8 d9b38c f0d5be d2b48c c4a484",
    "yellow": "ffff00 ffd700 ffe866 fff5a0 e6c619 c9b037",
    "green": "008000 00ff00 228b22 90ee90 2e5e2e 556b2f 7fbf4d 1b3d1b 4caf50 a8d08d 808000 c6e8b8 0f2a14",
    "aqua": "00ffff 40e0d0 20b2aa 008b8b a0f0f0 5fd3d3 0b5a5a",
    "light_blue": "87ceeb add8e6 a8c8f0 cfe4f7 7fb5e6",
    "blue": "0000ff 1e3fae 4169e1 000080 6495ed 1f2f57 5b7fa6 3a6ea5 0a1a3a 1e90ff",
    "purple": "800080 8a2be2 9370db 4b0082 c9a0dc 6a3d9a b57edc d100d1 2a1040 e0c8f0",
}
NAMES = list(PALETTE)
GREYS = ("white", "grey", "black")
HUES = [name for name in NAMES if name not in (*GREYS, "beige", "light_blue")]

_EVEN_EDGE = "edge_share>0.64 edge_texture<0.08"
_WHITE_FRAME = "white_rows>1.5 white_columns>1.5 white_gaps<0.1"
_BLACK_FRAME = "black_rows>1.5 black_columns>1.5 black_gaps<0.15"
_TINTED = "chroma>0.012 hue_stray<0.0078"
#: A tag's score is the product of its limits. A limit gives 1/2 at the number itself, and 0.88 or 0.12 at twice its
#: softness to either side: the number after `~`, else a tenth of the limit. What is limited is explained where it is
#: measured. All numbers were chosen by looking at photographs and drawings.
RULES = {
    "simple_background": _EVEN_EDGE,
    "gradient_background": "edge_range>0.055 edge_step<0.02",
    "blurry_background": "edge_blur>0.17 edge_share<0.64 edged>0.02",
    "monochrome": _TINTED,
    "greyscale": "chroma_rms<0.005",
    "sepia": f"{_TINTED} chroma_rms<0.11 warm>0.8~0.02",
    "blurry": "sharp<0.24 edged>0.02",
    "border": _WHITE_FRAME,
    "white_border": _WHITE_FRAME,
    "black_border": _BLACK_FRAME,
    "letterboxed": "black_rows>1.5 black_columns<0.5 black_gaps<0.15",
    "pillarboxed": "black_rows<0.5 black_columns>1.5 black_gaps<0.15",
    "spot_color": "vivid>0.01 vivid<0.15 dull_chroma<0.011",
    "dark": "light<0.36",
    "high_contrast": "contrast>0.33 black_and_white>0.1",
    "limited_palette": "names<1.6 coloured>0.014",
    "colorful": "hues>3.5 chroma>0.085",
    "muted_color": "chroma>0.008 chroma_rms<0.04 light>0.42",
    "pale_color": "chroma>0.006 light>0.84~0.02 vivid<0.03",
    "pastel_colors": "chroma>0.04 chroma_rms<0.11 light>0.8~0.02 hues>1.7",
    **{f"{name}_theme": f"area_{name}>0.75 edge_share<0.64" for name in GREYS},
    **{f"{name}_theme": f"hue_{name}>0.42 coloured>0.014" for name in HUES},
    **{f"{name}_background": f"{_EVEN_EDGE} edge_{name}>0.5" for name in NAMES if name != "beige"},
}
LIMIT = re.compile(r"(\w+)([<>])([\d.]+)~?([\d.]*)")
#: A tag's score is at least that of the tag that implies it.
IMPLIED_BY = {
    "simple_background": "gradient_background",
    "monochrome": "greyscale",
    "border": "black_border",
    "blue_background": "light_blue_background",
}

# Björn Ottosson, "A perceptual color space for image processing" (2020), for BGR: to LMS, and its cube root to OKLab.
TO_LMS = ((0.05145, 0.53633, 0.41222), (0.10740, 0.68070, 0.21190), (0.62998, 0.28172, 0.08830))
TO_LAB = ((0.21045, 0.79362, -0.00407), (1.97800, -2.42859, 0.45059), (0.02590, 0.78277, -0.80867))


def oklab(bgr: Any) -> Any:
    """BGR in 0..1, (3, cells), to OKLab: lightness, green to red, blue to yellow. The curve of sRGB is taken as 2.2."""
    return np.array(TO_LAB) @ (np.array(TO_LMS) @ bgr**2.2) ** (1 / 3)


def colour_names(lab: Tensor) -> Tensor:
    """How much of each name is in each cell: (N, 3, cells) to (N, names, cells), which sum to 1 over the names."""
    codes = [(index, code) for index, name in enumerate(NAMES) for code in PALETTE[name].split()]
    samples = oklab(np.array([[int(code[i : i + 2], 16) / 255 for i in (4, 2, 0)] for _, code in codes]).T)
    samples = np.round(samples, 5) / 0.02  # a step between two names; rounded, as the last bit differs by machine
    # softmax(-|x - s|^2 / 2): |x|^2 is the same for all samples and cancels.
    nearness = (samples.T @ (lab / 0.02) - (samples**2).sum(0)[:, None] / 2).Softmax(axis=1)
    shares: Tensor = np.eye(len(NAMES))[:, [index for index, _ in codes]] @ nearness
    return shares


def pool(kind: str, values: Tensor, **attributes: Any) -> Tensor:
    """MaxPool or AveragePool over each cell."""
    return values.graph.node(kind, values, kernel_shape=[CELL, CELL], strides=[CELL, CELL], **attributes)


def flat(values: Tensor) -> Tensor:
    """(N, 1, GRID, GRID) to (N, 1, cells)."""
    return values.Reshape((0, 1, -1))


def channels(values: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    """(N, names, cells) to one (N, 1, cells) for each name."""
    return {name: values.Gather((index,), axis=1) for index, name in enumerate(names)}


def mean(values: Tensor, weight: Tensor) -> Tensor:
    """(N, C, cells) to (N, C, 1)."""
    return values @ (weight / weight.ReduceSum((2,)).Max(1e-3)).Transpose(perm=[0, 2, 1])


def squares(values: Tensor, channels: int) -> Tensor:
    """Sum of the squared channels: (N, channels, cells) to (N, 1, cells)."""
    # Not ReduceSum over the channels: its rounding depends on the place in the batch.
    summed: Tensor = np.ones((1, channels)) @ (values * values)
    return summed


def above(values: Tensor, limit: float) -> Tensor:
    """0..1, 1/2 at the limit."""
    return ((values - limit) * (10 / limit)).Sigmoid()


def bars(marked: Tensor, inside: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """White or black bars: their cells, (N, 1, GRID, GRID), and what RULES say about them, (N, 1, 1, 1).

    `marked` is 1 where a cell is white (or black), `inside` is 0 where it is no part of the picture.
    """
    marked, outside = marked.Max(1 - inside), 1 - inside
    rows, columns = marked.ReduceMin((3,)), marked.ReduceMin((2,))
    others = (1 - rows) * (1 - columns)
    gaps = 1 - ((1 - marked) * others).ReduceSum((2, 3)) / others.ReduceSum((2, 3)).Max(1.0)
    count_rows, count_columns = (  # in the upper or lower half (left or right), whichever has fewer
        (bar - outside.ReduceMin((axis,))).Reshape((0, 2, -1)).ReduceSum((2,)).ReduceMin((1,)).Reshape((0, 1, 1, 1))
        for bar, axis in ((rows, 3), (columns, 2))
    )
    # With the next row or column, where resampling mixes the two.
    rows = rows.MaxPool(kernel_shape=[3, 1], pads=[1, 0, 1, 0]) * (count_rows > 0.5)
    columns = columns.MaxPool(kernel_shape=[1, 3], pads=[0, 1, 0, 1]) * (count_columns > 0.5)
    return rows.Max(columns), {"rows": count_rows, "columns": count_columns, "gaps": gaps}


def find_picture(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Cells of the picture and of its edge, (N, 1, cells) each, and measurements of frames around it.

    A tagger's input is padded to a square with white on two opposite sides. That is no part of the picture, nor is a
    frame. White on all sides is its background, unless it surrounds a filled rectangle.
    """
    cells, white = bars(low > 0.98, 0 * low + 1)
    padded = ((white["rows"] > 0.5) - (white["columns"] > 0.5)).Abs()
    inside = 1 - cells * padded.Max(white["gaps"] < 0.1)
    cells, black = bars(high < 0.08, inside)
    inside = inside * (1 - cells * (black["gaps"] < 0.15))
    # The outer tenth without the bottom, where figures stand: cells with an outside above, left or right of them.
    around = inside.AveragePool(kernel_shape=[5, 9], pads=[4, 4, 0, 4], count_include_pad=1)
    frames = {f"{name}_{key}": value for name, of in (("white", white), ("black", black)) for key, value in of.items()}
    return flat(inside), flat(inside * (around < 0.999)), frames


def measure_edge(lab: Tensor, names: Tensor, spread: Tensor, step: Tensor, edge: Tensor) -> dict[str, Tensor]:
    """The edge's most frequent colour, and how even the edge is."""
    near = (mean(names, edge) * 60).Softmax(axis=1).Transpose(perm=[0, 2, 1]) @ names
    away = lab - mean(lab, edge * near)  # from the most frequent name's colour
    near = (squares(away, 3) * (-0.5 / 0.045**2)).Exp()
    found = {
        "share": mean(near, edge),  # of the most frequent colour
        "texture": mean(spread, edge * near),  # range of brightness within its cells
        "range": mean(squares(lab - mean(lab, edge), 3), edge).Sqrt(),  # standard deviation of its colours
        "step": (step * edge).ReduceMax((2,)),  # greatest difference of two neighbouring pixels
        **channels(mean(names, edge * near), NAMES),
    }
    return {f"edge_{name}": value for name, value in found.items()}


def measure_colours(lab: Tensor, names: Tensor, inside: Tensor) -> dict[str, Tensor]:
    """All colours of the picture together, each measurement (N, 1, 1)."""
    lightness, a, b = channels(lab, ["lightness", "a", "b"]).values()
    light, chroma, tint_a, tint_b = mean(lightness, inside), (a * a + b * b).Sqrt(), mean(a, inside), mean(b, inside)
    chroma_mean, vivid = mean(chroma, inside).Max(1e-5), above(chroma, 0.09)
    tint = (tint_a * tint_a + tint_b * tint_b).Sqrt().Max(1e-5)  # chroma of the mean colour
    stray = (a * tint_b - b * tint_a) / tint
    of_hue = [[float(name in (hue, f"light_{hue}")) for name in NAMES] for hue in HUES]
    area, colour = mean(names, inside), np.array(of_hue) @ mean(names * chroma, inside)
    coloured: Tensor = np.ones((1, len(HUES))) @ colour
    hues = colour / coloured.Max(1e-4)
    areas = channels(area, NAMES)
    return {
        "light": light,
        "contrast": mean(squares(lightness - light, 1), inside).Sqrt(),  # standard deviation of lightness
        "black_and_white": areas["black"].Min(areas["white"]),
        "chroma": chroma_mean,  # distance from grey: pure red has 0.26
        "chroma_rms": mean(chroma * chroma, inside).Sqrt(),
        "vivid": mean(vivid, inside),  # share of strong colours
        "dull_chroma": mean(chroma, inside * (1 - vivid)),  # chroma of all others
        "hue_stray": mean(stray * stray, inside).Sqrt(),  # distance from the line between grey and the mean colour
        "warm": tint_b / chroma_mean,
        "coloured": coloured,  # chroma of all that has a hue
        "hues": 1 / squares(hues, len(HUES)).Max(1e-4),  # how many: k for k equal shares
        "names": 1 / squares(area, len(NAMES)).Max(1e-4),  # how many, by area
        **{f"area_{name}": value for name, value in areas.items()},
        **{f"hue_{name}": value for name, value in channels(hues, HUES).items()},
    }


def measure(bgr: Tensor) -> dict[str, Tensor]:
    """What RULES set limits to, one value a picture; `bgr` is (N, 3, SIDE, SIDE), 0..255."""
    pixels = bgr / 255
    # Brightness. Blue counts for more than in luma, so that navy is not black.
    grey = pixels.Conv(np.reshape([0.25, 0.45, 0.3], (1, 3, 1, 1)))
    high, low = pool("MaxPool", grey), -1 * pool("MaxPool", -1 * grey)
    steps = grey.Conv([[[[-1, 1], [0, 0]]], [[[-1, 0], [1, 0]]]]).Abs()  # to the pixel on the right, to the one below
    spread, step = flat(high - low), flat(pool("MaxPool", steps, pads=[0, 0, 1, 1]).ReduceMax((1,)))
    inside, edge, frames = find_picture(low, high)

    def sharpness(weight: Tensor) -> Tensor:
        """The steepest step of edges as a share of their height: about 0.1 blurred to 0.8 sharp."""
        edges = weight * above(spread, 0.1)
        return mean(step, edges) / mean(spread, edges).Max(1e-3)

    lab = oklab(pool("AveragePool", pixels).Reshape((0, 3, -1)))
    names = colour_names(lab)
    return {
        **frames,
        **measure_edge(lab, names, spread, step, edge),
        **measure_colours(lab, names, inside),
        "edge_blur": sharpness(inside - edge) - sharpness(edge),
        "sharp": sharpness(inside),
        "edged": mean(above(spread, 0.1), inside),
    }


def build(tags: Sequence[str]) -> onnx.ModelProto:
    """The model whose outputs are these tags, the same to the byte each time."""
    graph = Graph()
    measured = measure(Tensor(graph, "input").Transpose(perm=[0, 3, 1, 2]))
    limits = [(tags.index(tag), *found) for tag, rule in RULES.items() for found in LIMIT.findall(rule)]
    values = graph.node("Concat", *(measured[name].Reshape((0, 1, 1)) for _, name, *_ in limits), axis=1)
    middle = np.array([[float(limit)] for *_, limit, _ in limits])
    softness = np.array([[float(softness or float(limit) / 10)] for *_, limit, softness in limits])
    sign = np.array([[1 if sign == "<" else -1] for _, _, sign, *_ in limits])
    # A product of sigmoids is exp(-sum(softplus(-x))). A rating has no limits: its constant is what is left.
    costs = np.eye(len(tags))[:, [tag for tag, *_ in limits]] @ ((values - middle) * (sign / softness)).Softplus()
    scores = (np.log([[RATINGS.get(tag, 1)] for tag in tags]) - costs).Exp().Reshape((0, len(tags)))
    scores = scores.Max(scores.Gather(tuple(tags.index(IMPLIED_BY.get(tag, tag)) for tag in tags), axis=1))
    return graph.model(scores, "colours", SIDE, len(tags))


def main() -> None:
    """Writes the file."""
    parser = argparse.ArgumentParser(description="Builds the offline model builtin/colours.")
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder to write to (default: in the package)")
    path: Path = parser.parse_args().output / "model.onnx"
    with (FOLDER / "selected_tags.csv").open(encoding="utf-8", newline="") as file:
        tags = [row["name"] for row in csv.DictReader(file)]
    path.write_bytes(build(tags).SerializeToString(deterministic=True))
    print(f"{path}: {path.stat().st_size} bytes, {len(tags)} tags")


if __name__ == "__main__":
    main()
