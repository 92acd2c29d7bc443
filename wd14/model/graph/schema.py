"""Numbers of onnx.proto (ONNX 1.x): the fields of its messages, by message, and its types."""

from __future__ import annotations

from collections.abc import Mapping


class Model:
    """ModelProto."""

    IR_VERSION, GRAPH, OPSET_IMPORT, FUNCTION = 1, 7, 8, 25


class OpsetImport:
    """OperatorSetIdProto."""

    DOMAIN, VERSION = 1, 2


class Function:
    """FunctionProto."""

    NAME, NODE, DOMAIN = 1, 7, 10


class Graph:
    """GraphProto."""

    NODE, WEIGHT, DOC, INPUT, OUTPUT, VALUE_INFO, SPARSE_WEIGHT = 1, 5, 10, 11, 12, 13, 15


class Node:
    """NodeProto."""

    INPUT, OUTPUT, NAME, OPERATOR, ATTRIBUTE, DOC, DOMAIN, METADATA = 1, 2, 3, 4, 5, 6, 7, 9


class Attribute:
    """AttributeProto."""

    NAME, FLOAT, INT, BYTES, TENSOR, GRAPH = 1, 2, 3, 4, 5, 6
    FLOATS, INTS, STRINGS, TENSORS, GRAPHS = 7, 8, 9, 10, 11
    TYPE, REFERENCE, SPARSE, SPARSES = 20, 21, 22, 23


class AttributeType:
    """AttributeProto.AttributeType."""

    FLOAT, INT, BYTES, TENSOR, GRAPH, FLOATS, INTS, STRINGS, TENSORS, GRAPHS = range(1, 11)


class Tensor:
    """TensorProto."""

    DIMS, TYPE, FLOATS, INT32S, STRINGS, INT64S, NAME, RAW = 1, 2, 4, 5, 6, 7, 8, 9
    DOUBLES, UINT64S, DOC, EXTERNAL, LOCATION = 10, 11, 12, 13, 14


class Entry:
    """StringStringEntryProto."""

    KEY, VALUE = 1, 2


class Value:
    """ValueInfoProto, and within it TypeProto, TypeProto.Tensor, TensorShapeProto and its Dimension."""

    NAME, TYPE = 1, 2
    TYPE_TENSOR = 1
    ELEMENT, SHAPE = 1, 2
    SIDE = 1
    SIDE_VALUE, SIDE_NAME = 1, 2


#: TensorProto.DataType
FLOAT, UINT8, INT64, STRING, BOOL, FLOAT16, DOUBLE, BFLOAT16 = 1, 2, 7, 8, 9, 10, 11, 16

#: TensorProto.DataType, as onnxruntime names the types of inputs and outputs.
TYPE_NAMES: Mapping[int, str] = {
    1: "tensor(float)",
    2: "tensor(uint8)",
    6: "tensor(int32)",
    7: "tensor(int64)",
    9: "tensor(bool)",
    10: "tensor(float16)",
    11: "tensor(double)",
    16: "tensor(bfloat16)",
}

#: TensorProto.DataType, as numpy names those that it has; little-endian, as ONNX stores them.
NUMPY_TYPES: Mapping[int, str] = dict(
    zip(
        (1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13),
        ("<f4", "|u1", "|i1", "<u2", "<i2", "<i4", "<i8", "|b1", "<f2", "<f8", "<u4", "<u8"),
        strict=True,
    )
)
