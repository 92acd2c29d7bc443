"""Polynomials whose coefficients are numbers, or one number for each channel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Monomial = frozenset[tuple[str, int]]
"""Symbols and their powers, which may be negative; 0 is left out."""

ONE: Monomial = frozenset()


def monomial(**powers: int) -> Monomial:
    """`monomial(x=1, s=-1)` is x/s."""
    return frozenset((symbol, power) for symbol, power in powers.items() if power)


@dataclass(frozen=True, slots=True)
class Polynomial:
    """A sum of monomials, each times its coefficient: () for a number, (channels,) for one each; float64."""

    terms: Mapping[Monomial, NDArray[np.float64]]

    @classmethod
    def of(cls, terms: Iterable[tuple[Monomial, NDArray[np.float64]]]) -> Polynomial:
        """The sum of what is given; what comes to zero is left out."""
        total: dict[Monomial, NDArray[np.float64]] = {}
        for key, coefficient in terms:
            total[key] = np.asarray(total[key] + coefficient if key in total else coefficient, np.float64)
        return cls({key: value for key, value in total.items() if value.any()})

    @classmethod
    def constant(cls, value: NDArray[np.float64] | float) -> Polynomial:
        """A number, or one for each channel."""
        return cls.of([(ONE, np.asarray(value, np.float64))])

    @classmethod
    def symbol(cls, name: str) -> Polynomial:
        """One symbol."""
        return cls({monomial(**{name: 1}): np.asarray(1.0)})

    def plus(self, other: Polynomial) -> Polynomial:
        """The sum."""
        return Polynomial.of([*self.terms.items(), *other.terms.items()])

    def times(self, other: Polynomial) -> Polynomial:
        """The product."""
        return Polynomial.of(
            (_product(left, right), a * b) for left, a in self.terms.items() for right, b in other.terms.items()
        )

    def scaled(self, factor: float) -> Polynomial:
        """The product with a number."""
        return self.times(Polynomial.constant(factor))

    def inverse(self) -> Polynomial | None:
        """1 divided by it, where that is a polynomial in powers: it is one monomial, and nowhere 0."""
        if len(self.terms) != 1:
            return None
        [(key, coefficient)] = self.terms.items()
        if not coefficient.all():
            return None
        return Polynomial({frozenset((symbol, -power) for symbol, power in key): 1 / coefficient})

    def numbers(self) -> dict[Monomial, float] | None:
        """Its coefficients where all of them are numbers; None = some differ by channel."""
        if any(coefficient.ndim for coefficient in self.terms.values()):
            return None
        return {key: float(coefficient) for key, coefficient in self.terms.items()}

    def symbols(self) -> set[str]:
        """The symbols in it."""
        return {symbol for key in self.terms for symbol, _ in key}


def _product(left: Monomial, right: Monomial) -> Monomial:
    powers = dict(left)
    for symbol, power in right:
        powers[symbol] = powers.get(symbol, 0) + power
    return monomial(**powers)
