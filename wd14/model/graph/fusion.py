"""LayerNorm and GELU that a graph carries in pieces, as one operator each.

Exporters write them in many ways: Keras multiplies the scale into the standard deviation, or takes the way of batch
normalization; flax computes the variance from the mean of the squares; each tool has its own order of operands. So
nothing is compared with patterns: what nodes compute is worked out as a polynomial (`derivation`), and what equals
LayerNorm or GELU is replaced. Equal in algebra: rounding differs, by some 1e-7.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wd14.model.graph.algebra import ONE, monomial
from wd14.model.graph.derivation import derive
from wd14.model.graph.editing import EditableGraph, Node
from wd14.model.graph.terms import Derivation
from wd14.model.graph.view import GraphView

#: onnxruntime's own operators.
_MICROSOFT = "com.microsoft"
_GELUS = {"e": "Gelu", "t": "FastGelu"}  #: by the symbol in it

#: Operators that GELU is made of, beside erf and tanh.
_ELEMENTWISE = ("Add", "Div", "Identity", "Mul", "Neg", "Pow", "Sub", "Transpose")
#: Nodes to go back from erf or tanh to what it is of, and tensors at that distance.
_FARTHEST = 6
_MOST_AT_ONCE = 8
#: Limits on what hostile graphs may cost: tensors that are tried, some hundred in a tagger; their axes.
_MOST_SOURCES = 2_000
_MOST_AXES = 8
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class _Found:
    """A tensor that one operator can make."""

    name: str
    x: Derivation
    operator: str
    scale: NDArray[np.float64] | None = None  #: for each channel
    bias: NDArray[np.float64] | None = None
    inside: frozenset[int] = frozenset()  #: places of the nodes that make it


def fuse(graph: EditableGraph) -> int:
    """Puts single operators in the place of pieces; returns how many were put in.

    Pieces whose intermediate results are read elsewhere as well stay. Costs some 0.1 s for a tagger.
    """
    view = GraphView(graph)
    found: dict[int, _Found] = {}  # by the place of the last node
    done: set[int] = set()
    tried = 0
    for place, node in enumerate(graph.nodes):
        if place in done:
            continue
        for source in _sources(view, node)[: _MOST_SOURCES - tried]:
            tried += 1
            result = _find(view, source)
            if result is not None and not result.inside & done:
                found[result.x.made_by[result.name]] = result
                done |= result.inside
                break
    nodes: list[Node] = []
    for place, node in enumerate(graph.nodes):
        nodes += _nodes(graph, found[place]) if place in found else [node]
    if found:
        graph.nodes = nodes
        graph.drop_unused()
    return len(found)


def _sources(view: GraphView, node: Node) -> list[str]:
    """Tensors that a node may begin LayerNorm or GELU of, the nearest first."""
    back = {"ReduceMean": 3, "ReduceSum": 3, "GlobalAveragePool": 3, "Erf": _FARTHEST, "Tanh": _FARTHEST}
    ways = ("Transpose", "Reshape") if node.operator.startswith(("Reduce", "Global")) else _ELEMENTWISE
    found: dict[str, None] = {}
    nearest = node.inputs[:1]
    for _ in range(back.get(node.operator, 0)):
        found.update(dict.fromkeys(nearest))
        makers = [view.producers[name] for name in nearest if name in view.producers]
        nearest = [name for maker in makers if maker.operator in ways for name in maker.inputs]
        nearest = [name for name in dict.fromkeys(nearest) if view.graph.weight_shape(name) is None][:_MOST_AT_ONCE]
    return list(found)


def _find(view: GraphView, source: str) -> _Found | None:
    """The last tensor that is LayerNorm or GELU of a tensor."""
    rank = view.rank(source)
    if rank is None or not 1 <= rank <= _MOST_AXES:
        return None
    derived = derive(view, source, rank)
    for name in reversed(derived.terms):
        found = _recognized(derived, name)
        if found is not None:
            inside = _inside(derived, name)
            if inside is not None:
                return _Found(name, derived, found.operator, found.scale, found.bias, inside)
    return None


def _recognized(derived: Derivation, name: str) -> _Found | None:
    term = derived.terms[name]
    if term.shape is None and sorted(axis for axis in term.axes if axis is not None) != list(range(derived.rank)):
        return None
    terms = dict(term.value.terms)
    for symbol, operator in _GELUS.items():
        half = {monomial(x=1): 0.5, monomial(**{"x": 1, symbol: 1}): 0.5}
        if term.value.numbers() == half:
            return _Found(name, derived, operator)
    scale, minus = terms.pop(monomial(x=1, s=-1), None), terms.pop(monomial(m=1, s=-1), None)
    bias = terms.pop(ONE, None)
    if terms or scale is None or minus is None or not np.array_equal(scale, -minus) or derived.width is None:
        return None
    if scale.ndim == 0 and derived.width != derived.known_width:  # one that does not fit is found by no runtime
        return None
    scale, bias = (None if value is None else np.broadcast_to(value, derived.width) for value in (scale, bias))
    if any(value is not None and not (abs(value) <= _LARGEST).all() for value in (scale, bias)):
        return None
    return _Found(name, derived, "LayerNormalization", scale, bias)


def _inside(derived: Derivation, name: str) -> frozenset[int] | None:
    """The places of the nodes that make a tensor from x; None = what they make is read elsewhere too.

    A node that asks for a shape only does not count: shapes stay what they are.
    """
    view, nodes = derived.view, derived.view.graph.nodes
    names, inside = [name], set()
    while names:
        place = derived.made_by.get(names.pop())
        if place is not None and place not in inside:
            inside.add(place)
            names += nodes[place].inputs
    made = {output for place in inside for output in nodes[place].outputs} - {name}
    readers = {reader for output in made for reader in view.readers[output]} - inside
    if made & set(view.graph.outputs) or any(nodes[reader].operator != "Shape" for reader in readers):
        return None
    return frozenset(inside)


def _nodes(graph: EditableGraph, found: _Found) -> list[Node]:
    """The operator, between what turns its axes where the channels are not the last."""
    derived, term = found.x, found.x.terms[found.name]
    steps: list[Node] = []
    axes = tuple(range(derived.rank))
    if found.scale is not None and derived.channel is not None and derived.channel != derived.rank - 1:
        axes = (*(axis for axis in axes if axis != derived.channel), derived.channel)
        steps.append(Node("Transpose", [], [], attributes={"perm": axes}))
    steps.append(_operator(graph, found))
    if term.shape is not None:
        steps.append(Node("Reshape", [term.shape], []))
    elif term.axes != axes:
        order = tuple(axes.index(axis) for axis in term.axes if axis is not None)
        steps.append(Node("Transpose", [], [], attributes={"perm": order}))
    name = derived.x
    for step in steps:
        step.name = graph.free_name(f"{found.name}/{step.operator}")
        step.inputs.insert(0, name)
        name = found.name if step is steps[-1] else graph.free_name(f"{found.name}/{step.operator}_output")
        step.outputs.append(name)
    return steps


def _operator(graph: EditableGraph, found: _Found) -> Node:
    if found.scale is None:
        graph.use_domain(_MICROSOFT, 1)
        return Node(found.operator, [], [], domain=_MICROSOFT)
    weights = [_weight(graph, found, found.scale)]
    if found.bias is not None:
        weights.append(_weight(graph, found, found.bias))
    attributes = {"axis": -1, "epsilon": found.x.epsilon}
    return Node(found.operator, weights, [], attributes=attributes)


def _weight(graph: EditableGraph, found: _Found, value: NDArray[np.float64]) -> str:
    """The name of a weight with this value: one that the pieces read, or a new one."""
    wanted = value.astype(np.float32)
    for place in sorted(found.inside):
        for name in graph.nodes[place].inputs:
            array = found.x.view.constant(name) if graph.weight_shape(name) == wanted.shape else None
            if array is not None and array.dtype == np.float32 and np.array_equal(array, wanted):
                return name
    name = graph.free_name(f"{found.name}/weight")
    graph.add_weight(name, wanted)
    return name
