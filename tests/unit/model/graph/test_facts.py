from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from tests.support.onnx_models import random_weights, save_model
from wd14.errors import ModelContractError, ModelNotFoundError
from wd14.model.graph.facts import TensorFacts, read_graph


def save(path: Path, model: onnx.ModelProto) -> Path:
    onnx.save(model, str(path))
    return path


def small(*nodes: onnx.NodeProto, output: str = "out", weights: tuple[onnx.TensorProto, ...] = ()) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, [None, 4])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, 4])],
        list(weights),
    )
    return helper.make_model(graph)


@pytest.mark.parametrize("batch", ["batch_size", None, 1, 7])
@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_inputs_and_outputs_as_onnx_itself_reads_them(tmp_path: Path, batch: int | str | None, layout: str) -> None:
    path = save_model(
        tmp_path / "model.onnx", random_weights(5), layout=layout, batch=batch, three_outputs=True, input_name="in:0"
    )
    facts = read_graph(path)
    sides = (448, 448, 3) if layout == "NHWC" else (3, 448, 448)
    assert facts.inputs == (TensorFacts("in:0", "tensor(float)", (batch, *sides)),)
    assert facts.outputs == (
        TensorFacts("embedding", "tensor(float)", (batch, 3)),
        TensorFacts("logits", "tensor(float)", (batch, 5)),
        TensorFacts("prediction", "tensor(float)", (batch, 5)),
    )
    assert facts.activations == {"embedding": "sigmoid", "logits": "sigmoid", "prediction": "none"}
    assert facts.external == {}


@pytest.mark.parametrize(
    ("element", "name"),
    [(TensorProto.FLOAT16, "tensor(float16)"), (TensorProto.DOUBLE, "tensor(double)"), (99, "tensor(type 99)")],
)
def test_types_are_named_as_onnxruntime_names_them(tmp_path: Path, element: int, name: str) -> None:
    model = small(helper.make_node("Relu", ["in"], ["out"]))
    model.graph.input[0].type.tensor_type.elem_type = element
    assert read_graph(save(tmp_path / "m.onnx", model)).inputs[0].type == name


def test_weights_that_old_files_list_among_the_inputs_are_none(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    model = small(helper.make_node("MatMul", ["in", "w"], ["out"]), weights=(weight,))
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 4]))
    assert [fact.name for fact in read_graph(save(tmp_path / "m.onnx", model)).inputs] == ["in"]


def test_a_graph_without_shapes(tmp_path: Path) -> None:
    model = small(helper.make_node("Relu", ["in"], ["out"]))
    model.graph.output[0].type.tensor_type.ClearField("shape")
    assert read_graph(save(tmp_path / "m.onnx", model)).outputs[0].shape is None


@pytest.mark.parametrize(
    ("operators", "activation"),
    [(["MatMul", "Sigmoid", "Identity"], "none"), (["Sigmoid", "MatMul", "Cast"], "sigmoid")],
)
def test_the_last_operator_that_computes_says_what_the_output_is(
    tmp_path: Path, operators: list[str], activation: str
) -> None:
    names = ["in", *(f"t{index}" for index in range(len(operators) - 1)), "out"]
    nodes = [helper.make_node(operator, [names[at]], [names[at + 1]]) for at, operator in enumerate(operators)]
    assert read_graph(save(tmp_path / "m.onnx", small(*nodes))).activations == {"out": activation}


def test_tensors_of_an_inner_graph_are_others_whatever_their_names(tmp_path: Path) -> None:
    body = helper.make_graph([helper.make_node("MatMul", ["x", "x"], ["out"])], "body", [], [])
    branch = helper.make_node("If", ["in"], ["unused"], then_branch=body, else_branch=body)
    model = small(helper.make_node("Sigmoid", ["in"], ["out"]), branch)
    assert read_graph(save(tmp_path / "m.onnx", model)).activations == {"out": "none"}


def test_fields_of_other_versions_of_the_format_are_stepped_over(tmp_path: Path) -> None:
    model = small(helper.make_node("Gemm", ["in", "in"], ["out"], alpha=0.5)).SerializeToString()
    path = tmp_path / "m.onnx"
    path.write_bytes(model)
    facts = read_graph(path)
    path.write_bytes(b"\xa5\x06" + b"\xff" * 4 + b"\xa1\x06" + b"\xff" * 8 + model)  # field 100 in 4 and in 8 bytes
    assert read_graph(path) == facts


def external(name: str, location: str) -> onnx.TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="offset", value="0")
    tensor.external_data.add(key="checksum", value="c0ffee")
    tensor.external_data.add(key="location", value=location)
    return tensor


def test_weights_in_other_files_are_found_wherever_they_hide(tmp_path: Path) -> None:
    body = helper.make_graph(
        [helper.make_node("Constant", [], ["c"], value=external("c", "constant.bin"))],
        "body",
        [],
        [helper.make_tensor_value_info("c", TensorProto.FLOAT, [4])],
        [external("inner", "../inner.bin")],
    )
    listed = helper.make_graph([], "listed", [], [], [external("l", "listed.bin")])
    model = small(
        helper.make_node("If", ["in"], ["out"], then_branch=body, else_branch=body),
        helper.make_node("Own", ["in"], [], tensors=[external("t", "tensors.bin")], graphs=[listed]),
        weights=(external("w", "weights.bin"),),
    )
    model.functions.append(
        helper.make_function(
            "own",
            "f",
            [],
            ["y"],
            [helper.make_node("Constant", [], ["y"], value=external("y", "/function.bin"))],
            [helper.make_opsetid("", 17)],
        )
    )
    facts = read_graph(save(tmp_path / "m.onnx", model))
    assert tuple(facts.external) == (
        *("../inner.bin", "/function.bin", "constant.bin"),
        *("listed.bin", "tensors.bin", "weights.bin"),
    )


