"""What turns a model's outputs into probabilities: nothing where the graph ends in a sigmoid, else a sigmoid here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from wd14.errors import ModelContractError
from wd14.types import FloatArray

Activation = Literal["none", "sigmoid"]
"""What is still to be applied to an output: "sigmoid" where the graph gives logits."""

#: Operators that only move numbers about: the one before them says what the numbers are.
_PASSING = frozenset(
    {"Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Concat", "Slice", "Gather"}
)
#: Operators in which a last layer without a sigmoid ends. All others count as giving probabilities: values outside of
#: [0, 1] are refused later, while a sigmoid too many would go unseen.
_LINEAR = frozenset(
    {
        *("Gemm", "MatMul", "Add", "Sub", "Conv", "Einsum", "BatchNormalization", "LayerNormalization"),
        *("DequantizeLinear", "MatMulNBits", "FusedMatMul", "FusedGemm", "QGemm", "MatMulIntegerToFloat"),
        *("ReduceMean", "ReduceSum", "ReduceMax", "GlobalAveragePool"),
    }
)

#: Probabilities may leave [0, 1] by this much: the rounding of a sigmoid in 16 bits.
_ROUNDING = 1e-3


#: Operators that give probabilities, so that a sigmoid over them would be one too many.
SIGMOIDS = frozenset({"Sigmoid", "HardSigmoid", "Softmax"})


def find_activation(output: str, producers: Mapping[str, tuple[str, tuple[str, ...]]], *, model: str) -> Activation:
    """What an output needs, by the operator that makes it; see `last_operator`."""
    return "sigmoid" if last_operator(output, producers, model=model) in _LINEAR else "none"


def last_operator(output: str, producers: Mapping[str, tuple[str, tuple[str, ...]]], *, model: str) -> str:
    """The operator that makes the numbers of an output; "" where it is not known.

    Args:
        output: its name.
        producers: tensor -> (operator that makes it, that operator's inputs).
        model: how messages name the model.

    Raises:
        ModelContractError: the graph runs in a circle.
    """
    for _ in range(len(producers) + 1):
        operator, inputs = producers.get(output, ("", ()))
        if operator not in _PASSING or not inputs:
            return operator
        output = inputs[0]
    raise ModelContractError(f"{model} is not an ONNX model: its graph runs in a circle")


def probabilities(values: FloatArray, activation: Activation, *, model: str) -> FloatArray:
    """A model's outputs as probabilities, of the same shape. NaN stays NaN.

    Raises:
        ModelContractError: the values are meant to be probabilities and are not.
    """
    if activation == "sigmoid":
        with np.errstate(over="ignore"):  # exp of a large number is inf, and 1 / inf the 0 that is meant
            return np.float32(1) / (np.float32(1) + np.exp(-values))
    if bool(((values < -_ROUNDING) | (values > 1 + _ROUNDING)).any()):
        raise ModelContractError(
            f"{model}: expected probabilities from 0 to 1, the model gives values from {np.nanmin(values):.3g} to"
            f" {np.nanmax(values):.3g}; it seems to need a sigmoid: set output.activation of its tagger.json to it"
        )
    return values
