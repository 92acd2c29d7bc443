"""Tensors as polynomials of one tensor x.

The symbols: x; m and q, the means of x and of x squared over the channels; n, the number of channels; s, the square
root of the variance q - m² plus epsilon; e, erf(x/√2); t, the hyperbolic tangent in GELU's approximation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wd14.model.graph.algebra import ONE, Polynomial, monomial
from wd14.model.graph.editing import Node
from wd14.model.graph.view import GraphView, Size

#: Stand for axes of x where it was reshaped: all but the channels, merged in their order; and such ones, split again.
ROWS, SPLIT_AGAIN = -1, -2

#: Numbers are float32 in the graph: so near must one be to what it stands for, relatively.
NEAR = 1e-6
_MOST_CHANNELS = 16_384

VARIANCE = {monomial(q=1): 1.0, monomial(m=2): -1.0}
#: A sum times this is the mean.
ONE_OF_ALL = Polynomial({monomial(n=-1): np.asarray(1.0)})


@dataclass(frozen=True, slots=True)
class Term:
    """What a node gives, by x."""

    value: Polynomial
    axes: tuple[int | None, ...]  #: the axis of x that lies at each of its own; None = it has size 1 there
    shape: str | None = None  #: the tensor with the shape that it was given; the elements are in x's order


class Derivation:
    """The terms of what is computed from x. Filled by `derive`.

    Attributes:
        terms: by the name of the tensor.
        made_by: the place of the node that makes it, among those of the graph.
        channel: the axis of x that means are taken over; None = no mean is taken.
        width: the number of channels, as the graph says it; None = it does not.
        epsilon: what is added to the variance.
    """

    def __init__(self, view: GraphView, x: str, rank: int) -> None:
        self.view = view
        self.x = x
        self.rank = rank
        self.terms = {x: Term(Polynomial.symbol("x"), tuple(range(rank)))}
        self.made_by: dict[str, int] = {}
        self.channel: int | None = None
        self.width: int | None = None
        self.epsilon: float | None = None

    # What a node reads

    def number(self, name: str) -> float | None:
        """A constant float32 of one element."""
        array = self._floats(name)
        return float(array.ravel()[0]) if array is not None and array.size == 1 else None

    def _floats(self, name: str) -> NDArray[np.float32] | None:
        array = self.view.constant(name)
        return array if array is not None and array.dtype == np.float32 else None

    def pair(self, node: Node) -> tuple[Polynomial, Polynomial, Term] | None:
        """Both operands; and a term that lies as the result does (its value is that of the first)."""
        if len(node.inputs) != 2:
            return None
        left, right = (self.terms.get(name) for name in node.inputs)
        if left is None and right is not None:
            left = self._constant_beside(node.inputs[0], right)
        elif right is None and left is not None:
            right = self._constant_beside(node.inputs[1], left)
        if left is None or right is None:
            return None
        axes = _broadcast(left.axes, right.axes)
        shapes = {term.shape for term in (left, right) if not _is_constant(term)}
        if axes is None or len(shapes) != 1:
            return None
        return left.value, right.value, Term(left.value, axes, shapes.pop())

    def _constant_beside(self, name: str, other: Term) -> Term | None:
        """A constant as a term: a number, or one for each channel, that adds no axis to the other operand."""
        array = self._floats(name)
        if array is None or array.ndim > len(other.axes) or not np.isfinite(array).all():
            return None
        if array.size == 1:
            return Term(Polynomial.constant(float(array.ravel()[0])), ())
        long = [axis for axis, size in enumerate(array.shape) if size != 1]
        if len(long) != 1 or self.channel is None:
            return None
        if other.axes[long[0] - array.ndim] not in (None, self.channel) or not self._has_width(array.size):
            return None
        axes = tuple(self.channel if axis == long[0] else None for axis in range(array.ndim))
        return Term(Polynomial.constant(array.ravel().astype(np.float64)), axes)

    def _has_width(self, width: int) -> bool:
        """Notes the number of channels; False = it is another one, or none that a tagger has."""
        if not 1 < width <= _MOST_CHANNELS or self.known_width not in (None, width):
            return False
        if self.width is None:
            self.width = width
        return self.width == width

    @property
    def known_width(self) -> int | None:
        """The number of channels as the nodes before x make it; None = it depends on the input."""
        size = None if self.channel is None else self.view.size(self.x, self.channel)
        return size if isinstance(size, int) else None

    def is_width(self, size: Size) -> bool:
        """Whether a size is the number of channels."""
        if isinstance(size, int):
            return self._has_width(size)
        return size is not None and self.channel is not None and size == self.view.size(self.x, self.channel)

    def counted(self, value: Polynomial, divisor: float) -> Polynomial | None:
        """A sum over the channels divided by their number: the mean; None = it is another number."""
        width = round(divisor) if 1 < divisor <= _MOST_CHANNELS else 0
        if not self._has_width(width) or abs(divisor / width - 1) > NEAR:
            return None
        return value.times(ONE_OF_ALL)

    def mean(self, term: Term, places: tuple[int, ...], *, keep: bool) -> Term | None:
        """The mean over some of its own axes, which must be the channels and such of size 1."""
        rank = len(term.axes)
        places = tuple(place % rank for place in places if -rank <= place < rank)
        reduced = {term.axes[place] for place in places} - {None}
        numbers = term.value.numbers()
        if len(reduced) != 1 or numbers is None or term.value.symbols() & {"e", "t", "n"}:
            return None
        [axis] = reduced
        if axis is None or axis < 0 or self.channel not in (None, axis):
            return None
        terms = []
        for key, number in numbers.items():
            powers = dict(key)
            power = powers.pop("x", 0)
            if power not in (0, 1, 2):
                return None
            if power:
                symbol = "m" if power == 1 else "q"
                powers[symbol] = powers.get(symbol, 0) + 1
            terms.append((monomial(**powers), np.asarray(number)))
        self.channel = axis
        kept = (None if at in places else label for at, label in enumerate(term.axes))
        axes = tuple(kept) if keep else tuple(label for at, label in enumerate(term.axes) if at not in places)
        return Term(Polynomial.of(terms), axes, term.shape)

    def root(self, term: Term) -> Term | None:
        """The square root of the variance plus epsilon."""
        numbers = term.value.numbers()
        if numbers is None or {key: value for key, value in numbers.items() if key != ONE} != VARIANCE:
            return None
        epsilon = numbers.get(ONE, 0.0)
        if epsilon <= 0 or self.epsilon not in (None, epsilon):
            return None
        self.epsilon = epsilon
        return replace(term, value=Polynomial.symbol("s"))


def _is_constant(term: Term) -> bool:
    return term.value.terms.keys() == {ONE}


def _broadcast(left: tuple[int | None, ...], right: tuple[int | None, ...]) -> tuple[int | None, ...] | None:
    """The axes of the result, counted from the last; None = they do not lie alike."""
    rank = max(len(left), len(right))
    both = zip((None,) * (rank - len(left)) + left, (None,) * (rank - len(right)) + right, strict=True)
    axes: list[int | None] = []
    for one, other in both:
        if None not in (one, other) and one != other:
            return None
        axes.append(other if one is None else one)
    return tuple(axes)