def test_graphs_nested_without_end_are_refused(tmp_path: Path) -> None:
    inner = helper.make_graph([], "g", [], [])
    for _ in range(20):
        inner = helper.make_graph([helper.make_node("If", ["x"], ["y"], then_branch=inner)], "g", [], [])
    path = tmp_path / "m.onnx"
    path.write_bytes(helper.make_model(inner).SerializeToString())
    with pytest.raises(ModelContractError, match="nested deeper"):
        read_graph(path)


def calling_twice(depth: int) -> onnx.ModelProto:
    """A function that calls another one twice, which does the same: 2 ** depth nodes in some hundred bytes."""
    model = small(helper.make_node("f0", ["in"], ["out"], domain="own"))
    for level in range(depth):
        name = f"f{level + 1}" if level + 1 < depth else f"f{level}" if depth > 100 else ""
        nodes = [
            helper.make_node(name or "Relu", ["x"], ["t"], domain="own" if name else ""),
            helper.make_node(name or "Relu", ["t"], ["y"], domain="own" if name else ""),
        ]
        model.functions.append(helper.make_function("own", f"f{level}", ["x"], ["y"], nodes, []))
    return model


def many_outputs() -> onnx.ModelProto:
    model = small(helper.make_node("Relu", ["in"], ["out"]))
    model.graph.output.extend(helper.make_tensor_value_info(f"o{n}", TensorProto.FLOAT, [1]) for n in range(200))
    return model


def sparse() -> onnx.ModelProto:
    """A few bytes that onnxruntime would make dense: a terabyte."""
    model = small(helper.make_node("Relu", ["in"], ["out"]))
    value = numpy_helper.from_array(np.ones(1, np.float32), "w")
    index = numpy_helper.from_array(np.zeros(1, np.int64), "i")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(value, index, [1 << 38]))
    return model


TEXT = [
    helper.make_node("Cast", ["in"], ["text"], to=TensorProto.STRING),
    helper.make_node("Constant", [], ["text"], value_string="a"),
    helper.make_node("Constant", [], ["text"], value=numpy_helper.from_array(np.array(["a"], object), "t")),
]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        *((small(node, helper.make_node("Relu", ["in"], ["out"])), "text in it") for node in TEXT),
        (calling_twice(30), "over 200,000 nodes"),
        (calling_twice(101), "functions nested deeper"),
        (many_outputs(), "201 outputs"),
        (sparse(), "sparse weights"),
    ],
)
def test_what_grows_without_end_is_refused(tmp_path: Path, model: onnx.ModelProto, message: str) -> None:
    with pytest.raises(ModelContractError, match=message):
        read_graph(save(tmp_path / "m.onnx", model))


def test_a_file_of_nothing_but_tiny_parts_is_left_soon(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"\x08\x08" * 3_000_000)
    with pytest.raises(ModelContractError, match="over 2,000,000 parts"):
        read_graph(tmp_path / "m.onnx")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.onnx")
    with pytest.raises(ModelContractError, match="it is a pipe"):
        read_graph(tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:71f0\nsize 387820405\n", "Git LFS pointer"),
        (b"<!doctype html><html><body>Sign in</body></html>", "is a web page"),
        (b"\n\n  <html>", "is a web page"),
        (b'{"error":"Repository not found"}', "is a text file"),
        (b"PK\x03\x04" + bytes(100), "not an ONNX model|no ONNX model"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not an ONNX model|no ONNX model"),
        (b"\x08\x08", "holds no graph"),
        (b"\x08" + b"\xff" * 20, "unexpected content at byte 11"),
    ],
)
def test_what_is_no_model_is_said(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelContractError, match=message):
        read_graph(path)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="there is no model file"):
        read_graph(tmp_path / "model.onnx")
    with pytest.raises(ModelContractError, match="cannot be read"):
        read_graph(tmp_path)


def test_a_truncated_file_names_both_sizes(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model.onnx", random_weights(1000))
    data = path.read_bytes()
    path.write_bytes(data[:9000])
    with pytest.raises(ModelContractError, match=r"is cut off .* goes on to byte [\d,]+ at least, and has 9,000"):
        read_graph(path)


def test_no_cut_goes_unseen(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model.onnx", random_weights(4))
    data = path.read_bytes()
    graph_end = len(data) - len(onnx.load(path).opset_import[0].SerializeToString()) - 2
    for end in range(1, graph_end, 3):
        path.write_bytes(data[:end])
        with pytest.raises(ModelContractError):
            read_graph(path)


@given(st.data())
def test_a_damaged_file_ends_in_no_other_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    content = bytearray(save_model(folder / "model.onnx", random_weights(4)).read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / "model.onnx").write_bytes(bytes(content))
    try:
        read_graph(folder / "model.onnx")
    except ModelContractError:
        return


def test_weights_are_stepped_over(tmp_path: Path) -> None:
    """60 MB of weights cost no more than their number."""
    path = tmp_path / "model.onnx"
    raw = np.zeros(15_000_000, np.float32)
    weight = numpy_helper.from_array(raw, "w")
    save(path, small(helper.make_node("Relu", ["in"], ["out"]), weights=(weight,)))
    started = time.perf_counter()
    facts = read_graph(path)
    assert time.perf_counter() - started < 0.5
    assert facts.outputs[0].name == "out"
