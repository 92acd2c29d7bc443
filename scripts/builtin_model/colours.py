"""From cells to tags: each value is a smooth function, so that thresholds act gradually.

The numbers in `above` and `under` were set by looking at photographs and plain drawings: 1/2 is where a person
starts to doubt. Shapes as in `picture.py`; a tag's value is (N, 1, 1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce

import numpy as np

from scripts.builtin_model import palette
from scripts.builtin_model.expr import Tensor, above, under
from scripts.builtin_model.picture import Cells

#: The names that have a hue.
HUES = ("red", "pink", "orange", "brown", "yellow", "green", "aqua", "light_blue", "blue", "purple")

#: How much of a hue counts for its neighbour: see `with_kin`.
KINSHIP: Mapping[tuple[str, str], float] = {
    ("red", "orange"): 0.4,
    ("orange", "brown"): 0.4,
    ("orange", "yellow"): 0.3,
    ("red", "pink"): 0.3,
    ("pink", "purple"): 0.3,
    ("purple", "blue"): 0.3,
    ("blue", "aqua"): 0.3,
    ("aqua", "green"): 0.3,
}


def mean(weight: Tensor, values: Tensor) -> Tensor:
    """Weighted mean over the cells: (N, 1, channels)."""
    return (weight @ values) / weight.sum(2).maximum(1e-4)


def channel(values: Tensor, index: int) -> Tensor:
    """One channel of (N, ?, channels)."""
    return values.part(2, index, index + 1)


def naming(lab: Tensor) -> Tensor:
    """How much of each colour name lies in each colour: (N, P, 3) to (N, P, names), which sum to 1."""
    graph = lab.graph
    samples, belongs = palette.samples()
    scale = np.array([palette.LIGHTNESS_WEIGHT, 1.0, 1.0]) / palette.NAME_WIDTH
    scaled = samples * scale
    # softmax(-|x - s|^2 / 2): |x|^2 is the same for all samples and cancels.
    logits = lab @ graph.constant((scaled * scale).T) - graph.constant((scaled**2).sum(1) / 2)
    return logits.softmax(2) @ graph.constant(belongs)


def split(values: Tensor, count: int) -> list[Tensor]:
    """All channels of (N, ?, count)."""
    return [channel(values, index) for index in range(count)]


def background(cells: Cells, names: Tensor) -> dict[str, Tensor]:
    """What lies along the picture's edge: one even colour, an even gradient, or neither."""
    # Figures stand on the lower edge: it has less of a say.
    low = ((channel(cells.place, 1) - 0.75) / 0.1).clip(0.0, 1.0).transpose(0, 2, 1)
    ring = cells.weight * ((0.10 - cells.depth) / 0.02).clip(0.0, 1.0) * (1.0 - low * 0.7)

    # The most frequent colour: start at the most frequent name's mean, and let the mean shift to the peak.
    frequent = (mean(ring, names) * 20.0).softmax(2)
    near = (names * frequent).sum(2).transpose(0, 2, 1)
    for _ in range(3):
        colour = mean(ring * near, cells.lab)
        away = cells.lab - colour
        near = ((away * away).sum(2) * (-0.5 / 0.045**2)).exp().transpose(0, 2, 1)
    share = mean(ring, near.transpose(0, 2, 1))
    texture = mean(ring * near * _within(cells), cells.texture)
    even = above(share, 0.64, 0.04) * under(texture, 0.030, 0.005)

    gradient = _gradient(cells, ring)
    tags = {"simple_background": even.maximum(gradient), "gradient_background": gradient}
    for name, part in zip(palette.PALETTE, split(mean(ring * near, names), len(palette.PALETTE)), strict=True):
        if name != "beige":
            tags[f"{name}_background"] = even * part
    # What is light blue is blue, too.
    tags["blue_background"] = tags["blue_background"] + tags["light_blue_background"]
    tags["blurry_background"] = _blurry_background(cells, ring, even)
    return tags


