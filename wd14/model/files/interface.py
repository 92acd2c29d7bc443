"""The inputs and outputs that make a graph a tagger: one picture in, one score for each label out."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wd14.errors import ModelContractError
from wd14.input_spec import InputSpec
from wd14.model.graph.facts import Dimension, GraphFacts, TensorFacts
from wd14.regular_files import mode_of
from wd14.types import Labels

#: What the pictures may be given as; float16 is converted to and from.
FLOAT_TYPES = ("tensor(float)", "tensor(float16)")
#: What a session may take beside them: its graph was made to (`graph.pixels`). No file of a tagger has it.
PIXELS = "tensor(uint8)"
#: What a mask may be given as.
MASK_TYPES = ("tensor(bool)", *FLOAT_TYPES, "tensor(int64)", "tensor(int32)", PIXELS)

#: How messages name a description of which they know no more.
_DESCRIPTION = "its description"

_DEFAULT_SIZE = InputSpec().size
_LARGEST_SIZE = 4096
#: Bytes of the largest input that a graph may insist on, with its fixed batch: over 400 pictures of 448 pixels a side.
_LARGEST_INPUT = 1 << 30
#: What authors call the output with the final probabilities, where there are several that fit.
_FINAL = ("prediction", "output")
#: How often a graph may read a file of weights: once, and some weights again.
_MOST_COPIES = 2
#: Characters of a weight file's place.
_LONGEST_LOCATION = 1000


@dataclass(frozen=True, slots=True)
class Interface:
    """The part of a graph's inputs and outputs that the tagger uses."""

    input_name: str
    input_type: str
    output_name: str
    layout: Literal["NHWC", "NCHW"]
    size: int | None  #: side of the picture, None where the graph takes any
    fixed_batch: int | None  #: None = any number of pictures at once
    mask_name: str | None = None  #: the input that says which pixels are padding; None = there is none
    mask_type: str | None = None


def read_interface(
    inputs: Sequence[TensorFacts],
    outputs: Sequence[TensorFacts],
    labels: Labels,
    *,
    model: str,
    output_name: str | None = None,
    input_name: str | None = None,
    mask_name: str | None = None,
    input_types: Sequence[str] = FLOAT_TYPES,
    label_file: str = "the label file",
    said_by: str = _DESCRIPTION,
) -> Interface:
    """The interface of a tagger with these labels.

    Args:
        inputs: of the graph or the session.
        outputs: of the graph or the session.
        labels: what the outputs stand for.
        model: how messages name it.
        output_name: the output to take, where it is known.
        input_name: the input for pictures; None = the only one beside the mask.
        mask_name: the input for a mask; None = there is none.
        input_types: what the input may be.
        label_file: how messages name where the labels are from.
        said_by: how messages name where the names of inputs and outputs are from.

    Raises:
        ModelContractError: not one picture in and one score for each label out; the message has both numbers.
    """
    picture, mask = _inputs(inputs, model, input_name, mask_name, said_by)
    layout, size = _picture(picture, model, input_types)
    if mask is not None:
        size = _check_mask(mask, size, model) or size
    output = _output(outputs, len(labels), model, output_name, label_file=label_file, said_by=said_by)
    fixed_batch = _fixed_batch(picture, mask, model)
    side = size or _DEFAULT_SIZE
    if fixed_batch is not None and fixed_batch * side * side * 3 * 4 > _LARGEST_INPUT:
        raise ModelContractError(
            f"{model}: {picture.name!r} is {_in_words(picture.shape)}: pictures in batches of {fixed_batch:,} only,"
            f" which is more than {_LARGEST_INPUT >> 30} GiB"
        )
    mask_type = None if mask is None else mask.type
    return Interface(picture.name, picture.type, output.name, layout, size, fixed_batch, mask_name, mask_type)


def guess_spec(interface: Interface, labels: Labels) -> InputSpec:
    """How a model that the registry does not have wants its pictures: as its family does.

    NHWC is WD14's (BGR, 0..255, padded). NCHW with a `tag_mapping.json` is cl_tagger's (BGR, -1..1, padded), NCHW with
    a CSV is PixAI's (RGB, -1..1, stretched).
    """
    size = interface.size or _DEFAULT_SIZE
    if interface.layout == "NHWC":
        return InputSpec(size=size)
    if labels.order == "score":
        return InputSpec(size, "NCHW", "BGR", "-1..1", "pad")
    return InputSpec(size, "NCHW", "RGB", "-1..1", "squash")


