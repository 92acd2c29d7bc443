from __future__ import annotations

import numpy as np
import pytest

from wd14.errors import ModelContractError
from wd14.model.activation import find_activation, probabilities

MATRIX_PRODUCTS = ["Gemm", "MatMul", "Conv", "Einsum", "MatMulNBits", "FusedMatMul", "FusedGemm", "QGemm"]
OTHER_LINEAR = ["Add", "Sub", "DequantizeLinear", "MatMulIntegerToFloat", "ReduceMean", "ReduceSum", "ReduceMax"]
POOLED = ["GlobalAveragePool", "BatchNormalization", "LayerNormalization"]
MOVES = ["Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Concat", "Slice", "Gather"]


def activation(*operators: str) -> str:
    """Of an output that these operators make, one after the other; each has a second input that counts for nothing."""
    producers: dict[str, tuple[str, tuple[str, ...]]] = {"decoy": ("Gemm", ())}
    producers |= {f"t{at + 1}": (operator, (f"t{at}", "decoy")) for at, operator in enumerate(operators)}
    return find_activation(f"t{len(operators)}", producers, model="m")


@pytest.mark.parametrize("operator", [*MATRIX_PRODUCTS, *OTHER_LINEAR, *POOLED])
def test_a_graph_that_ends_in_a_linear_operator_gives_logits(operator: str) -> None:
    assert activation("Sigmoid", operator) == "sigmoid"


@pytest.mark.parametrize("operator", ["Sigmoid", "Softmax", "Clip", "UnknownOperator"])
def test_all_others_count_as_giving_probabilities(operator: str) -> None:
    assert activation("MatMul", operator) == "none"


@pytest.mark.parametrize("move", MOVES)
def test_an_operator_that_only_moves_numbers_says_nothing(move: str) -> None:
    assert activation("MatMul", "Sigmoid", move) == "none"
    assert activation("Sigmoid", "MatMul", move, move) == "sigmoid"


def test_an_output_that_is_an_input_or_a_constant_needs_nothing() -> None:
    assert find_activation("in", {}, model="m") == "none"
    assert find_activation("c", {"c": ("Identity", ())}, model="m") == "none"


def test_a_graph_that_runs_in_a_circle_ends() -> None:
    producers = {"a": ("Identity", ("b",)), "b": ("Cast", ("a",))}
    with pytest.raises(ModelContractError, match=r"^m is not an ONNX model: its graph runs in a circle"):
        find_activation("a", producers, model="m")


def test_logits_go_through_a_sigmoid() -> None:
    logits = np.array([[-200, -1, 0, 1, 200, np.nan]], np.float32)
    result = probabilities(logits, "sigmoid", model="m")
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, [[0, 0.26894142, 0.5, 0.73105858, 1, np.nan]], atol=1e-7)


@pytest.mark.parametrize("value", [-0.0009, 0.0, 1.0, 1.0009, np.nan])
def test_probabilities_are_left_as_they_are(value: float) -> None:
    values = np.array([[0.5, value]], np.float32)
    assert probabilities(values, "none", model="m") is values


@pytest.mark.parametrize("value", [-0.002, 1.002, -np.inf])
def test_values_that_are_no_probabilities_are_refused(value: float) -> None:
    values = np.array([[0.5, value, np.nan]], np.float32)
    low, high = min(0.5, value), max(0.5, value)
    message = f"^m: expected probabilities from 0 to 1, the model gives values from {low:.3g} to {high:.3g}; it "
    with pytest.raises(ModelContractError, match=message):
        probabilities(values, "none", model="m")
