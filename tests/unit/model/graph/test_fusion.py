"""LayerNorm and GELU in pieces, against onnxruntime on the pieces and numbers of our own."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from tests.support import graph_pieces as pieces
from tests.support.graph_pieces import BIAS, CHANNELS, EPSILON, SCALE, Pieces
from wd14.model.graph.editing import EditableGraph
from wd14.model.graph.fusion import fuse

X = np.random.default_rng(4).normal(2, 3, (2, 5, CHANNELS)).astype(np.float32)
IMAGES = np.random.default_rng(5).normal(2, 3, (2, CHANNELS, 3, 4)).astype(np.float32)


def scores(model: Path | bytes, x: NDArray[Any]) -> list[NDArray[np.float32]]:
    """What onnxruntime makes of the nodes as they are: its own fusion takes a wrong epsilon from `epsilon + variance`
    (seen with 1.21)."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    results: list[NDArray[np.float32]] = session.run(None, {"x": x})
    return results


def fused(path: Path, x: NDArray[Any]) -> tuple[list[str], NDArray[np.float32]]:
    """The operators after the fusion, and what comes out: the same as before."""
    graph = EditableGraph.read(path)
    assert fuse(graph) == 1
    [before], [after] = scores(path, x), scores(graph.to_bytes(), x)
    assert after.shape == before.shape
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-5)
    return [node.operator for node in graph.nodes], after


@pytest.mark.parametrize("opset", [13, 17, 18])
@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("name", pieces.LAYER_NORMS)
def test_layer_norm_becomes_one_operator(tmp_path: Path, name: str, flipped: bool, opset: int) -> None:
    made = Pieces(opset, flipped=flipped)
    path = made.save(tmp_path / "m.onnx", [2, "rows", CHANNELS], [pieces.LAYER_NORMS[name](made, "x")])
    operators, result = fused(path, X)
    expected = {
        "keras_by_batch_norm": ["LayerNormalization", "Reshape"],
        "keras_by_batch_norm_of_any_batch": ["Shape", "Cast", "Cast", "LayerNormalization", "Reshape"],
    }
    assert operators == expected.get(name, ["LayerNormalization"])
    reference = pieces.layer_norm(X, bias=name != "torch_without_bias")
    np.testing.assert_allclose(result, reference, rtol=0, atol=1e-5)


def test_what_scales_and_shifts_is_taken_from_the_model(tmp_path: Path) -> None:
    made = Pieces()
    path = made.save(tmp_path / "m.onnx", [2, 5, CHANNELS], [pieces.torch(made, "x")])
    graph = EditableGraph.read(path)
    fuse(graph)
    values = [graph.value(name) for name in graph.nodes[0].inputs[1:]]
    np.testing.assert_array_equal(values, [SCALE, BIAS])
    assert {*graph.nodes[0].inputs[1:]} < {weight.name for weight in made.weights}


@pytest.mark.parametrize(
    ("form", "turns"),
    [(pieces.keras_channels_first, 2), (pieces.flax_between_convolutions, 1)],
)
def test_channels_that_are_not_last_are_turned_there(
    tmp_path: Path, form: Callable[[Pieces, str], str], turns: int
) -> None:
    made = Pieces()
    path = made.save(tmp_path / "m.onnx", ["n", CHANNELS, 3, 4], [form(made, "x")])
    operators, result = fused(path, IMAGES)
    assert sorted(operators) == ["LayerNormalization", *["Transpose"] * turns]
    reference = pieces.layer_norm(IMAGES.transpose(0, 2, 3, 1))
    np.testing.assert_allclose(result, reference.transpose(0, 3, 1, 2) if turns == 2 else reference, rtol=0, atol=1e-5)


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("name", pieces.GELUS)
def test_gelu_becomes_one_operator(tmp_path: Path, name: str, flipped: bool) -> None:
    made = Pieces(flipped=flipped)
    path = made.save(tmp_path / "m.onnx", [2, 5, CHANNELS], [pieces.GELUS[name](made, "x")])
    assert fused(path, X)[0] == ["Gelu" if name.startswith("erf") else "FastGelu"]