def check_spec(
    interface: Interface, spec: InputSpec, model: str, *, said_by: str = _DESCRIPTION, steps: Path | None = None
) -> None:
    """Checks that a graph takes pictures as its description says.

    Args:
        interface: of the graph.
        spec: what was said.
        model: how messages name it.
        said_by: how messages name the description.
        steps: the file from which the size is, where it is not from the description.

    Raises:
        ModelContractError: it has another layout or size.
    """
    if interface.layout != spec.layout:
        raise ModelContractError(
            f"{model}: expected {spec.layout} input, the graph wants {interface.layout}; it is another model, or"
            f" input.layout of {said_by} is wrong"
        )
    if interface.size not in (None, spec.size):
        raise ModelContractError(
            f"{model}: expected pictures of {spec.size} pixels a side, the graph wants {interface.size}; it is another"
            f" model, or {steps or f'input.size of {said_by}'} is wrong"
        )


def check_external(path: Path, facts: GraphFacts) -> None:
    """Checks that weights which a graph keeps in other files lie in the model's own folder.

    A link in it may lead out of it where the model is a link too, to the same folder: the hub's cache has names in one
    folder and contents in another.

    Raises:
        ModelContractError: a file lies outside the folder, is missing, or would be read many times over.
    """
    read: Counter[Path] = Counter()  # bytes
    for location, lengths in facts.external.items():
        check_location(path, location)
        target = path.parent / location
        if not _lies_with(path, target):
            raise _outside(path, location)
        target = target.resolve()
        if not stat.S_ISREG(mode_of(target)):
            raise ModelContractError(
                f"{path} keeps weights in {location!r}, which is not there or no file; put it beside the model"
            )
        size = target.stat().st_size
        if size < facts.ends.get(location, 0):
            raise ModelContractError(
                f"{path} keeps weights in {location!r}, which has {size:,} bytes and must have"
                f" {facts.ends[location]:,}: it is cut off, or another file; fetch it again"
            )
        read[target] += sum(size if length is None else length for length in lengths)
        if read[target] > _MOST_COPIES * size:
            raise ModelContractError(f"{path} reads weights in {location!r} over and over; such models are not opened")


def check_location(path: Path, location: str) -> None:
    """Checks that the name of a file with weights is one of a file in the model's folder, there or not.

    Raises:
        ModelContractError: it is another place, or no name at all.
    """
    # U+FFFD: what is no UTF-8 was read as that, so that the file which runtimes open is another one.
    if len(location) > _LONGEST_LOCATION or "\0" in location or "\ufffd" in location:
        raise ModelContractError(f"{path} keeps weights in {location[:80]!r}…, which can be no file")
    if not location or Path(location).is_absolute() or Path(os.path.normpath(location)).parts[:1] in ((), ("..",)):
        raise _outside(path, location)


def _lies_with(path: Path, target: Path) -> bool:
    """Whether a file lies in the model's folder; of two links, whether both lead to one folder."""
    if target.resolve().is_relative_to(path.parent.resolve()):
        return True
    if not (path.is_symlink() and target.is_symlink()):
        return False
    first, second = ((link.parent / link.readlink()).parent.resolve() for link in (path, target))
    return first == second


def _outside(path: Path, location: str) -> ModelContractError:
    return ModelContractError(
        f"{path} keeps weights in {location!r}, outside the model's folder; such models are not opened"
    )


def _inputs(
    inputs: Sequence[TensorFacts], model: str, input_name: str | None, mask_name: str | None, said_by: str
) -> tuple[TensorFacts, TensorFacts | None]:
    """The inputs for pictures and for a mask; a graph has no others."""
    found = ", ".join(fact.name for fact in inputs) or "none"
    by_name = {fact.name: fact for fact in inputs}
    for name, field in ((input_name, "input.name"), (mask_name, "input.mask")):
        if name is not None and name not in by_name:
            raise ModelContractError(
                f"{model}: expected an input named {name!r}, the graph has {found}; it is another model, or {field} of"
                f" {said_by} is wrong"
            )
    mask = None if mask_name is None else by_name[mask_name]
    if mask_name is not None and (mask_name == input_name or len(inputs) == 1):
        raise ModelContractError(
            f"{model}: expected another input for a mask than for pictures, the graph has {found}; input.mask of"
            f" {said_by} is wrong"
        )
    pictures = [fact for fact in inputs if fact is not mask and input_name in (None, fact.name)]
    others = [fact.name for fact in inputs if fact is not mask and fact not in pictures]
    if others:
        raise ModelContractError(
            f"{model}: expected an input for pictures and at most one for a mask, the graph also wants"
            f" {', '.join(others)}"
        )
    if len(pictures) != 1:
        hint = "; a tagger.json beside it can name that for pictures and that for a mask" if len(inputs) == 2 else ""
        raise ModelContractError(f"{model}: expected a model with one input, found {len(inputs)} ({found}){hint}")
    return pictures[0], mask


