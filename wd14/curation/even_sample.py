"""A few items of many, evenly spread, before anybody knows how many there will be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class EvenSample(Generic[T]):
    """Every item at first, then every second one, every fourth, …: even, whatever the total turns out to be.

    Args:
        most: items that are kept at most; at least half as many are, where there are so many.

    Attributes:
        items: in their order; the first of all is always one.
    """

    def __init__(self, most: int) -> None:
        self.items: list[T] = []
        self._most = most
        self._every = 1
        self._seen = 0

    def add(self, make: Callable[[], T]) -> None:
        """Looks at the next item, which is only made where it is kept."""
        if self._seen % self._every == 0:
            self.items.append(make())
            if len(self.items) > self._most:
                del self.items[1::2]
                self._every *= 2
        self._seen += 1
