"""A set of hashes does what a set does."""

from __future__ import annotations

import random
import sys

from hypothesis import given
from hypothesis import strategies as st

from wd14.data.hashes import HashSet


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 40).map(lambda n: n << 50)))
def test_it_holds_what_was_added_and_nothing_else(values: list[int]) -> None:
    """Also hashes that all want the same place."""
    ours, expected = HashSet(), set[int]()
    for value in values:
        assert (value in ours) == (value in expected)
        ours.add(value)
        expected.add(value)
        assert len(ours) == len(expected)
    assert all(value in ours for value in expected)


def test_many_take_little_memory() -> None:
    dice, ours = random.Random(0), HashSet()
    values = [dice.getrandbits(64) for _ in range(100_000)]
    for value in values:
        ours.add(value)
    assert all(value in ours for value in values)
    assert not any(dice.getrandbits(64) in ours for _ in range(1000))
    assert sys.getsizeof(ours._table) <= 32 * len(values)