def _fixed_batch(picture: TensorFacts, mask: TensorFacts | None, model: str) -> int | None:
    """How many pictures go through at once, as the inputs say; None = any number."""
    inputs = [fact for fact in (picture, mask) if fact is not None and fact.shape]
    batches = {batch for fact in inputs if (batch := _fixed(fact.shape[0] if fact.shape else None)) is not None}
    if len(batches) > 1:
        shapes = " and ".join(f"{fact.name!r} is {_in_words(fact.shape)}" for fact in inputs)
        raise ModelContractError(f"{model}: expected inputs for one and the same number of pictures; {shapes}")
    return batches.pop() if batches else None


def _check_mask(fact: TensorFacts, size: int | None, model: str) -> int | None:
    """Checks that an input takes a number for each pixel; returns its side, None where it takes any."""
    if fact.type not in MASK_TYPES:
        raise ModelContractError(
            f"{model}: expected a mask of {MASK_TYPES[0]} or numbers, {fact.name!r} is {fact.type}"
        )
    shape = fact.shape
    if shape is None or len(shape) != 3:
        raise ModelContractError(
            f"{model}: expected a mask with 3 dimensions (batch, height, width), {fact.name!r} is {_in_words(shape)}"
        )
    side = _side(shape[1], shape[2], fact, model)
    if None not in (side, size) and side != size:
        raise ModelContractError(
            f"{model}: expected a mask as large as the picture, {size} pixels a side, {fact.name!r} is"
            f" {_in_words(shape)}"
        )
    return side


def _picture(fact: TensorFacts, model: str, types: Sequence[str]) -> tuple[Literal["NHWC", "NCHW"], int | None]:
    if fact.type not in types:
        raise ModelContractError(
            f"{model}: expected an input of type {' or '.join(types)}, {fact.name!r} is {fact.type}"
        )
    shape = fact.shape
    if shape is None or len(shape) != 4:
        raise ModelContractError(
            f"{model}: expected an input with 4 dimensions (batch, height, width, 3) or (batch, 3, height, width),"
            f" {fact.name!r} is {_in_words(shape)}"
        )
    if shape[3] == 3:
        return "NHWC", _side(shape[1], shape[2], fact, model)
    if shape[1] == 3:
        return "NCHW", _side(shape[2], shape[3], fact, model)
    raise ModelContractError(
        f"{model}: expected an input with 3 colour channels, last or second; {fact.name!r} is {_in_words(shape)}"
    )


def _side(height: Dimension, width: Dimension, fact: TensorFacts, model: str) -> int | None:
    sides = {side for side in (_fixed(height), _fixed(width)) if side is not None}
    if len(sides) > 1 or any(side > _LARGEST_SIZE for side in sides):
        raise ModelContractError(
            f"{model}: expected a square picture of at most {_LARGEST_SIZE} pixels a side,"
            f" {fact.name!r} is {_in_words(fact.shape)}"
        )
    return sides.pop() if sides else None


def _output(
    outputs: Sequence[TensorFacts], tags: int, model: str, wanted: str | None, *, label_file: str, said_by: str
) -> TensorFacts:
    """The output that holds the scores: the named one, else one as wide as the labels, the final one first."""
    found = ", ".join(f"{fact.name} {_in_words(fact.shape)}" for fact in outputs) or "none"
    outputs = [fact for fact in outputs if wanted in (None, fact.name)]
    if wanted is not None and not outputs:
        raise ModelContractError(
            f"{model}: expected an output named {wanted!r}, the graph has {found}; it is another model, or output.name"
            f" of {said_by} is wrong"
        )
    flat = [fact for fact in outputs if fact.shape is None or len(fact.shape) == 2]
    widths = {fact.name: _fixed(fact.shape[1]) if fact.shape else None for fact in flat}
    fitting = [fact for fact in flat if widths[fact.name] == tags]
    candidates = fitting or [fact for fact in flat if widths[fact.name] is None]
    if not candidates:
        if wanted is not None:
            found = f"{wanted} {_in_words(outputs[0].shape)}"
        wrong = "" if wanted is None else f", or output.name of {said_by} is wrong"
        raise ModelContractError(
            f"{model}: {label_file} has {tags} tags, but the model's output is {found};"
            f" model and labels do not belong together{wrong}"
        )
    chosen = next((fact for name in _FINAL for fact in candidates if fact.name == name), candidates[0])
    if chosen.type not in FLOAT_TYPES:
        raise ModelContractError(
            f"{model}: expected an output of type {' or '.join(FLOAT_TYPES)}, {chosen.name!r} is {chosen.type}"
        )
    return chosen


def _fixed(dimension: Dimension) -> int | None:
    return dimension if isinstance(dimension, int) and dimension > 0 else None


def _in_words(shape: tuple[Dimension, ...] | None) -> str:
    if shape is None:
        return "of unknown shape"
    return "(" + ", ".join("?" if side is None else str(side) for side in shape) + ")"
