from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from wd14.errors import DescriptionError
from wd14.input_spec import CenterCrop, InputSpec, PadToSize, Resize
from wd14.model.files.description import FileDescription, ModelDescription
from wd14.model.files.description_file import parse

WHOLE: dict[str, Any] = {
    "licence": "Apache-2.0",
    "model": {"path": "model.onnx"},
    "external": [{"path": "weights/model.onnx_data"}],
    "labels": {
        "path": "tags.csv",
        "form": "csv",
        "skip": [0, "<PAD>"],
        "categories": {"1": "style"},
        "tags": {"rating:g": ["general", "rating"]},
    },
    "thresholds": {"general": 0.3, "style": 1},
    "thresholds_file": {"path": "thresholds.csv"},
    "use_own_thresholds": True,
    "input": {
        "name": "pixels",
        "mask": "padding",
        "size": 384,
        "layout": "NCHW",
        "channels": "RGB",
        "range": {"mean": [0.5, 0.5, 0.5], "deviation": [1, 1, 1]},
        "resize": [
            {"type": "pad_to_size", "size": [512, 512], "background_color": "black", "rounding": "down"},
            {"type": "resize", "size": 400, "interpolation": "BICUBIC"},
            {"type": "center_crop", "size": [384, 384]},
        ],
        "background": 114,
    },
    "output": {"name": "logits", "activation": "sigmoid"},
}


def read(value: object) -> ModelDescription:
    return parse(json.dumps(value).encode(), "model/tagger.json")


def changed(*path: str | int, to: Any) -> dict[str, Any]:
    """The whole description with another value at one place; None = without it."""
    value = copy.deepcopy(WHOLE)
    at: Any = value
    for part in path[:-1]:
        at = at[part]
    if to is None:
        del at[path[-1]]
    else:
        at[path[-1]] = to
    return value


def test_every_field_arrives() -> None:
    found = read(WHOLE)
    assert found.files == (
        FileDescription("model.onnx"),
        FileDescription("weights/model.onnx_data"),
        found.labels,
        FileDescription("thresholds.csv"),
    )
    assert (found.labels.form, found.labels.skip) == ("csv", (0, "<PAD>"))
    assert dict(found.labels.categories) == {"1": "style"}
    assert dict(found.labels.tags) == {"rating:g": ("general", "rating")}
    assert dict(found.thresholds) == {"general": 0.3, "style": 1}
    assert found.prefers_own_thresholds
    assert (found.input_name, found.mask_name, found.output_name) == ("pixels", "padding", "logits")
    assert found.activation == "sigmoid"
    assert found.spec == InputSpec(
        384,
        "NCHW",
        "RGB",
        "normalized",
        "stages",
        (
            PadToSize((512, 512), (0, 0, 0), "bilinear", rounding="down"),
            Resize((400,), "bicubic"),
            CenterCrop((384, 384)),
        ),
        (0.5, 0.5, 0.5),
        (1.0, 1.0, 1.0),
        background=(114, 114, 114),
    )


def test_what_is_left_out_is_the_graphs_to_say() -> None:
    found = read({"model": {"path": "m.onnx"}, "labels": {"path": "tags.txt"}})
    assert (found.spec, found.activation, found.output_name) == (None, None, None)


def test_beside_a_preprocess_json_only_what_it_does_not_say_is_read() -> None:
    files = {"model": {"path": "m.onnx"}, "labels": {"path": "tags.csv"}, "preprocess": {"path": "preprocess.json"}}
    assert read(files).spec == InputSpec(layout="NCHW", channels="RGB")
    assert read({**files, "input": {"layout": "NHWC", "name": "x"}}).spec == InputSpec(layout="NHWC", channels="RGB")
    with pytest.raises(DescriptionError, match=r"input\.size: preprocess\.json says it"):
        read({**files, "input": {"size": 448}})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "expected an object {…} that describes a model, got []"),
        (changed("typo", to=1), "typo: there is no such field"),
        (changed("model", to=None), "model is missing"),
        (changed("model", to="model.onnx"), "model: expected an object {…}, got 'model.onnx'"),
        (changed("labels", "path", to="../tags.csv"), "labels.path: expected the name of a file beside the model"),
        (changed("external", 0, "path", to="/etc/passwd"), "external[0].path: expected the name of a file beside"),
        (changed("labels", "form", to="xml"), "labels.form: expected 'csv', 'tag_mapping', 'idx_to_tag', "),
        (changed("labels", "skip", to=[-1]), "labels.skip[0]: expected a position from 0 or a name"),
        (changed("labels", "tags", to={"g": ["general", "Rating"]}), "labels.tags.g[1]: expected a category in small"),
        (changed("thresholds", to={"general": 35}), "thresholds.general: expected at most 1, got 35"),
        (changed("input", "size", to="384"), "input.size: expected a whole number, got '384'"),
        (changed("input", "size", to=100_000), "input.size: expected at most 4096, got 100000"),
        (changed("input", "size", to=True), "input.size: expected a whole number, got true"),
        (changed("input", "range", to=[0, 1]), 'input.range: expected "0..255", "0..1", "-1..1" or an object'),
        (changed("x\x1b[31m", to=1), "x\\x1b[31m: there is no such field"),
        (changed("labels", "tags", to={"g": [" ", "general"]}), "labels.tags.g[0]: expected a name without"),
        (changed("input", "size", to=448), "input.resize: expected steps that make squares of 448 (input.size), these"),
        (
            changed("input", "resize", to=[{"type": "resize", "size": 384}]),
            "input.resize: expected steps that make squares of 384 (input.size), these make pictures of several sizes",
        ),
        (changed("input", "layout", to=None), "input.layout is missing beside input.size: NHWC or NCHW"),
        (changed("input", "range", to="0-1"), "input.range: expected '0..255', '0..1' or '-1..1', got '0-1'"),
        (changed("input", "range", "deviation", to=[1, 0, 1]), "input.range.deviation[1]: expected at least 0.000001"),
        (changed("input", "range", "mean", to=[1, 2]), "input.range.mean[2] is missing"),
        (changed("input", "resize", to="crop"), "input.resize: expected 'pad' or 'squash', got 'crop'"),
        (changed("input", "resize", to=[]), "input.resize: expected at least one step, got []"),
        (
            changed("input", "resize", 1, "type", to="blur"),
            "input.resize[1].type: expected one of resize,",
        ),
        (
            changed("input", "resize", 0, "size", to=[1, 2, 3]),
            "input.resize[0].size: expected at most 2 entries, got 3",
        ),
        (changed("input", "resize", 0, "background_color", to="blau"), "input.resize[0].background_color: unknown"),
        (changed("input", "resize", 1, "interpolation", to="cubic"), "input.resize[1].interpolation: expected"),
        (changed("output", "activation", to="softmax"), "output.activation: expected 'none' or 'sigmoid', got"),
    ],
)
def test_a_mistake_is_named_by_file_and_field(value: object, said: str) -> None:
    with pytest.raises(DescriptionError) as caught:
        read(value)
    assert str(caught.value).startswith(f"model/tagger.json: {said}")
    assert "\n" not in str(caught.value)


def test_what_is_no_json_is_said_with_its_place() -> None:
    with pytest.raises(DescriptionError, match="line 2, column 1 is no JSON"):
        parse(b'{"model": 1,\n}', "model/tagger.json")
    with pytest.raises(DescriptionError, match="'tags' is there twice"):
        parse(b'{"tags": 1, "licence": "MIT", "tags": 2}', "model/tagger.json")
    with pytest.raises(DescriptionError, match="NaN is no number"):
        parse(b'{"tags": NaN}', "model/tagger.json")
