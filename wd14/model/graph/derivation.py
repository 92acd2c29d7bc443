"""What nodes compute from one tensor x.

In whatever order and grouping an exporter wrote LayerNorm or GELU, the polynomial of its last node is the same.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from wd14.model.graph.algebra import ONE, Polynomial, monomial
from wd14.model.graph.editing import Node
from wd14.model.graph.terms import NEAR, ONE_OF_ALL, ROWS, SPLIT_AGAIN, VARIANCE, Derivation, Term
from wd14.model.graph.view import GraphView

#: Nodes that are looked at for one x, and monomials of a term: LayerNorm in pieces has some thirty, and four.
_MOST_NODES = 96
_MOST_MONOMIALS = 12
#: Products of monomials for one node, each of up to some ten thousand numbers.
_MOST_PRODUCTS = 24


def derive(view: GraphView, x: str, rank: int) -> Derivation:
    """The terms of what is computed from x; about 1 ms."""
    at = Derivation(view, x, rank)
    waiting = view.readers[x][:_MOST_NODES]  # a heap: what a node reads comes before it in the graph
    seen = set(waiting)
    for _ in range(_MOST_NODES):
        if not waiting:
            break
        place = heapq.heappop(waiting)
        node = view.graph.nodes[place]
        with np.errstate(all="ignore"):  # numbers of a graph may be anything
            term = _step(at, node)
        if term is None or len(term.value.terms) > _MOST_MONOMIALS or node.outputs[0] in at.terms:
            continue
        [name] = node.outputs
        at.terms[name], at.made_by[name] = term, place
        readers = [reader for reader in view.readers[name][:_MOST_NODES] if reader not in seen]
        seen.update(readers)
        for reader in readers:
            heapq.heappush(waiting, reader)
    return at


def _step(at: Derivation, node: Node) -> Term | None:
    """What a node gives; None = no such polynomial."""
    if node.domain not in ("", "ai.onnx") or len(node.outputs) != 1 or not node.inputs:
        return None
    of_several = _OF_SEVERAL.get(node.operator)
    if of_several is not None:
        return of_several(at, node)
    of_one, term = _OF_ONE.get(node.operator), at.terms.get(node.inputs[0])
    return None if of_one is None or term is None else of_one(at, node, term)


def _add(at: Derivation, node: Node) -> Term | None:
    pair = at.pair(node)
    return None if pair is None else replace(pair[2], value=pair[0].plus(pair[1]))


def _subtract(at: Derivation, node: Node) -> Term | None:
    pair = at.pair(node)
    return None if pair is None else replace(pair[2], value=pair[0].plus(pair[1].scaled(-1)))


def _multiply(at: Derivation, node: Node) -> Term | None:
    pair = at.pair(node)
    if pair is None:
        return None
    left, right, like = pair
    if len(left.terms) * len(right.terms) > _MOST_PRODUCTS:
        return None
    for value, other in ((left, right), (right, left)):
        if "n" in value.symbols():  # of a sum, which must become a mean
            numbers = other.numbers() or {}
            mean = at.counted(value, 1 / numbers[ONE]) if numbers.keys() == {ONE} else None
            return None if mean is None else replace(like, value=mean)
    return replace(like, value=left.times(right))


def _divide(at: Derivation, node: Node) -> Term | None:
    if len(node.inputs) != 2:
        return None
    dividend, divisor = at.terms.get(node.inputs[0]), at.number(node.inputs[1])
    if dividend is not None and "n" in dividend.value.symbols():
        if divisor is None:
            counted = at.view.sizes(node.inputs[1])
            if counted is None or len(counted) != 1 or not at.is_width(counted[0]):
                return None
            mean: Polynomial | None = dividend.value.times(ONE_OF_ALL)
        else:
            mean = at.counted(dividend.value, divisor)
        return None if mean is None else replace(dividend, value=mean)
    pair = at.pair(node)
    inverse = None if pair is None else pair[1].inverse()
    return None if pair is None or inverse is None else replace(pair[2], value=pair[0].times(inverse))


def _negate(_: Derivation, __: Node, term: Term) -> Term | None:
    return replace(term, value=term.value.scaled(-1))


def _reciprocal(_: Derivation, __: Node, term: Term) -> Term | None:
    inverse = term.value.inverse()
    return None if inverse is None else replace(term, value=inverse)


def _power(at: Derivation, node: Node, term: Term) -> Term | None:
    power = at.number(node.inputs[1]) if len(node.inputs) == 2 else None
    if power in (2, 3):
        square = term.value.times(term.value)
        return replace(term, value=square if power == 2 else square.times(term.value))
    root = at.root(term) if power in (0.5, -0.5) else None
    inverse = None if root is None else root.value.inverse()
    return root if root is None or power == 0.5 or inverse is None else replace(root, value=inverse)


def _root(at: Derivation, _: Node, term: Term) -> Term | None:
    return at.root(term)


def _at_least_zero(at: Derivation, node: Node) -> Term | None:
    """A variance is never below zero: only rounding makes it so."""
    found = [at.terms[name] for name in node.inputs if name in at.terms]
    others = [at.number(name) for name in node.inputs if name not in at.terms]
    if len(found) != 1 or others not in ([], [0.0]):
        return None
    return found[0] if found[0].value.numbers() == VARIANCE else None


def _mean(at: Derivation, node: Node, term: Term) -> Term | None:
    axes = at.view.numbers(node, "axes", 1)
    return None if axes is None else at.mean(term, axes, keep=node.attributes.get("keepdims", 1) == 1)


def _sum(at: Derivation, node: Node, term: Term) -> Term | None:
    mean = _mean(at, node, term)
    return None if mean is None else replace(mean, value=mean.value.times(Polynomial.symbol("n")))


def _sum_of_squares(at: Derivation, node: Node, term: Term) -> Term | None:
    return _sum(at, node, replace(term, value=term.value.times(term.value)))


def _mean_of_pictures(at: Derivation, _: Node, term: Term) -> Term | None:
    """GlobalAveragePool: over all axes but the first two."""
    return at.mean(term, tuple(range(2, len(term.axes))), keep=True) if len(term.axes) > 2 else None


def _erf(_: Derivation, __: Node, term: Term) -> Term | None:
    numbers = term.value.numbers() or {}
    found = numbers.keys() == {monomial(x=1)} and _near(numbers[monomial(x=1)], math.sqrt(0.5))
    return replace(term, value=Polynomial.symbol("e")) if found else None


def _tanh(_: Derivation, __: Node, term: Term) -> Term | None:
    numbers = term.value.numbers() or {}
    found = numbers.keys() == {monomial(x=1), monomial(x=3)}
    found = found and _near(numbers[monomial(x=1)], math.sqrt(2 / math.pi))
    found = found and _near(numbers[monomial(x=3)], math.sqrt(2 / math.pi) * 0.044715)
    return replace(term, value=Polynomial.symbol("t")) if found else None


def _near(number: float, wanted: float) -> bool:
    return abs(number / wanted - 1) <= NEAR


def _batch_normalization(at: Derivation, node: Node, x: Term) -> Term | None:
    """Of rows by their own mean and variance."""
    epsilon = node.attributes.get("epsilon", 1e-5)
    if len(node.inputs) != 5 or node.attributes.get("training_mode", 0) != 0 or not isinstance(epsilon, float):
        return None
    mean, variance = (at.terms.get(node.inputs[place]) for place in (3, 4))
    scale, offset = (_everywhere(at, node.inputs[place]) for place in (1, 2))
    if mean is None or variance is None or scale is None or offset is None:
        return None
    if len(x.axes) < 2 or x.axes[1] != ROWS or mean.axes != (ROWS,) or variance.axes != (ROWS,):
        return None
    root = at.root(replace(variance, value=variance.value.plus(Polynomial.constant(epsilon))))
    inverse = None if root is None else root.value.inverse()
    if inverse is None:
        return None
    normalized = x.value.plus(mean.value.scaled(-1)).times(inverse)
    return replace(x, value=normalized.scaled(scale).plus(Polynomial.constant(offset)))


def _everywhere(at: Derivation, name: str) -> float | None:
    """The one number that a constant tensor holds everywhere; it may be made by Expand."""
    node = at.view.producers.get(name)
    array = at.view.constant(node.inputs[0] if node is not None and node.operator == "Expand" and node.inputs else name)
    if array is None or array.dtype != np.float32 or not array.size or (array != array.ravel()[0]).any():
        return None
    return float(array.ravel()[0])


def _reshape(at: Derivation, node: Node, term: Term) -> Term | None:
    sizes = at.view.sizes(node.inputs[1]) if len(node.inputs) == 2 else None
    if not sizes or node.attributes.get("allowzero", 0) != 0:
        return None
    last = at.rank - 1
    if term.axes == tuple(range(at.rank)) and term.shape is None:  # to rows of channels
        if len(sizes) != 4 or (sizes[0], sizes[3]) != (1, 1) or at.channel not in (None, last):
            return None
        at.channel = last
        return replace(term, axes=(None, ROWS, last, None)) if at.is_width(sizes[2]) else None
    if term.axes == (None, ROWS, last, None) and term.shape is None:  # and back
        axes = (*(SPLIT_AGAIN,) * (len(sizes) - 1), last)
        return replace(term, axes=axes, shape=node.inputs[1]) if at.is_width(sizes[-1]) else None
    labels = [axis for axis in term.axes if axis is not None]
    if at.channel in labels or term.shape is not None or min(labels, default=-1) < 0 or len(sizes) != len(labels) + 1:
        return None
    place = next((place for place in (len(sizes) - 1, 1) if sizes[place] == 1), None)  # of the channels
    return None if place is None else replace(term, axes=(*labels[:place], None, *labels[place:]))


def _expand(at: Derivation, node: Node, term: Term) -> Term | None:
    """To the shape that it has already."""
    sizes = at.view.sizes(node.inputs[1]) if len(node.inputs) == 2 else None
    if sizes is None or len(sizes) != len(term.axes):
        return None
    return term if all(size == 1 for size, axis in zip(sizes, term.axes, strict=True) if axis is None) else None


def _transpose(at: Derivation, node: Node, term: Term) -> Term | None:
    order = at.view.numbers(node, "perm", 1) or tuple(reversed(range(len(term.axes))))
    if term.shape is not None or sorted(order) != list(range(len(term.axes))):
        return None
    return replace(term, axes=tuple(term.axes[place] for place in order))


def _squeeze(at: Derivation, node: Node, term: Term) -> Term | None:
    places = _places(at, node, len(term.axes))
    if places is None or term.shape is not None or any(term.axes[place] is not None for place in places):
        return None
    return replace(term, axes=tuple(axis for place, axis in enumerate(term.axes) if place not in places))


def _unsqueeze(at: Derivation, node: Node, term: Term) -> Term | None:
    rank = len(term.axes) + len(at.view.numbers(node, "axes", 1) or ())
    places = _places(at, node, rank)
    if places is None or term.shape is not None:
        return None
    rest = iter(term.axes)
    return replace(term, axes=tuple(None if place in places else next(rest) for place in range(rank)))


def _places(at: Derivation, node: Node, rank: int) -> set[int] | None:
    """Axes as they are counted from the first."""
    axes = at.view.numbers(node, "axes", 1) or ()
    places = {axis % rank for axis in axes if -rank <= axis < rank}
    return places if axes and len(places) == len(axes) else None


def _same(_: Derivation, __: Node, term: Term) -> Term | None:
    return term


_OF_SEVERAL: Mapping[str, Callable[[Derivation, Node], Term | None]] = {
    "Add": _add,
    "Sub": _subtract,
    "Mul": _multiply,
    "Div": _divide,
    "Max": _at_least_zero,
    "Relu": _at_least_zero,
}
_OF_ONE: Mapping[str, Callable[[Derivation, Node, Term], Term | None]] = {
    "Neg": _negate,
    "Reciprocal": _reciprocal,
    "Pow": _power,
    "Sqrt": _root,
    "ReduceMean": _mean,
    "ReduceSum": _sum,
    "ReduceSumSquare": _sum_of_squares,
    "GlobalAveragePool": _mean_of_pictures,
    "Erf": _erf,
    "Tanh": _tanh,
    "BatchNormalization": _batch_normalization,
    "Reshape": _reshape,
    "Expand": _expand,
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Identity": _same,
}
