"""Candidates: which tags and scores the page has, to the last digit."""

from __future__ import annotations

import base64
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wd14.review.candidates import Candidates, floor_for, steps_of
from wd14.types import FloatArray, Labels

LABELS = Labels(("safe", "risky", "cat", "tom_(x)", "dog"), ("rating", "rating", "general", "character", "general"))


def decoded(encoded: dict[str, Any]) -> list[list[tuple[int, int]]]:
    """(tag, step) of each picture."""
    tags = np.frombuffer(base64.b64decode(encoded["tags"]), "<u4" if encoded.get("wide") else "<u2").tolist()
    steps = np.frombuffer(base64.b64decode(encoded["scores"]), "<u2").tolist()
    ends = [0, *np.frombuffer(base64.b64decode(encoded["ends"]), "<u4").tolist()]
    return [list(zip(tags[start:end], steps[start:end], strict=True)) for start, end in pairwise(ends)]


def scores(*values: float) -> FloatArray:
    return np.array(values, np.float32)


@given(st.floats(0, 1, width=32), st.integers(0, 10_000))
def test_a_step_answers_every_threshold_of_four_digits(score: float, step: int) -> None:
    found = int(steps_of(scores(score))[0])
    for threshold in {step, found, min(10_000, found + 1)}:
        assert (scores(score)[0] >= np.float32(threshold / 10_000)) == (found >= threshold)


def test_the_best_come_first_and_equal_ones_as_in_captions() -> None:
    candidates = Candidates(LABELS)
    candidates.add(scores(0.01, 0.6, 0.5, 0.5, 0.5))
    candidates.add(None)
    candidates.add(scores(0.3, 0.0, 0.04, 0.9, 0.05))
    encoded = candidates.encode()
    assert decoded(encoded) == [
        [(1, 6000), (2, 5000), (4, 5000), (3, 5000), (0, 100)],  # the general ones before the character
        [],
        [(3, 9000), (0, 3000), (4, 500), (1, 0)],  # ratings however low they are
    ]
    assert encoded["ties"] == [[0, 2], [0, 3]]
    assert encoded["floor"] == 0.05


def test_equal_steps_of_different_scores_are_no_tie() -> None:
    candidates = Candidates(LABELS)
    candidates.add(scores(0, 0, 0.50001, 0, 0.50002))
    encoded = candidates.encode()
    assert decoded(encoded)[0][:2] == [(4, 5000), (2, 5000)]
    assert encoded["ties"] == [[0, 3]]  # the two ratings, both 0


@given(st.lists(st.lists(st.integers(0, 9_999), min_size=5, max_size=5), min_size=1, max_size=12), st.integers(24, 40))
def test_too_many_raise_the_floor_and_leave_nothing_out_above_it(rows: list[list[int]], most: int) -> None:
    one, all_of_them = Candidates(LABELS, most=most), Candidates(LABELS)
    for row in rows:
        values = np.array(row, np.float32) / np.float32(10_000)
        one.add(values)
        all_of_them.add(values)
    encoded = one.encode()
    floor = round(encoded["floor"] * 10_000)
    assert decoded(encoded) == [
        [(tag, step) for tag, step in row if step >= floor or tag < 2] for row in decoded(all_of_them.encode())
    ]
    number = sum(map(len, decoded(encoded)))
    assert number <= most
    if number < most and floor > 500:
        assert sum(step >= floor - 1 or tag < 2 for row in decoded(all_of_them.encode()) for tag, step in row) > most


def test_the_floor_is_below_every_threshold_in_use() -> None:
    assert [floor_for(lowest) for lowest in (0.35, 0.05, 0.01234, float("inf"), 0.0)] == [0.05, 0.05, 0.0123, 0.05, 0]