def test_each_of_several_is_replaced(tmp_path: Path) -> None:
    made = Pieces()
    first = pieces.erf_of_keras(made, pieces.keras(made, "x"))
    second = pieces.tanh_of_flax(made, pieces.keras_by_batch_norm(made, first))
    path = made.save(tmp_path / "m.onnx", [2, 5, CHANNELS], [made.node("Add", "x", second)])
    graph = EditableGraph.read(path)
    assert fuse(graph) == 4
    operators = [node.operator for node in graph.nodes]
    assert operators == ["LayerNormalization", "Gelu", "LayerNormalization", "Reshape", "FastGelu", "Add"]
    np.testing.assert_allclose(scores(graph.to_bytes(), X), scores(path, X), rtol=0, atol=1e-5)
    assert fuse(graph) == 0


def test_one_scale_for_all_channels(tmp_path: Path) -> None:
    """tf2onnx leaves a scale of 1 and a bias of 0 out."""
    made = Pieces()
    turned = made.node("Transpose", made.node("Conv", "x", np.ones((8, CHANNELS, 1, 1))), perm=[0, 2, 3, 1])
    normal = pieces.batch_norm(made, made.reshape(turned, 1, 24, 8, 1), made.constant(8.0), np.ones(24), np.zeros(24))
    path = made.save(tmp_path / "m.onnx", [2, CHANNELS, 3, 4], [made.reshape(normal, 2, 3, 4, 8)])
    assert fused(path, IMAGES)[0] == ["Conv", "Transpose", "LayerNormalization", "Reshape"]


def test_what_is_added_by_row_stays_behind_it(tmp_path: Path) -> None:
    made = Pieces()
    out = made.node("Add", pieces.torch_without_bias(made, "x"), np.arange(5).reshape(5, 1))
    assert fused(made.save(tmp_path / "m.onnx", [2, 5, CHANNELS], [out]), X)[0] == ["LayerNormalization", "Add"]


def test_a_shape_that_is_read_elsewhere_stays(tmp_path: Path) -> None:
    made = Pieces()
    rows = made.reshape("x", 1, 10, CHANNELS, 1)
    size = made.node("Cast", made.node("Shape", rows), to=TensorProto.FLOAT)
    width = made.constant(float(CHANNELS))
    normal = pieces.batch_norm(made, rows, width, np.ones(10), np.zeros(10))
    out = made.node("Add", made.node("Mul", made.reshape(normal, 2, 5, CHANNELS), SCALE), BIAS)
    path = made.save(tmp_path / "m.onnx", [2, 5, CHANNELS], [out, size])
    graph = EditableGraph.read(path)
    assert fuse(graph) == 1
    for after, before in zip(scores(graph.to_bytes(), X), scores(path, X), strict=True):
        np.testing.assert_allclose(after, before, rtol=0, atol=1e-5)


# What looks like it and is not


def _normal(p: Pieces, x: str, **changed: Any) -> str:
    """LayerNorm with something changed."""
    axes = changed.get("axes", [-1])
    mean = changed.get("mean") or p.over("ReduceMean", x, axes, keep=changed.get("keep", True))
    centred = p.node("Sub", x, mean)
    variance = p.over(
        "ReduceMean", p.node("Pow", centred, changed.get("power", 2.0)), axes, keep=changed.get("keep", True)
    )
    if "variance" in changed:
        variance = changed["variance"](variance)
    root = changed.get("root", lambda value: p.node("Sqrt", p.node("Add", value, EPSILON)))(variance)
    normal = p.node("Div", centred, root)
    return p.node("Add", p.node("Mul", normal, changed.get("scale", SCALE)), changed.get("bias", BIAS))


