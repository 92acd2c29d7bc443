"""Reads `preprocess.json`, in which deepghs and animetimm say how a model's pictures are prepared.

It is a list of steps, as `imgutils.preprocess` runs them with Pillow: steps that move pixels, `to_tensor`, and then
`rescale` and `normalize`. Exporters write it as `{"stages": […]}`, or as `{"test": […]}` beside lists for training.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from wd14.errors import ConfigError, DescriptionError
from wd14.input_spec import WHITE, Colour, InputSpec
from wd14.json_files import parse_json
from wd14.model.files.description import PREPROCESS_FILE
from wd14.model.files.description_file import check_form
from wd14.model.files.description_form import LARGEST_SIDE, ColourForm, DivisorForm, Form, MeanForm, StageForm
from wd14.model.files.stages import as_tuple, colour_of, stage_of
from wd14.model.geometry import side_of
from wd14.regular_files import read_file

#: Bytes of it that are read; known ones have some 2 kB.
LARGEST_PREPROCESS = 1 << 20
_MOST_STEPS = 50

#: What the file itself says: it knows no other order of dimensions and of channels.
_AS_IT_SAYS = InputSpec(layout="NCHW", channels="RGB")


def _three(value: Any) -> Any:
    """A number for each channel, from such a list or from one number for all."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = [value]
    return tuple(value) * 3 if isinstance(value, list) and len(value) == 1 else as_tuple(value)


class _ConvertRgb(Form):
    type: Literal["convert_rgb"]
    force_background: ColourForm | None = WHITE


class _ToTensor(Form):
    type: Literal["to_tensor", "maybe_to_tensor"]


class _Rescale(Form):
    type: Literal["rescale"]
    rescale_factor: DivisorForm = 1 / 255


class _Normalize(Form):
    type: Literal["normalize"]
    mean: Annotated[tuple[MeanForm, MeanForm, MeanForm], BeforeValidator(_three)]
    std: Annotated[tuple[DivisorForm, DivisorForm, DivisorForm], BeforeValidator(_three)]
    inplace: bool = False


_Step = Annotated[StageForm | _ConvertRgb | _ToTensor | _Rescale | _Normalize, Field(discriminator="type")]
_Steps = Annotated[list[_Step], Field(min_length=1, max_length=_MOST_STEPS)]


class _File(BaseModel):
    model_config = ConfigDict(strict=True)

    test: _Steps | None = None
    stages: _Steps | None = None


def read_preprocess(path: Path, spec: InputSpec = _AS_IT_SAYS) -> InputSpec:
    """How a model wants its pictures, by its `preprocess.json`. Takes under a millisecond.

    Args:
        path: the file.
        spec: what is said elsewhere: the order of dimensions and of channels, and what is behind transparent pixels.

    Raises:
        DescriptionError: it cannot be read, or says what no model can want; the message names file and step.
    """
    try:
        value = parse_json(read_file(path, LARGEST_PREPROCESS), str(path), PREPROCESS_FILE)
    except OSError as error:
        raise DescriptionError(f"{path} cannot be read: {error.strerror or error}") from error
    except ConfigError as error:
        raise DescriptionError(str(error)) from error
    if isinstance(value, list):
        value = {"stages": value}
    key = "test" if isinstance(value, dict) and "test" in value else "stages"
    if not isinstance(value, dict) or value.get(key) is None:
        raise DescriptionError(f'{path}: expected {{"stages": […]}} or {{"test": […]}}, a list of steps')
    check_form(_File, {key: value[key]}, str(path))
    steps = value[key]
    _check_order([step["type"] for step in steps], f"{path}: {key}")
    stages = tuple(stage_of(step) for step in steps if _rank(step["type"]) == _PIXELS)
    try:
        side = side_of(stages)
    except ValueError as error:
        raise DescriptionError(
            f"{path}: {key}: expected steps that make a square of one size, they make {error}"
        ) from error
    if side > LARGEST_SIDE:
        raise DescriptionError(
            f"{path}: {key}: expected a side of at most {LARGEST_SIDE:,} pixels, the steps make {side:,}"
        )
    return _with_numbers(
        replace(spec, size=side, fit="stages", stages=stages, background=_background(steps[0], spec.background)), steps
    )


#: The order of steps. Those that are not named here move pixels; `convert_rgb` finds its work done.
_PIXELS = 0
_RANKS = {"convert_rgb": -1, "to_tensor": 1, "maybe_to_tensor": 1, "rescale": 2, "normalize": 3}


def _rank(kind: str) -> int:
    return _RANKS.get(kind, _PIXELS)


def _check_order(kinds: Sequence[str], where: str) -> None:
    """Checks that steps come in an order that gives numbers.

    Raises:
        DescriptionError: they do not.
    """
    rank, numbers = _PIXELS, [kind for kind in kinds if _rank(kind) > _PIXELS]
    if not numbers:
        raise DescriptionError(f"{where}: expected a step to_tensor, found {', '.join(kinds)}")
    for place, kind in enumerate(kinds):
        before, rank = rank, _rank(kind)
        if kind == "maybe_to_tensor" and before > _PIXELS:
            rank = before  # it has nothing to do
        elif before > _PIXELS and rank <= before:
            raise DescriptionError(
                f"{where}[{place}]: {kind} cannot come after {kinds[place - 1]}; expected first what moves pixels,"
                " then to_tensor, rescale and normalize, each once"
            )
        elif before <= _PIXELS and rank > 1:
            raise DescriptionError(f"{where}[{place}]: expected to_tensor before {kind}")


def _background(first: Mapping[str, Any], usual: Colour) -> Colour:
    """What is behind transparent pixels: pictures come on that already, so that no later step decides it."""
    named = first.get("force_background") if first["type"] == "convert_rgb" else None
    colour: Colour = usual if named is None else colour_of(named)
    return usual if colour == WHITE else colour


def _with_numbers(spec: InputSpec, steps: Iterable[Mapping[str, Any]]) -> InputSpec:
    """With what the steps do to numbers."""
    found = {step["type"]: step for step in steps}
    normalize = found.get("normalize", _NONE)
    mean, deviation = (_in_order(_three(normalize[key]), spec.channels) for key in ("mean", "std"))
    scale = float(found["rescale"].get("rescale_factor", 1 / 255)) if "rescale" in found else 1.0
    return replace(spec, value_range="normalized", mean=mean, deviation=deviation, scale=scale)


def _in_order(by_channel: Sequence[float], channels: str) -> tuple[float, float, float]:
    """Numbers for red, green and blue, in the model's order of channels."""
    red, green, blue = map(float, by_channel)
    return (red, green, blue) if channels == "RGB" else (blue, green, red)


_NONE: Mapping[str, Any] = {"mean": 0, "std": 1}
