"""The form of a description: which fields it has and what each can be."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from wd14.config_words import shown
from wd14.input_spec import Rounding
from wd14.model.activation import Activation
from wd14.model.files.description import LabelForm
from wd14.model.files.stages import as_tuple, colour_of, filter_of, sides_of

#: The longest side that a model may ask for, in pixels: four times what any known one takes.
LARGEST_SIDE = 4096


def _inside(path: str) -> str:
    """The path of a file beside the description.

    Raises:
        ValueError: it leads elsewhere.
    """
    parts = path.split("/")
    if "\\" in path or not path.isprintable() or PurePosixPath(path).is_absolute() or {"", ".", ".."} & set(parts):
        raise ValueError(f"expected the name of a file beside the model, such as model.onnx, got {shown(path)}")
    return path


def _printable(value: str) -> str:
    """A name, as people can read it.

    Raises:
        ValueError: it holds line ends or the like.
    """
    if not value.isprintable() or value != value.strip():
        raise ValueError(
            f"expected a name without line ends, control characters and spaces around it, got {shown(value)}"
        )
    return value


def _word(value: str) -> str:
    """A category.

    Raises:
        ValueError: it is not in small letters.
    """
    if not value or value != value.strip().lower() or not value.isprintable():
        raise ValueError(f"expected a category in small letters, such as character, got {shown(value)}")
    return value


def _output(value: Any) -> Any:
    """An output that is no tag, by its position or name.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise ValueError(f'expected a position from 0 or a name, such as 0 or "<PAD>", got {shown(value)}')


def _some_steps(value: tuple[Any, ...]) -> tuple[Any, ...]:
    """At least one step.

    Raises:
        ValueError: there is none.
    """
    if not value:
        raise ValueError("expected at least one step, got []")
    return value


class Form(BaseModel):
    """An object of the file, with no field that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


_Path = Annotated[str, Field(max_length=255), AfterValidator(_inside)]
_Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
_Name = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_printable)]
_Count = Annotated[int, Field(ge=0)]
_Category = Annotated[str, Field(max_length=100), AfterValidator(_word)]
_Threshold = Annotated[float, Field(ge=0, le=1)]
#: Far from what float32 loses: means are some hundred at most, and deviations above a thousandth.
MeanForm = Annotated[float, Field(ge=-1e6, le=1e6)]
DivisorForm = Annotated[float, Field(ge=1e-6, le=1e6)]
_Mean = Annotated[tuple[MeanForm, MeanForm, MeanForm], BeforeValidator(as_tuple)]
_Deviation = Annotated[tuple[DivisorForm, DivisorForm, DivisorForm], BeforeValidator(as_tuple)]
_Side = Annotated[int, Field(ge=1, le=LARGEST_SIDE)]
_Sides = Annotated[tuple[_Side, ...], Field(min_length=1, max_length=2), BeforeValidator(sides_of)]
_Filter = Annotated[Literal["nearest", "bilinear", "bicubic", "box", "hamming", "lanczos"], BeforeValidator(filter_of)]
_Level = Annotated[int, Field(ge=0, le=255)]
ColourForm = Annotated[tuple[_Level, _Level, _Level], BeforeValidator(colour_of)]


class _Resize(Form):
    type: Literal["resize"]
    size: _Sides
    interpolation: _Filter = "bilinear"
    max_size: _Side | None = None
    antialias: bool | None = None

    @model_validator(mode="after")
    def _has_one_limit(self) -> _Resize:
        if self.max_size is not None and len(self.size) == 2:
            raise ValueError("max_size goes with a size of one number; leave out one of them")
        return self


class _CenterCrop(Form):
    type: Literal["center_crop"]
    size: _Sides


class _PadToSize(Form):
    type: Literal["pad_to_size"]
    size: _Sides
    background_color: ColourForm = (255, 255, 255)
    interpolation: _Filter = "bilinear"
    enlarge: bool = True
    rounding: Rounding = "nearest"


class _PadToSquare(Form):
    type: Literal["pad_to_square"]
    background_color: ColourForm = (255, 255, 255)


StageForm = Annotated[_Resize | _CenterCrop | _PadToSize | _PadToSquare, Field(discriminator="type")]
"""A step that moves pixels; `stages.stage_of` makes the step itself."""


class _File(Form):
    path: _Path
    sha256: _Sha256 | None = None
    size: _Count | None = None


class _Labels(_File):
    form: LabelForm | None = None
    skip: Annotated[tuple[Annotated[Any, AfterValidator(_output)], ...], BeforeValidator(as_tuple)] = ()
    categories: dict[str, _Category] = {}
    tags: dict[str, Annotated[tuple[_Name, _Category], BeforeValidator(as_tuple)]] = {}


class _Numbers(Form):
    mean: _Mean
    deviation: _Deviation


def _kind(value: Any) -> str:
    """Which form of a field that has two is meant: a word, or what a JSON object or list holds."""
    return "word" if isinstance(value, str) else "rest"


_Range = Annotated[
    Annotated[Literal["0..255", "0..1", "-1..1"], Tag("word")] | Annotated[_Numbers, Tag("rest")],
    Discriminator(_kind),
]
Stages = Annotated[tuple[StageForm, ...], Field(max_length=20), BeforeValidator(as_tuple), AfterValidator(_some_steps)]
_Resizing = Annotated[
    Annotated[Literal["pad", "squash"], Tag("word")] | Annotated[Stages, Tag("rest")], Discriminator(_kind)
]


#: The default of a field that may be left out and is never null.
_UNSAID: Any = None


class _Input(Form):
    name: _Name | None = None
    mask: _Name | None = None
    layout: Literal["NHWC", "NCHW"] = _UNSAID
    channels: Literal["BGR", "RGB"] = _UNSAID
    size: _Side = _UNSAID
    range: _Range = _UNSAID
    resize: _Resizing = _UNSAID
    background: ColourForm = (255, 255, 255)


class _Output(Form):
    name: _Name | None = None
    activation: Activation | None = None


class ModelForm(Form):
    """A model."""

    id: str = ""
    family: str = ""
    repo: str | None = None
    revision: str | None = None
    licence: str | None = None
    gated: bool = False
    terms: str = ""
    tags: _Count | None = None
    model: _File
    external: Annotated[tuple[_File, ...], Field(max_length=100), BeforeValidator(as_tuple)] = ()
    labels: _Labels
    thresholds: dict[_Category, _Threshold] = {}
    thresholds_file: _File | None = None
    use_own_thresholds: bool = False
    preprocess: _File | None = None
    input: _Input = _Input()
    output: _Output = _Output()
