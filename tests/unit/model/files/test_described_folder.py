"""A person's own model, described by a `tagger.json` or a `preprocess.json` in its folder."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.support.onnx_models import Weights, expected, random_weights, save_model, wd14_folder, write_csv
from wd14 import Tagger
from wd14.errors import DescriptionError, LabelsError, ModelContractError, ModelError, ModelNotFoundError
from wd14.model.files.find import find_model
from wd14.model.runtimes.session import Opening
from wd14.model.trial.trial import check_runs

SIZE = 32
TAGS = 12
INPUT = {"size": SIZE, "layout": "NCHW", "channels": "RGB", "range": "0..1", "resize": "squash"}
DESCRIPTION: dict[str, Any] = {
    "model": {"path": "net.onnx"},
    "labels": {"path": "names.txt", "skip": ["<PAD>"], "tags": {"tag 1": ["artist a", "style"]}},
    "input": INPUT,
    "output": {"name": "logits", "activation": "sigmoid"},
    "thresholds": {"all": 0.6},
    "use_own_thresholds": True,
}
WEIGHTS: Weights = random_weights(TAGS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tagger whose every part is unlike WD14's."""
    folder = tmp_path / "tagger"
    save_model(folder / "net.onnx", WEIGHTS, layout="NCHW", size=SIZE, three_outputs=True)
    (folder / "names.txt").write_text("<PAD>\n" + "\n".join(f"tag {index}" for index in range(1, TAGS)))
    describe(folder)
    return folder


def describe(folder: Path, **changes: Any) -> None:
    value = {key: each for key, each in (DESCRIPTION | changes).items() if each is not None}
    (folder / "tagger.json").write_text(json.dumps(value))


def test_a_model_that_is_described_in_its_folder(folder: Path) -> None:
    tagger = Tagger.load(folder, device="cpu")
    picture = np.full((1, 3, SIZE, SIZE), 100, np.uint8)
    scores = expected(np.full((1, 3), 100 / 255, np.float32), WEIGHTS)
    scores[:, 0] = 0
    np.testing.assert_allclose(tagger.run(picture), scores, atol=1e-6)
    found = tagger.files
    assert found.labels.categories[:3] == ("unused", "style", "general")
    assert found.labels.names[1:3] == ("artist a", "tag 2")
    assert (found.thresholds.by_category, found.thresholds.is_preferred) == ({"all": 0.6}, True)
    assert find_model(folder / "net.onnx").identity == found.identity


def test_another_meaning_of_the_same_files_is_another_model(folder: Path) -> None:
    """Stored scores are by what is scored: thresholds may change, and what is read of the model may not."""
    before = find_model(folder).identity
    describe(folder, thresholds={"all": 0.2}, licence="MIT")
    assert find_model(folder).identity == before
    others: list[dict[str, Any]] = [
        {"output": {"name": "prediction", "activation": "none"}},
        {"output": {"name": "logits", "activation": "none"}},
        {"labels": {"path": "names.txt"}},
        {"input": INPUT | {"channels": "BGR"}},
    ]
    identities = {before}
    for change in others:
        describe(folder, **change)
        identities.add(find_model(folder).identity)
    assert len(identities) == 1 + len(others)