def _within(cells: Cells) -> Tensor:
    """Cells that are all picture, and not at its very edge, where resampling rings."""
    return cells.whole * above(cells.depth, 0.045, 0.005)


def _gradient(cells: Cells, ring: Tensor) -> Tensor:
    """An edge whose colour changes evenly from one side to the other: a plane through the colours fits."""
    middle = cells.lab - mean(ring, cells.lab)
    total = mean(ring, middle * middle).sum(2)
    rest = middle
    for axis in (0, 1):
        # The two axes can be fitted one after the other: the ring is the same on the left and on the right.
        place = channel(cells.place, axis)
        place = place - mean(ring, place)
        rest = rest - place * (mean(ring, place * middle) / mean(ring, place * place).maximum(1e-4))
    left = mean(ring, rest * rest).sum(2)
    texture = mean(ring * _within(cells), cells.texture)
    explained = (total - left) / total.maximum(1e-5)
    return (
        above(total.sqrt(), 0.055, 0.008)
        * above(explained, 0.85, 0.03)
        * under(left.sqrt(), 0.040, 0.005)
        * under(texture, 0.015, 0.002)
    )


def sharpness(cells: Cells, weight: Tensor) -> tuple[Tensor, Tensor]:
    """How abrupt the edges are (about 0.1 blurred to 0.8 sharp), and which share of the cells has any."""
    edges = above(cells.spread, 0.10, 0.01).transpose(0, 2, 1) * weight * cells.whole
    return mean(edges, cells.steepest) / mean(edges, cells.spread).maximum(1e-4), edges.sum(2) / weight.sum(2)


def _blurry_background(cells: Cells, ring: Tensor, even: Tensor) -> Tensor:
    """Soft edges along the picture's border, sharp ones in its middle."""
    centre = cells.weight * above(cells.depth, 0.25, 0.01)
    outside, _ = sharpness(cells, ring)
    inside, _ = sharpness(cells, centre)
    return above(inside - outside, 0.17, 0.02) * under(outside, 0.52, 0.03) * (1.0 - even)


def whole_picture(cells: Cells, names: Tensor, even: Tensor) -> dict[str, Tensor]:
    """Themes, and what can be said of all of the picture's colours together; `even`: see `background`."""
    weight = cells.weight
    lightness, a, b = (channel(cells.lab, index) for index in range(3))
    chroma = (a * a + b * b).sqrt()
    light, chroma_mean = mean(weight, lightness), mean(weight, chroma)
    chroma_rms = mean(weight, chroma * chroma).sqrt()
    light_spread = (mean(weight, lightness * lightness) - light * light).sqrt()
    vivid = mean(weight, above(chroma, 0.09, 0.006))
    sharp, edged = sharpness(cells, weight)

    area = dict(zip(palette.PALETTE, split(mean(weight, names), len(palette.PALETTE)), strict=True))
    mass = dict(zip(palette.PALETTE, split(mean(weight, names * chroma), len(palette.PALETTE)), strict=True))
    tags, enough, hues = _hue_themes({name: mass[name] for name in HUES})
    for name in ("white", "grey", "black"):
        tags[f"{name}_theme"] = above(area[name], 0.72, 0.06) * (1.0 - even * 0.8)

    tags["colorful"] = above(hues, 3.5, 0.25) * above(chroma_mean, 0.085, 0.01)
    tags["limited_palette"] = under(number_of(area.values()), 1.6, 0.08) * enough
    tags["muted_color"] = above(chroma_mean, 0.008, 0.001) * under(chroma_rms, 0.040, 0.004) * above(light, 0.42, 0.02)
    tags["pale_color"] = above(light, 0.84, 0.02) * above(chroma_mean, 0.006, 0.001) * under(vivid, 0.03, 0.006)
    soft = above(chroma_mean, 0.04, 0.004) * under(chroma_rms, 0.11, 0.01)
    tags["pastel_colors"] = above(light, 0.80, 0.02) * soft * above(hues, 1.7, 0.2)
    tags["dark"] = under(light, 0.36, 0.03)
    stark = above(area["black"].minimum(area["white"]), 0.10, 0.02)
    tags["high_contrast"] = above(light_spread, 0.33, 0.02) * stark
    tags["blurry"] = under(sharp, 0.24, 0.02) * above(edged, 0.02, 0.005)
    return tags | _one_hue(cells, chroma, chroma_mean, chroma_rms)


