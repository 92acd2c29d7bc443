"""Which names are taken, for millions of them."""

from __future__ import annotations

from array import array


class HashSet:
    """A set of hashes of 64 bits in 16 to 32 bytes each, where a `set` takes 90.

    A table with open addressing: a hash lies where its lowest bits say, or in the first free place behind.
    """

    def __init__(self) -> None:
        self._table = _empty(1024)
        self._count = 0
        self._has_zero = False  # in the table, zero stands for a free place

    def __len__(self) -> int:
        return self._count + self._has_zero

    def __contains__(self, value: int) -> bool:
        return bool(self._table[self._place(value)]) if value else self._has_zero

    def add(self, value: int) -> None:
        """Adds a hash, 0 <= value < 2^64."""
        if not value:
            self._has_zero = True
            return
        place = self._place(value)
        if self._table[place]:
            return
        self._table[place] = value
        self._count += 1
        if 2 * self._count > len(self._table):
            old, self._table = self._table, _empty(2 * len(self._table))
            for kept in old:
                if kept:
                    self._table[self._place(kept)] = kept

    def _place(self, value: int) -> int:
        """Where a hash is, or would be."""
        table = self._table
        mask = len(table) - 1
        place = value & mask
        while table[place] not in (0, value):
            place = (place + 1) & mask
        return place


def _empty(length: int) -> array[int]:
    return array("Q", bytes(8 * length))