def _another_mean(p: Pieces) -> str:
    return _normal(p, "x", mean=p.over("ReduceMean", p.node("Relu", "x"), [-1]))


def _epsilon_outside(p: Pieces) -> str:
    return _normal(p, "x", root=lambda value: p.node("Add", p.node("Sqrt", value), EPSILON))


def _no_epsilon(p: Pieces) -> str:
    return _normal(p, "x", root=lambda value: p.node("Sqrt", value))


def _unbiased(p: Pieces) -> str:
    return _normal(p, "x", variance=lambda value: p.node("Mul", value, CHANNELS / (CHANNELS - 1)))


def _two_epsilons(p: Pieces) -> str:
    mean = p.over("ReduceMean", "x", [-1])
    centred = p.node("Sub", "x", mean)
    variance = p.over("ReduceMean", p.node("Pow", centred, 2.0), [-1])
    roots = [p.node("Reciprocal", p.node("Sqrt", p.node("Add", variance, value))) for value in (1e-3, 2e-3)]
    products = p.node("Sub", p.node("Mul", "x", roots[0]), p.node("Mul", mean, roots[1]))
    return p.node("Add", p.node("Mul", products, SCALE), BIAS)


def _groups(p: Pieces) -> str:
    """Group normalization, by batch norm."""
    rows = p.reshape("x", 1, 20, CHANNELS // 2, 1)
    normal = pieces.batch_norm(p, rows, p.constant(CHANNELS / 2), np.ones(20), np.zeros(20))
    return p.node("Add", p.node("Mul", p.reshape(normal, 2, 5, CHANNELS), SCALE), BIAS)


def _wrong_count(p: Pieces, scale: Any = SCALE) -> str:
    rows = p.reshape("x", 1, 10, CHANNELS, 1)
    normal = pieces.batch_norm(p, rows, p.constant(CHANNELS - 1), np.ones(10), np.zeros(10))
    return p.node("Add", p.node("Mul", p.reshape(normal, 2, 5, CHANNELS), scale), BIAS)


def _rows_that_are_scaled(p: Pieces) -> str:
    rows = p.reshape("x", 1, 10, CHANNELS, 1)
    normal = pieces.batch_norm(p, rows, p.constant(CHANNELS), np.arange(10), np.zeros(10))
    return p.node("Add", p.node("Mul", p.reshape(normal, 2, 5, CHANNELS), SCALE), BIAS)


def _pooled_pictures(p: Pieces) -> str:
    """Instance normalization: the same nodes on four axes."""
    return p.reshape(pieces.keras_pooled(p, p.reshape("x", 1, 2, 5, CHANNELS)), 2, 5, CHANNELS)


def _gelu(p: Pieces, x: str, inner: float = 0.5**0.5, one: float = 1.0, half: float = 0.5, other: str = "x") -> str:
    factor = p.node("Add", p.node("Erf", p.node("Mul", x, inner)), one)
    return p.node("Mul", p.node("Mul", other, half), factor)


NEAR_MISSES: dict[str, Callable[[Pieces], str]] = {
    "over rows": lambda p: _normal(p, "x", axes=[1]),
    "over two axes": lambda p: _normal(p, "x", axes=[1, 2]),
    "power of three": lambda p: _normal(p, "x", power=3.0),
    "another mean": _another_mean,
    "epsilon outside of the root": _epsilon_outside,
    "no epsilon": _no_epsilon,
    "negative epsilon": lambda p: _normal(p, "x", root=lambda value: p.node("Sqrt", p.node("Add", value, -1e-9))),
    "unbiased variance": _unbiased,
    "two epsilons": _two_epsilons,
    "scale by row": lambda p: _normal(p, "x", scale=np.arange(5).reshape(5, 1), bias=0.0),
    "one scale, no bias: how many channels there are is not known": lambda p: _normal(p, "x", scale=2.0, bias=0.0),
    "scale that adds an axis": lambda p: _normal(p, "x", scale=SCALE.reshape(1, 1, 1, CHANNELS)),
    "groups": _groups,
    "wrong count": _wrong_count,
    "wrong count, and no scale": lambda p: _wrong_count(p, scale=1.0),
    "rows that are scaled": _rows_that_are_scaled,
    "pooled pictures": _pooled_pictures,
    "erf of another scale": lambda p: _gelu(p, "x", inner=0.7),
    "erf and two": lambda p: _gelu(p, "x", one=2.0),
    "another half": lambda p: _gelu(p, "x", half=0.49),
    "erf of another tensor": lambda p: _gelu(p, p.node("Relu", "x")),
    "times another tensor": lambda p: _gelu(p, "x", other=p.node("Relu", "x")),
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_what_is_not_the_same_stays_as_it_is(tmp_path: Path, name: str) -> None:
    made = Pieces()
    path = made.save(tmp_path / "m.onnx", [2, 5, CHANNELS], [NEAR_MISSES[name](made)])
    scores(path, X)  # it is a model that runs
    graph = EditableGraph.read(path)
    assert fuse(graph) == 0
    assert [node.name for node in graph.nodes] == [node.name for node in made.nodes]


def test_means_without_their_axis_are_another_thing_even_where_the_sides_are_equal(tmp_path: Path) -> None:
    made = Pieces()
    out = _normal(made, "x", keep=False)
    path = made.save(tmp_path / "m.onnx", [CHANNELS, CHANNELS], [out])
    graph = EditableGraph.read(path)
    assert fuse(graph) == 0


@pytest.mark.parametrize("element", [TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_other_numbers_than_float32_stay(tmp_path: Path, element: int) -> None:
    made = Pieces()
    out = pieces.torch(made, "x")
    for weight in made.weights:
        value = np.frombuffer(weight.raw_data, np.float32).astype(np.float16 if element == 10 else np.float64)
        if weight.data_type == TensorProto.FLOAT:
            weight.data_type, weight.raw_data = element, value.tobytes()
    path = made.save(tmp_path / "m.onnx", [2, 5, CHANNELS], [out], element=element)
    assert fuse(EditableGraph.read(path)) == 0


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize("reader", ["node", "output"])
def test_what_is_read_elsewhere_stays(tmp_path: Path, place: int, reader: str) -> None:
    """Then both would be computed: the pieces, and the whole."""
    made = Pieces()
    out = pieces.torch(made, "x")
    intermediate = made.nodes[place].output[0]
    outputs = [out, intermediate if reader == "output" else made.node("Exp", intermediate)]
    path = made.save(tmp_path / "m.onnx", [2, 5, CHANNELS], outputs)
    assert fuse(EditableGraph.read(path)) == 0


@pytest.mark.parametrize("form", ["keras", "keras_by_batch_norm", "flax", "erf_of_keras"])
def test_with_any_operand_exchanged_the_scores_are_those_of_the_nodes(tmp_path: Path, form: str) -> None:
    """Every operand in turn becomes every other tensor, or is missing: what is replaced then must still be the same."""
    build = {**pieces.LAYER_NORMS, **pieces.GELUS}[form]
    whole = Pieces()
    build(whole, "x")
    names = ["x", *(node.output[0] for node in whole.nodes), *(weight.name for weight in whole.weights)]
    for place, node in enumerate(whole.nodes):
        for operand, name in itertools.product(range(len(node.input)), [*names, ""]):
            made = Pieces()
            out = build(made, "x")
            made.nodes[place].input[operand] = name
            path = made.save(tmp_path / "m.onnx", [2, 5, CHANNELS], [out])
            graph = EditableGraph.read(path)
            if not fuse(graph):
                continue
            try:
                [before] = scores(path, X)
            except Exception:  # noqa: BLE001 - onnxruntime has no common class: it is no model any more
                continue
            [after] = scores(graph.to_bytes(), X)
            assert after.shape == before.shape
            np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-4)
