"""The steps from a picture to a model's square as `preprocess.json` writes them; it writes heights before widths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wd14.input_spec import WHITE, CenterCrop, Colour, Filter, PadToSize, PadToSquare, Resize, Stage

#: The numbers that Pillow has for its filters.
_FILTERS: tuple[Filter, ...] = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
#: The names of colours that known models have.
_COLOURS: Mapping[str, Colour] = {"white": WHITE, "black": (0, 0, 0)}


def stage_of(value: Mapping[str, Any]) -> Stage:
    """The step of one entry, which is of the form `description_form.StageForm`.

    `resize` has the shorter side, or `[height, width]`; `center_crop` `[height, width]`; `pad_to_size` `[width,
    height]`, as its authors have it. `pad_to_square`, `enlarge` and `rounding` are not theirs.
    """
    filter_ = filter_of(value.get("interpolation", "bilinear"))
    colour: Colour = colour_of(value.get("background_color", WHITE))
    if value["type"] == "pad_to_square":
        return PadToSquare(colour)
    sides = sides_of(value["size"])
    if value["type"] == "resize":
        return Resize(sides[::-1], filter_, value.get("max_size"), bool(value.get("antialias", True)))
    if value["type"] == "center_crop":
        return CenterCrop((sides[-1], sides[0]))
    return PadToSize(
        (sides[0], sides[-1]), colour, filter_, value.get("enlarge", True), value.get("rounding", "nearest")
    )


def filter_of(value: Any) -> Any:
    """A filter's name, from a name in capitals or Pillow's number; anything else as it is."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(_FILTERS):
        return _FILTERS[value]
    return value.lower() if isinstance(value, str) else value


def colour_of(value: Any) -> Any:
    """Red, green and blue, from a name, a shade of grey, or a list that may have an alpha channel; else as it is.

    Raises:
        ValueError: Pillow knows no colour of that name.
    """
    if isinstance(value, str):
        if value in _COLOURS:
            return _COLOURS[value]
        from PIL import ImageColor  # loads Pillow, which those who only list models do not need

        value = ImageColor.getrgb(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,) * 3
    value = as_tuple(value)
    return value[:3] if isinstance(value, tuple) and len(value) == 4 else value


def sides_of(value: Any) -> Any:
    """One or two numbers, from a number or a list."""
    return as_tuple(value) if isinstance(value, (list, tuple)) else (value,)


def as_tuple(value: Any) -> Any:
    """A list as a tuple; anything else as it is."""
    return tuple(value) if isinstance(value, list) else value