def test_what_a_description_leaves_out_the_graph_says(folder: Path) -> None:
    describe(folder, input=None, output=None, labels={"path": "names.txt"}, thresholds=None, use_own_thresholds=None)
    plain = folder.parent / "plain"
    plain.mkdir()
    shutil.copy(folder / "net.onnx", plain / "model.onnx")
    write_csv(plain / "selected_tags.csv", [0] * TAGS)
    described, other = find_model(folder), find_model(plain)
    assert (described.spec, described.activation, described.output_name) == (
        other.spec,
        other.activation,
        other.output_name,
    )


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"model": {"path": "other.onnx"}},
            ModelNotFoundError,
            r"tagger.json names other.onnx, which .* does not",
        ),
        ({"external": [{"path": "net.onnx.data"}]}, ModelNotFoundError, r"tagger.json names net.onnx.data, which"),
        ({"thresholds_file": {"path": "t.csv"}}, ModelNotFoundError, r"tagger.json names t.csv, which"),
        ({"preprocess": {"path": "p.json"}, "input": None}, ModelNotFoundError, r"tagger.json names p.json, which"),
        ({"labels": {"path": "../names.txt"}}, DescriptionError, r"tagger.json: labels.path: expected the name of a"),
        ({"inputs": {}}, DescriptionError, "tagger.json: inputs: there is no such field"),
        (
            {"input": INPUT | {"size": 64}},
            ModelContractError,
            r"net.onnx: expected pictures of 64 .* wants 32; .* input.size of .*tagger.json is wrong",
        ),
        (
            {"input": INPUT | {"layout": "NHWC"}},
            ModelContractError,
            r"net.onnx: expected NHWC input, the graph wants NCHW; .* input.layout of .*tagger.json is wrong",
        ),
        (
            {"input": INPUT | {"name": "pixels"}},
            ModelContractError,
            r"net.onnx: expected an input named 'pixels', the graph has input_1:0; .* input.name of .*tagger.json is",
        ),
        (
            {"input": INPUT | {"mask": "mask"}},
            ModelContractError,
            r"net.onnx: expected an input named 'mask', the graph has input_1:0; .* input.mask of .*tagger.json is",
        ),
        (
            {"output": {"name": "scores"}},
            ModelContractError,
            r"net.onnx: expected an output named 'scores', the graph has embedding.* output.name of .*tagger.json is",
        ),
        (
            {"output": {"name": "embedding"}},
            ModelContractError,
            r"names.txt has 12 tags, but the model's output is embedding \(.*, 3\); .* output.name of .*tagger.json is",
        ),
        (
            {"output": {"name": "prediction", "activation": "sigmoid"}},
            ModelContractError,
            r"expected logits, .*'prediction' comes from Sigmoid.* output.activation of .*tagger.json must be",
        ),
        (
            {"thresholds": {"generl": 0.5}},
            DescriptionError,
            r"tagger.json: thresholds.generl: .* names.txt: general, s",
        ),
        ({"thresholds": None}, DescriptionError, r"tagger.json: use_own_thresholds is true, and there are no"),
        ({"labels": {"path": "names.txt", "skip": [12]}}, LabelsError, r"names.txt.*12"),
        ({"labels": {"path": "names.txt", "skip": ["<UNK>"]}}, LabelsError, r"names.txt.*<UNK>"),
        (
            {"model": {"path": "net.onnx", "sha256": "0" * 64}},
            ModelContractError,
            rf"tagger.json: net.onnx has sha256 [0-9a-f]+, not {'0' * 64}",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_description_that_does_not_fit(
    folder: Path, change: dict[str, Any], error: type[ModelError], message: str
) -> None:
    describe(folder, **change)
    with pytest.raises(error, match=message) as caught:
        find_model(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("number", [TAGS - 1, TAGS + 1])
def test_too_few_or_too_many_tags(folder: Path, number: int) -> None:
    (folder / "names.txt").write_text("<PAD>\n" + "\n".join(f"tag {index}" for index in range(1, number)))
    with pytest.raises(ModelContractError, match=rf"has {number} tags, but .* {TAGS}\)"):
        find_model(folder)


def test_missing_weights_are_said_by_name(folder: Path) -> None:
    onnx.save(
        onnx.load(folder / "net.onnx"), str(folder / "net.onnx"), save_as_external_data=True,
        location="net.onnx_data", size_threshold=0,
    )  # fmt: skip
    data = folder / "net.onnx_data"
    describe(folder, external=[{"path": data.name, "sha256": hashlib.sha256(data.read_bytes()).hexdigest()}])
    assert [file.path.name for file in find_model(folder).hashes] == ["net.onnx", "net.onnx_data"]
    describe(folder)
    data.write_bytes(data.read_bytes()[:-8])
    with pytest.raises(ModelContractError, match=r"'net.onnx_data', which has 184 bytes and must have 192: it is cut"):
        find_model(folder)
    data.unlink()
    with pytest.raises(ModelContractError, match=r"net.onnx keeps weights in 'net.onnx_data', which is not there"):
        find_model(folder)


def test_a_mask_is_fed_by_its_name(folder: Path) -> None:
    """As OppaiOracle has it: True where the picture was padded."""
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["padding"], ["number"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["number"], ["share"], axes=[1, 2], keepdims=0),
            helper.make_node("Unsqueeze", ["share", "axis"], ["column"]),
            helper.make_node("ReduceMean", ["pixels"], ["ones"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Unsqueeze", ["ones", "axis"], ["other"]),
            helper.make_node("Concat", ["column", "other"], ["scores"], axis=1),
        ],
        "masked",
        [
            helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", 3, SIZE, SIZE]),
            helper.make_tensor_value_info("padding", TensorProto.BOOL, ["N", SIZE, SIZE]),
        ],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 2])],
        [helper.make_tensor("axis", TensorProto.INT64, [1], [1])],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(folder / "net.onnx")
    )
    (folder / "names.txt").write_text("share\nother\n")
    pad = {"type": "pad_to_size", "size": [SIZE, SIZE], "background_color": "white"}
    describe(
        folder,
        labels={"path": "names.txt"},
        input=INPUT | {"name": "pixels", "mask": "padding", "resize": [pad]},
        output={"name": "scores", "activation": "none"},
    )
    tagger = Tagger.load(folder, device="cpu")
    pictures = np.full((2, 3, SIZE, SIZE), 51, np.uint8)
    scores = tagger.run(pictures, [(0, 0, SIZE, SIZE), (0, 0, SIZE, SIZE // 4)])
    np.testing.assert_allclose(scores, [[0, 0.2], [0.75, 0.2]], atol=1e-6)
    check_runs(tagger.files, Opening(threads=1))
    describe(folder, labels={"path": "names.txt"})
    with pytest.raises(ModelContractError, match=r"net.onnx: expected a model with one input, found 2"):
        find_model(folder)


def test_steps_beside_a_model_that_nobody_described(tmp_path: Path) -> None:
    save_model(tmp_path / "model.onnx", WEIGHTS, layout="NCHW", size="side")
    write_csv(tmp_path / "selected_tags.csv", [0] * TAGS)
    guessed = find_model(tmp_path)
    steps = [
        {"type": "resize", "size": [24, 24], "interpolation": "bicubic"},
        {"type": "to_tensor"},
        {"type": "normalize", "mean": 0.5, "std": 0.5},
    ]
    (tmp_path / "preprocess.json").write_text(json.dumps({"stages": steps}))
    described = find_model(tmp_path)
    assert (described.spec.size, described.spec.fit) == (24, "stages")
    assert described.identity != guessed.identity
    save_model(tmp_path / "model.onnx", WEIGHTS, layout="NCHW", size=SIZE)
    with pytest.raises(ModelContractError, match=r"of 24 pixels .* wants 32; .*, or .*preprocess.json is wrong"):
        find_model(tmp_path)
    (tmp_path / "preprocess.json").write_text(json.dumps({"stages": [{"type": "rotate"}, *steps]}))
    with pytest.raises(DescriptionError, match=r"preprocess.json: stages\[0\].type: .*rotate"):
        find_model(tmp_path)


def test_files_of_the_usual_names_say_what_a_description_leaves_open(tmp_path: Path) -> None:
    save_model(tmp_path / "net.onnx", WEIGHTS, layout="NCHW", size=SIZE)
    (tmp_path / "names.txt").write_text("\n".join(f"tag {index}" for index in range(TAGS)))
    (tmp_path / "thresholds.csv").write_text("category,name,threshold\n0,general,0.3\n")
    steps = [{"type": "resize", "size": [SIZE, SIZE]}, {"type": "to_tensor"}]
    (tmp_path / "preprocess.json").write_text(json.dumps({"stages": steps}))
    silent = {"model": {"path": "net.onnx"}, "labels": {"path": "names.txt"}}
    (tmp_path / "tagger.json").write_text(json.dumps(silent))
    found = find_model(tmp_path)
    assert (found.spec.fit, found.thresholds.by_category) == ("stages", {"general": 0.3})
    (tmp_path / "tagger.json").write_text(json.dumps(silent | {"input": INPUT, "thresholds": {"general": 0.4}}))
    found = find_model(tmp_path)
    assert (found.spec.fit, found.thresholds.by_category) == ("squash", {"general": 0.4})


def test_a_description_concerns_the_model_that_it_names(folder: Path) -> None:
    wd14_folder(folder, size=SIZE)
    assert find_model(folder / "model.onnx").spec.layout == "NHWC"
    assert find_model(folder).spec.layout == "NCHW"