def _hue_themes(mass: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """The themes by hue, whether there is colour enough to speak of one, and how many hues share it.

    Shares are taken of all the colour there is: a small red disc on white is all of that picture's colour.
    """
    mass["blue"] = mass["blue"] + mass.pop("light_blue")
    coloured = total(mass.values())
    share = {name: value / coloured.maximum(1e-4) for name, value in mass.items()}
    enough = above(coloured, 0.014, 0.002)
    themes = {f"{name}_theme": above(with_kin(share, name), 0.55, 0.05) * enough for name in share}
    return themes, enough, number_of(share.values())


def total(values: Iterable[Tensor]) -> Tensor:
    """Their sum, added one by one: a reduction's rounding would depend on the place in the batch."""
    return reduce(Tensor.__add__, values)


def with_kin(share: Mapping[str, Tensor], name: str) -> Tensor:
    """Rust is red to one person and orange to the next: neighbouring hues count for each other in part."""
    kin = [(other, part) for pair, part in KINSHIP.items() for other in pair if name in pair and other != name]
    return total([share[name], *(share[other] * part for other, part in kin)])


def number_of(shares: Iterable[Tensor]) -> Tensor:
    """How many of them there are in effect: k for k equal shares."""
    return 1.0 / total(share * share for share in shares).maximum(1e-4)


def _one_hue(cells: Cells, chroma: Tensor, chroma_mean: Tensor, chroma_rms: Tensor) -> dict[str, Tensor]:
    """No hue, one hue, or one spot of colour in a grey picture."""
    weight = cells.weight
    a, b = channel(cells.lab, 1), channel(cells.lab, 2)
    aa, ab, bb = mean(weight, a * a), mean(weight, a * b), mean(weight, b * b)
    half = (aa - bb) * 0.5
    # The lesser eigenvalue of the second moments: how far the colours stray from one line through grey.
    astray = ((aa + bb) * 0.5 - (half * half + ab * ab).sqrt()).sqrt()
    hue_a, hue_b = mean(weight, a), mean(weight, b)
    one_way = (hue_a * hue_a + hue_b * hue_b).sqrt() / chroma_mean.maximum(1e-4)
    tinted = above(chroma_mean, 0.012, 0.002) * above(one_way, 0.95, 0.01) * under(astray, 0.0078, 0.0006)
    greyscale = under(chroma_mean, 0.004, 0.0006) * under(chroma_rms, 0.008, 0.001)
    sepia_hue = above(hue_b / chroma_mean.maximum(1e-4), 0.80, 0.02) * above(hue_a, -0.004, 0.001)
    sepia = tinted * sepia_hue * under(chroma_rms, 0.11, 0.01)

    spot = above(chroma, 0.07, 0.006)
    spots = mean(weight, spot)
    grey = weight * (1.0 - spot).transpose(0, 2, 1)
    lightness = channel(cells.lab, 0)
    grey_light = mean(grey, lightness)
    grey_spread = (mean(grey, lightness * lightness) - grey_light * grey_light).sqrt()
    spot_color = (
        above(spots, 0.010, 0.0015)
        * under(spots, 0.15, 0.02)
        * under(mean(grey, chroma), 0.011, 0.0015)
        * above(grey_spread, 0.12, 0.015)
    )
    return {
        "greyscale": greyscale,
        "monochrome": greyscale.maximum(tinted),
        "sepia": sepia,
        "spot_color": spot_color,
    }
