"""Graphs that are read, changed and written, against `onnx` and onnxruntime on the file itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from wd14.errors import ModelContractError, ModelNotFoundError
from wd14.model.graph.editing import EditableGraph, Node

RNG = np.random.default_rng(5)
LARGE = RNG.normal(size=(64, 64)).astype(np.float32)
OTHER_FILE = {"location": "w.bin"}
SMALL = RNG.normal(size=64).astype(np.float32)


def saved(path: Path, *weights: onnx.TensorProto, nodes: tuple[onnx.NodeProto, ...] = (), ir: int = 8) -> Path:
    """A model that multiplies with `large` and adds `small`."""
    graph = helper.make_graph(
        [
            *nodes,
            helper.make_node("MatMul", ["in", "large"], ["product"]),
            helper.make_node("Add", ["product", "small"], ["out"]),
        ],
        "g",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, ["n", 64])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 64])],
        list(weights),
    )
    if ir < 4:
        graph.input.extend(helper.make_tensor_value_info(w.name, w.data_type, w.dims) for w in weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=ir), path)
    return path


def listed(name: str, value: NDArray[Any]) -> onnx.TensorProto:
    """A weight whose numbers are listed one by one."""
    return helper.make_tensor(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape, value.ravel())


def scores(model: Path | bytes, folder: Path) -> NDArray[np.float32]:
    """What onnxruntime makes of it."""
    options = ort.SessionOptions()
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feed = np.linspace(-1, 1, 128, dtype=np.float32).reshape(2, 64)
    result: NDArray[np.float32] = session.run(None, {"in": feed})[0]
    return result


def raw(path: Path) -> Path:
    return saved(path, numpy_helper.from_array(LARGE, "large"), numpy_helper.from_array(SMALL, "small"))


def lists(path: Path) -> Path:
    return saved(path, listed("large", LARGE), listed("small", SMALL))


def constants(path: Path) -> Path:
    nodes = (
        helper.make_node("Constant", [], ["large"], value=numpy_helper.from_array(LARGE)),
        helper.make_node("Constant", [], ["small"], value_floats=SMALL),
    )
    return saved(path, nodes=nodes)


def old_format(path: Path) -> Path:
    return saved(path, numpy_helper.from_array(LARGE, "large"), numpy_helper.from_array(SMALL, "small"), ir=3)


def other_files(path: Path) -> Path:
    onnx.save(onnx.load(raw(path)), path, save_as_external_data=True, location="weights/all.bin", size_threshold=0)
    return path


def hub_cache(path: Path) -> Path:
    blob = path.parent / "blobs" / "0123abcd"
    link = path.parent / "snapshots" / "main" / path.name
    for file in (blob, link):
        file.parent.mkdir(parents=True)
    raw(blob)
    link.symlink_to(Path("../../blobs/0123abcd"))
    return link


@pytest.mark.parametrize("make", [raw, lists, constants, old_format, other_files, hub_cache])
def test_the_same_scores_with_the_weights_left_where_they_are(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    (tmp_path / "weights").mkdir()
    path = make(tmp_path / "model.onnx")
    graph = EditableGraph.read(path)
    written = graph.to_bytes()
    assert len(written) < 1500, "the large weight is 16 kB"
    assert scores(written, graph.folder).tobytes() == scores(path, path.parent).tobytes()
    assert (graph.inputs, graph.outputs) == (["in"], ["out"])
    assert [node.operator for node in graph.nodes] == ["MatMul", "Add"]
    np.testing.assert_array_equal(graph.value("large"), LARGE)
    np.testing.assert_array_equal(graph.value("small"), SMALL)


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "u1", "i1", "u2", "i2", "i4", "i8", "u4", "u8", "?"])
@pytest.mark.parametrize("write", [lambda value: numpy_helper.from_array(value, "w"), lambda value: listed("w", value)])
def test_values_of_every_type(tmp_path: Path, kind: str, write: Callable[[NDArray[Any]], onnx.TensorProto]) -> None:
    numbers = [0, 1, 100] if kind[0] in "u?" else [-1, 1, -100]
    value = np.array([numbers], kind)
    graph = EditableGraph.read(saved(tmp_path / "m.onnx", write(value)))
    read = graph.value("w")
    assert read is not None
    np.testing.assert_array_equal(read, value)
    assert (read.dtype, graph.weight_shape("w")) == (value.dtype, (1, 3))
    assert graph.weight_type("w") == helper.np_dtype_to_tensor_dtype(value.dtype)
    kept = {weight.name: weight for weight in onnx.load_from_string(graph.to_bytes()).graph.initializer}
    np.testing.assert_array_equal(numpy_helper.to_array(kept["w"]), value)


def test_attributes_are_read_and_written(tmp_path: Path) -> None:
    attributes: dict[str, Any] = {
        "number": -3,
        "real": 0.1,
        "text": b"a\xff",
        "numbers": [1, -2],
        "reals": [0.5, 2.0],
        "texts": [b"a", b""],
        "tensor": numpy_helper.from_array(np.arange(3)),
        "type": helper.make_tensor_type_proto(1, [2]),
    }
    node = helper.make_node("Own", ["", "in"], ["x"], name="n", domain="own", overload="second", **attributes)
    graph = EditableGraph.read(saved(tmp_path / "m.onnx", nodes=(node,)))
    read = graph.nodes[0]
    assert (read.operator, read.inputs, read.outputs, read.domain) == ("Own", ["", "in"], ["x"], "own")
    assert (read.attributes["number"], read.attributes["numbers"]) == (-3, (1, -2))
    assert (read.attributes["text"], read.attributes["texts"]) == (b"a\xff", (b"a", b""))
    assert (read.attributes["real"], read.attributes["reals"]) == (float(np.float32(0.1)), (0.5, 2.0))
    np.testing.assert_array_equal(read.attributes["tensor"], [0, 1, 2])
    written = onnx.load_from_string(graph.to_bytes()).graph.node[0]
    assert written == node


def test_what_is_changed_is_what_is_written(tmp_path: Path) -> None:
    graph = EditableGraph.read(raw(tmp_path / "model.onnx"))
    last = graph.nodes[-1]
    last.outputs = [graph.free_name("product")]
    factor = graph.free_name("factor")
    graph.add_weight(factor, np.array([2], np.float32))
    graph.nodes.append(Node("Mul", [*last.outputs, factor], ["out"]))
    graph.nodes.append(Node("Gelu", ["out"], [graph.free_name("gelu")], domain="com.microsoft"))
    graph.use_domain("com.microsoft", 1)
    assert last.outputs == ["product_1"]
    plain = scores(tmp_path / "model.onnx", tmp_path)
    np.testing.assert_array_equal(scores(graph.to_bytes(), graph.folder), plain * 2)
    opsets = onnx.load_from_string(graph.to_bytes()).opset_import
    assert {opset.domain: opset.version for opset in opsets} == {"": 13, "com.microsoft": 1}


def test_types_of_inputs_and_outputs(tmp_path: Path) -> None:
    graph = EditableGraph.read(raw(tmp_path / "model.onnx"))
    graph.set_type("in", TensorProto.UINT8)
    assert graph.element_types() == {"in": TensorProto.UINT8, "out": TensorProto.FLOAT}
    written = onnx.load_from_string(graph.to_bytes()).graph.input[0]
    assert written == helper.make_tensor_value_info("in", TensorProto.UINT8, ["n", 64])
    with pytest.raises(ValueError, match="no input or output 'large'"):
        graph.set_type("large", TensorProto.UINT8)


def test_weights_that_are_listed_among_the_inputs_are_constant(tmp_path: Path) -> None:
    """Else onnxruntime keeps from preparing them: an input may come with each run."""
    path = raw(tmp_path / "model.onnx")
    model = onnx.load(path)
    model.graph.input.append(helper.make_tensor_value_info("large", TensorProto.FLOAT, [64, 64]))
    onnx.save(model, path)
    graph = EditableGraph.read(path)
    assert graph.inputs == ["in"]
    assert [value.name for value in onnx.load_from_string(graph.to_bytes()).graph.input] == ["in"]


def test_what_nobody_needs_is_left_out_and_asked_of_nobody(tmp_path: Path) -> None:
    unused = numpy_helper.from_array(SMALL, "unused")
    weights = (numpy_helper.from_array(LARGE, "large"), numpy_helper.from_array(SMALL, "small"), unused)
    node = helper.make_node("Exp", ["unused"], ["nothing"])
    file = saved(tmp_path / "model.onnx", *weights, nodes=(node,), ir=3)
    graph = EditableGraph.read(file)
    graph.drop_unused()
    assert [node.operator for node in graph.nodes] == ["MatMul", "Add"]
    assert np.array_equal(scores(graph.to_bytes(), graph.folder), scores(file, tmp_path))


def test_what_an_unchanged_graph_declares_counts_to_the_last_bit(tmp_path: Path) -> None:
    """By a shape that it cannot infer, onnxruntime joins a product and a sum, and rounds in other places."""
    path = saved(
        tmp_path / "model.onnx",
        numpy_helper.from_array(LARGE, "large"),
        numpy_helper.from_array(SMALL, "small"),
        nodes=(
            helper.make_node("NonZero", ["shape"], ["places"]),
            helper.make_node("GatherND", ["shape", "turned"], ["same"]),
            helper.make_node("Reshape", ["in", "same"], ["rows"]),
        ),
    )
    model = onnx.load(path)
    model.graph.node.insert(1, helper.make_node("Transpose", ["places"], ["turned"]))
    model.graph.node[-2].input[0] = "rows"
    model.graph.initializer.append(numpy_helper.from_array(np.array([2, 64]), "shape"))
    model.graph.value_info.append(helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, 64]))
    onnx.save(model, path)
    graph = EditableGraph.read(path)
    assert scores(graph.to_bytes(unchanged=True), graph.folder).tobytes() == scores(path, path.parent).tobytes()
    model = onnx.load_from_string(graph.to_bytes())
    assert not model.graph.value_info, "what is said of a changed graph may be wrong"


def test_a_weight_that_is_more_than_multiplied_with_is_copied(tmp_path: Path) -> None:
    """What runtimes read at every run must not vanish with its file."""
    path = saved(
        tmp_path / "model.onnx",
        numpy_helper.from_array(LARGE, "large"),
        numpy_helper.from_array(SMALL, "small"),
        nodes=(helper.make_node("Add", ["in", "large"], ["unused"]),),
    )
    graph = EditableGraph.read(path)
    model = onnx.load_from_string(graph.to_bytes())
    assert not [weight for weight in model.graph.initializer if external_data_helper.uses_external_data(weight)]


def test_graphs_within_graphs_are_not_edited(tmp_path: Path) -> None:
    inner = helper.make_graph([], "inner", [], [])
    node = helper.make_node("If", ["in"], ["x"], then_branch=inner, else_branch=inner)
    with pytest.raises(ModelContractError, match="graphs within its graph: it cannot be edited"):
        EditableGraph.read(saved(tmp_path / "m.onnx", nodes=(node,)))


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "is empty"), (b"\x08\x08", "holds no graph"), (b"<html>", "not an ONNX|no ONNX")]
)
def test_what_is_no_model(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ModelContractError, match=message):
        EditableGraph.read(tmp_path / "m.onnx")
    with pytest.raises(ModelNotFoundError):
        EditableGraph.read(tmp_path / "none.onnx")


def odd(
    name: str, where: Mapping[str, str], *, kind: int = TensorProto.FLOAT, dims: Sequence[int] = (4,)
) -> onnx.TensorProto:
    """A weight whose numbers are said to lie in another file."""
    tensor = TensorProto(name=name, data_type=kind, dims=dims, data_location=TensorProto.EXTERNAL)
    for key, value in where.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def test_weights_that_are_no_numbers_for_numpy_have_no_value(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(16))
    weights = (
        odd("good", OTHER_FILE),
        odd("no number", {**OTHER_FILE, "offset": "9" * 30, "length": "-1"}),
        odd("short", {**OTHER_FILE, "offset": "8"}),
        odd("negative", OTHER_FILE, dims=(-4,)),
        odd("many axes", OTHER_FILE, dims=[1 << 62] * 10_000),
        odd("other type", OTHER_FILE, kind=16),
    )
    graph = EditableGraph.read(saved(tmp_path / "model.onnx", *weights))
    assert [name for name in (w.name for w in weights) if graph.value(name) is not None] == ["good", "no number"]
    graph.to_bytes()


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"location": "none.bin"}, "not there"),
        ({"location": "a\0b"}, "not there"),
        ({"location": "."}, "does not hold them"),
        ({**OTHER_FILE, "offset": "9" * 18, "length": "16"}, "does not hold them"),
        ({**OTHER_FILE, "offset": "17"}, "does not hold them"),
        ({**OTHER_FILE, "offset": "8", "length": "9"}, "does not hold them"),
    ],
)
def test_a_weight_in_a_file_that_is_not_there(tmp_path: Path, where: dict[str, str], message: str) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(16))
    with pytest.raises(ModelContractError, match=message):
        EditableGraph.read(saved(tmp_path / "model.onnx", odd("w", where)))


def test_a_weight_is_elsewhere_only_where_it_says_so(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(SMALL, "small")
    weight.external_data.add(key="location", value="none.bin")
    graph = EditableGraph.read(saved(tmp_path / "model.onnx", numpy_helper.from_array(LARGE, "large"), weight))
    np.testing.assert_array_equal(graph.value("small"), SMALL)


@given(st.data())
@settings(deadline=None)
def test_a_damaged_file_ends_in_no_other_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("damaged") / "model.onnx"
    (path.parent / "w.bin").write_bytes(bytes(16))
    nodes = (helper.make_node("Own", ["in"], ["x"], ints=[1, 2], floats=[1.0], tensor=listed("t", SMALL[:3])),)
    weights = (listed("w", np.arange(3)), odd("other", OTHER_FILE), numpy_helper.from_array(SMALL[:3], "small"))
    content = bytearray(saved(path, *weights, nodes=nodes).read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    try:
        graph = EditableGraph.read(path)
        for node in graph.nodes:
            for name in (*node.inputs, "w", "other", "small"):
                graph.value(name)
        graph.to_bytes()
    except ModelContractError:
        return
