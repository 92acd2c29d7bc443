"""How a model wants its pictures: the steps from a picture to the square that it sees, and the numbers in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

#: Pillow's resampling filters, by the names that `preprocess.json` uses.
Filter = Literal["nearest", "bilinear", "bicubic", "box", "hamming", "lanczos"]
Colour = tuple[int, int, int]
"""RGB, 0..255."""

WHITE: Colour = (255, 255, 255)


#: How the sides of a resized picture become whole numbers: "nearest" rounds them, halves to even; "down" cuts them off;
#: "truncate" cuts them off after a product in floating point, so that the longer side may lack a pixel.
Rounding = Literal["nearest", "down", "truncate"]


@dataclass(frozen=True, slots=True)
class Resize:
    """Resizes to `size`, (width, height); a size of one number is that of the shorter side."""

    size: tuple[int, ...]
    filter: Filter = "bilinear"
    longest: int | None = None  #: the longer side is at most this, where the size is one number
    antialias: bool = True  #: False: whole pixels are averaged first, which is quicker and coarser


@dataclass(frozen=True, slots=True)
class CenterCrop:
    """Cuts `size`, (width, height), out of the middle; what the picture lacks is black."""

    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class PadToSquare:
    """Puts the picture into the middle of a square with its longer side."""

    colour: Colour = WHITE


@dataclass(frozen=True, slots=True)
class PadToSize:
    """Resizes the picture so that it fits into `size`, (width, height), and puts it into the middle of that."""

    size: tuple[int, int]
    colour: Colour = WHITE
    filter: Filter = "bilinear"
    enlarge: bool = True  #: whether a smaller picture is enlarged
    rounding: Rounding = "nearest"


Stage = Resize | CenterCrop | PadToSquare | PadToSize


@dataclass(frozen=True, slots=True)
class InputSpec:
    """How a model wants its picture."""

    size: int = 448  #: side of the square, in pixels
    layout: Literal["NHWC", "NCHW"] = "NHWC"
    channels: Literal["BGR", "RGB"] = "BGR"
    #: "-1..1" is x / 127.5 - 1; "normalized" is (x / 255 * scale - mean) / deviation, in float32.
    value_range: Literal["0..255", "-1..1", "normalized"] = "0..255"
    #: Pad to a square with white (then the profile counts), stretch to it, or what `stages` say.
    fit: Literal["pad", "squash", "stages"] = "pad"
    stages: tuple[Stage, ...] = ()
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)  #: of "normalized", by channel in the order of `channels`
    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)  #: likewise
    scale: float = 1.0  #: likewise, for all channels
    background: Colour = WHITE  #: what is seen through transparent pixels

    def __str__(self) -> str:
        """Names the spec; part of a model's identity. Fields at a default that 1.0 did not have are left out."""
        old = ("size", "layout", "channels", "value_range", "fit")
        values = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name in old or getattr(self, field.name) != field.default
        }
        return f"InputSpec({', '.join(f'{name}={value!r}' for name, value in values.items())})"

    def to_dict(self) -> dict[str, Any]:
        """What `json` can write; `from_dict` takes it back."""
        return asdict(self) | {"stages": [{"stage": type(stage).__name__} | asdict(stage) for stage in self.stages]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From what `to_dict` gave, by way of JSON or not.

        Raises:
            KeyError, TypeError: it is something else.
        """
        kinds = {kind.__name__: kind for kind in (Resize, CenterCrop, PadToSquare, PadToSize)}
        stages = [_tuples(stage) for stage in values["stages"]]
        return cls(**_tuples(values) | {"stages": tuple(kinds[stage.pop("stage")](**stage) for stage in stages)})


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """With tuples where JSON has lists."""
    return {name: tuple(value) if isinstance(value, list | tuple) else value for name, value in values.items()}
