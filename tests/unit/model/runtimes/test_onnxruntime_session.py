"""How a real model is opened: from its graph, written anew, and its weights where they lie."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.onnx_models import wd14_folder
from wd14.errors import ModelContractError
from wd14.model.files.find import find_model
from wd14.model.runtimes.onnxruntime_session import open_onnxruntime
from wd14.model.runtimes.session import Opening, Session
from wd14.model.trial.candidates import Candidate

PICTURES = np.random.default_rng(1).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)


def opened(folder: Path) -> Session:
    return open_onnxruntime(find_model(folder), Candidate("cpu"), Opening(threads=1))


def scores(session: Session) -> bytes:
    return session.run({session.inputs[0].name: PICTURES}, session.outputs[0].name).tobytes()


def from_the_file(folder: Path) -> bytes:
    session = ort.InferenceSession((folder / "model.onnx").read_bytes(), providers=["CPUExecutionProvider"])
    scores: np.ndarray[Any, Any] = session.run(None, {session.get_inputs()[0].name: PICTURES})[0]
    return scores.tobytes()


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> list[str | bytes]:
    """What sessions are made from."""
    given: list[str | bytes] = []
    real = ort.InferenceSession

    def session(model: str | bytes, **options: Any) -> Any:
        given.append(model)
        return real(model, **options)

    monkeypatch.setattr(ort, "InferenceSession", session)
    return given


@pytest.mark.parametrize("name", ["model", "a b/ünï/文", b"not utf-8 \xff"])
def test_wherever_a_model_lies_it_gives_the_same_scores(tmp_path: Path, name: str | bytes) -> None:
    folder = tmp_path / os.fsdecode(name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    wd14_folder(tmp_path / "made", size=32, tags=500)
    (tmp_path / "made").rename(folder)
    assert scores(opened(folder)) == from_the_file(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="says what is mapped")
def test_nothing_of_the_file_is_needed_once_the_model_is_open(tmp_path: Path, models: list[str | bytes]) -> None:
    wd14_folder(tmp_path / "model", size=32, tags=2000)
    before = from_the_file(tmp_path / "model")
    session = opened(tmp_path / "model")
    assert isinstance(models[-1], bytes)
    assert len(models[-1]) < 10_000, "the weights of 24 kB stay in the file"
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()
    os.truncate(tmp_path / "model" / "model.onnx", 0)
    assert scores(session) == before


def front(folder: Path, *nodes: onnx.NodeProto, **weights: np.ndarray[Any, Any]) -> onnx.ModelProto:
    """The model of a folder with nodes before it, the last of which makes `picture` of `input`; to be saved."""
    model = onnx.load(folder / "model.onnx")
    name = model.graph.input[0].name
    for node in model.graph.node:
        node.input[:] = ["picture" if value == name else value for value in node.input]
    for node in reversed(nodes):
        node.input[:] = [name if value == "input" else value for value in node.input]
        model.graph.node.insert(0, node)
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in weights.items())
    return model


def values(*shape: int, element: str = "f4") -> np.ndarray[Any, Any]:
    return (np.random.default_rng(2).normal(size=shape) / 100).astype(element)


NCHW = helper.make_node("Transpose", ["input"], ["nchw"], perm=[0, 3, 1, 2])
NHWC = helper.make_node("Transpose", ["made"], ["picture"], perm=[0, 2, 3, 1])


@pytest.mark.parametrize(
    ("nodes", "weights"),
    [
        ([helper.make_node("MatMul", ["input", "w"], ["picture"])], {"w": values(1, 32, 3, 3)}),
        (
            [
                helper.make_node("MatMul", ["input", "w"], ["more"]),
                helper.make_node("MatMul", ["more", "w2"], ["picture"]),
            ],
            {"w": values(3, 600), "w2": values(1, 600, 3)},
        ),
        (
            [NCHW, helper.make_node("Conv", ["nchw", "w"], ["made"], group=3, pads=[5] * 4), NHWC],
            {"w": values(3, 1, 11, 11)},
        ),
        (
            [
                helper.make_node("Cast", ["input"], ["half"], to=TensorProto.FLOAT16),
                helper.make_node("MatMul", ["half", "w"], ["more"]),
                helper.make_node("MatMul", ["more", "w2"], ["less"]),
                helper.make_node("Cast", ["less"], ["picture"], to=TensorProto.FLOAT),
            ],
            {"w": values(3, 600, element="f2"), "w2": values(600, 3, element="f2")},
        ),
    ],
    ids=["several matrices", "one matrix of three axes", "groups", "float16"],
)
def test_a_file_that_is_overwritten_later_changes_no_score(
    tmp_path: Path, models: list[str | bytes], nodes: list[onnx.NodeProto], weights: dict[str, Any]
) -> None:
    """onnxruntime packs only some kinds of weights; others it reads at every run."""
    wd14_folder(tmp_path / "model", size=32)
    onnx.save(front(tmp_path / "model", *nodes, **weights), tmp_path / "model" / "model.onnx")
    before = from_the_file(tmp_path / "model")
    session = opened(tmp_path / "model")
    assert isinstance(models[-1], bytes)
    with (tmp_path / "model" / "model.onnx").open("r+b") as file:
        file.write(b"\xff" * (tmp_path / "model" / "model.onnx").stat().st_size)
    assert scores(session) == before


def test_weights_that_may_be_given_anew_are_left_so(tmp_path: Path, models: list[str | bytes]) -> None:
    """As constants, onnxruntime would multiply the normalization into the convolution, and round elsewhere."""
    wd14_folder(tmp_path / "model", size=32)
    path = tmp_path / "model" / "model.onnx"
    weights = {"w": values(3, 3, 3, 3), **{name: abs(values(3)) + 1 for name in ("scale", "bias2", "mean", "variance")}}
    conv = helper.make_node("Conv", ["nchw", "w"], ["conv"], pads=[1] * 4)
    normalized = helper.make_node("BatchNormalization", ["conv", "scale", "bias2", "mean", "variance"], ["made"])
    model = front(tmp_path / "model", NCHW, conv, normalized, NHWC, **weights)
    listed = (helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape) for name, value in weights.items())
    model.graph.input.extend(listed)
    onnx.save(model, path)
    expected = from_the_file(tmp_path / "model")
    assert scores(opened(tmp_path / "model")) == expected
    assert models[-1] == str(path)


def with_a_graph_within(path: Path) -> None:
    """Makes a model one that cannot be edited."""
    model = onnx.load(path)
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, None)
    inner = helper.make_graph([helper.make_node("Identity", ["bias"], ["x"])], "inner", [], [value])
    model.graph.initializer.append(helper.make_tensor("true", TensorProto.BOOL, [], [True]))
    model.graph.node.insert(0, helper.make_node("If", ["true"], ["chosen"], then_branch=inner, else_branch=inner))
    next(node for node in model.graph.node if node.op_type == "Add").input[1] = "chosen"
    onnx.save(model, path)


def test_a_graph_that_cannot_be_edited_opens_from_its_file(tmp_path: Path, models: list[str | bytes]) -> None:
    wd14_folder(tmp_path / "model", size=32)
    path = tmp_path / "model" / "model.onnx"
    with_a_graph_within(path)
    expected = from_the_file(tmp_path / "model")
    assert scores(opened(tmp_path / "model")) == expected
    assert models[-1] == str(path)


@pytest.mark.parametrize("editable", [True, False])
@pytest.mark.parametrize("links", [1, 2])
def test_weights_apart_in_the_cache_of_the_hub(tmp_path: Path, editable: bool, links: int) -> None:
    """Its names are links to contents elsewhere, with two links in the newest; onnxruntime does not follow them all."""
    folder, contents = tmp_path / "snapshots" / "1", tmp_path / "blobs"
    wd14_folder(folder, size=32, tags=500)
    if not editable:
        with_a_graph_within(folder / "model.onnx")
    expected = from_the_file(folder)
    model = onnx.load(folder / "model.onnx")
    onnx.save(model, str(folder / "model.onnx"), save_as_external_data=True, location="model.onnx.data")
    contents.mkdir()
    for path in list(folder.iterdir()):
        path.rename(contents / path.suffix)
        path.symlink_to(Path("..", "..", "blobs", path.suffix))
        if links == 2:
            store = tmp_path / "store" / path.suffix / "1"
            store.parent.mkdir(parents=True)
            (contents / path.suffix).rename(store)
            (contents / path.suffix).symlink_to(store)
    assert scores(opened(folder)) == expected


def test_what_no_form_of_a_model_can_do_is_said_once(tmp_path: Path) -> None:
    wd14_folder(tmp_path / "model", size=32)
    path = tmp_path / "model" / "model.onnx"
    model = onnx.load(path)
    model.graph.node[0].op_type = "Unheard"
    onnx.save(model, path)
    with pytest.raises(ModelContractError, match=r"model\.onnx: onnxruntime cannot read it: .*Unheard"):
        opened(tmp_path / "model")
